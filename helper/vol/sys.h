// sys: every system call that the vol cell makes for a request. This is the audit point, and the seam where a test links its own.
//
// Paths are below a directory that the cell holds open, looked up with openat2(2) and no way out of it. All answer -1 with errno set when they fail.
#ifndef HELPER_VOL_SYS_H
#define HELPER_VOL_SYS_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// sys_prepare opens what the calls below need for life; before confinement.
int sys_prepare(void);

int sys_open_path(int dir, const char *path); // O_PATH, of a symlink itself when the last component is one; crosses mounts
int sys_open_dir(int dir, const char *path);  // O_PATH, a directory
void sys_close(int fd);
int sys_stat(int fd, struct stat *st);
int sys_mount_id(int fd, uint64_t *id); // of the mount that fd lies on
ssize_t sys_read_link(int dir, const char *path, char *target, size_t size);
int sys_make_dir(int dir, const char *name); // mode 0755

// sys_open_mountinfo opens the cell's own list of mounts; sys_read reads on in it.
int sys_open_mountinfo(void);
ssize_t sys_read(int fd, void *bytes, size_t size);

// The new mount API: a file system context, its parameters, a detached mount, and its attachment to the directory `target`.
int sys_fs_open(const char *fstype);
int sys_fs_string(int fs, const char *key, const char *value);
int sys_fs_flag(int fs, const char *key);
int sys_fs_create(int fs);
int sys_fs_mount(int fs, unsigned attr); // MOUNT_ATTR_*
int sys_attach(int mount, int target);

// sys_unmount takes the mount off `name`, one component, in the directory `dir`.
int sys_unmount(int dir, const char *name, int flags); // MNT_DETACH, MNT_FORCE

#endif
