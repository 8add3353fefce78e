// The vol cell's system calls.
#include "helper/vol/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSIDE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int proc_self = -1, top = -1; // /proc/self and /

int sys_prepare(void)
{
	proc_self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_self < 0 || top < 0 ? -1 : 0;
}

static int open_how(int dir, const char *path, uint64_t flags)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW, .resolve = INSIDE};
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int sys_open_path(int dir, const char *path)
{
	return open_how(dir, path, O_PATH);
}

int sys_open_dir(int dir, const char *path)
{
	return open_how(dir, path, O_PATH | O_DIRECTORY);
}

void sys_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int sys_stat(int fd, struct stat *st)
{
	return fstatat(fd, "", st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

int sys_mount_id(int fd, uint64_t *id)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &stx) < 0)
		return -1;
	*id = stx.stx_mnt_id;
	return 0;
}

ssize_t sys_read_link(int dir, const char *path, char *target, size_t size)
{
	return readlinkat(dir, path, target, size);
}

int sys_make_dir(int dir, const char *name)
{
	return mkdirat(dir, name, 0755);
}

int sys_open_mountinfo(void)
{
	return open_how(proc_self, "mountinfo", O_RDONLY);
}

ssize_t sys_read(int fd, void *bytes, size_t size)
{
	return read(fd, bytes, size);
}

int sys_fs_open(const char *fstype)
{
	return fsopen(fstype, FSOPEN_CLOEXEC);
}

int sys_fs_string(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

int sys_fs_flag(int fs, const char *key)
{
	return fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
}

int sys_fs_create(int fs)
{
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int sys_fs_mount(int fs, unsigned attr)
{
	return fsmount(fs, FSMOUNT_CLOEXEC, attr);
}

int sys_attach(int mount, int target)
{
	return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

// umount2(2) knows no descriptors: the cell goes to the directory, and takes the mount off a single name there, which must not be a symlink.
int sys_unmount(int dir, const char *name, int flags)
{
	if (fchdir(dir) < 0)
		return -1;
	int result = umount2(name, UMOUNT_NOFOLLOW | flags);
	int why = errno;
	if (fchdir(top) < 0)
		return -1;
	errno = why;
	return result;
}
