// sys: every system call that the jail cell makes for a request. This is the audit point, and the seam where a test links its own.
//
// No function here takes a path from the daemon: names are built by layout.c or come from the record, and are looked up below a directory that the
// cell holds open, with openat2(2) and no way out of it: no symlink, no magic link, no "..". All answer -1 with errno set when they fail.
#ifndef HELPER_JAIL_SYS_H
#define HELPER_JAIL_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// sys_prepare takes the descriptor of /proc that the calls below need for life, and opens what they need in there; before confinement.
int sys_prepare(int proc_dir);

// Opens below `dir`. sys_open_path gives an O_PATH descriptor, of a symlink itself when the last component is one; `cross` allows other mounts on the
// way.
int sys_open_dir(int dir, const char *path);
int sys_open_path(int dir, const char *path);
int sys_open_image(int dir, const char *path);
void sys_close(int fd);

int sys_stat(int fd, struct stat *st);
int sys_access_mode(int fd); // O_RDONLY, O_WRONLY or O_RDWR; -1 for O_PATH too

int sys_make_dir(int dir, const char *name);       // mode 0700, root's
int sys_chown(int fd, uint32_t uid, uint32_t gid); // by descriptor, O_PATH is enough
int sys_chmod(int fd, mode_t mode);
int sys_unlink(int dir, const char *name);
int sys_rmdir(int dir, const char *name);
int sys_rename(int dir, const char *name, int to_dir, const char *to_name);

// sys_list reads directory entries as getdents64(2) gives them, from the start of the directory when `again`.
ssize_t sys_list(int dir, void *entries, size_t size, int again);

// Small files of the cell's own and of cgroups. sys_create makes a new file of mode 0600, whole and on disk when it returns.
int sys_create(int dir, const char *name, const void *bytes, size_t size);
ssize_t sys_read(int dir, const char *name, void *bytes, size_t size);
int sys_write(int dir, const char *name, const char *text);

int sys_pidfd(uint32_t pid);
int sys_signal(int pidfd, int signal); // SIGTERM or SIGKILL
int sys_process_uid(uint32_t pid, uint32_t *uid);

#endif
