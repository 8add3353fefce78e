// The jail cell's system calls. The two open_how structs below are constants, so the filter can pin their addresses' contents no further than the
// kernel reads them; what matters is that no caller can widen RESOLVE.
#include "helper/jail/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSIDE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int proc = -1;         // /proc
static int proc_self_fd = -1; // /proc/self/fd, the way to chmod what an O_PATH descriptor names: fchmodat2(2) is younger than Linux 6.1

int sys_prepare(int proc_dir)
{
	proc = proc_dir;
	proc_self_fd = openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_self_fd < 0 ? -1 : 0;
}

static int open_how(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int sys_open_dir(int dir, const char *path)
{
	return open_how(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE | RESOLVE_NO_XDEV);
}

int sys_open_path(int dir, const char *path)
{
	return open_how(dir, path, O_PATH | O_NOFOLLOW, 0, INSIDE | RESOLVE_NO_XDEV);
}

int sys_open_image(int dir, const char *path)
{
	return open_how(dir, path, O_PATH | O_NOFOLLOW, 0, INSIDE);
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

int sys_access_mode(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || flags & O_PATH ? -1 : flags & O_ACCMODE;
}

int sys_make_dir(int dir, const char *name)
{
	return mkdirat(dir, name, 0700);
}

int sys_chown(int fd, uint32_t uid, uint32_t gid)
{
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

int sys_chmod(int fd, mode_t mode)
{
	char name[16];

	snprintf(name, sizeof name, "%d", fd);
	return fchmodat(proc_self_fd, name, mode, 0);
}

int sys_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

int sys_rmdir(int dir, const char *name)
{
	return unlinkat(dir, name, AT_REMOVEDIR);
}

int sys_rename(int dir, const char *name, int to_dir, const char *to_name)
{
	return renameat(dir, name, to_dir, to_name);
}

ssize_t sys_list(int dir, void *entries, size_t size, int again)
{
	if (again && lseek(dir, 0, SEEK_SET) < 0)
		return -1;
	return syscall(SYS_getdents64, dir, entries, size);
}

// done closes fd and keeps the errno of what went before.
static int done(int fd, int result)
{
	int why = errno;
	close(fd);
	errno = why;
	return result;
}

int sys_create(int dir, const char *name, const void *bytes, size_t size)
{
	int fd = open_how(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, INSIDE | RESOLVE_NO_XDEV);
	if (fd < 0)
		return -1;
	ssize_t wrote = write(fd, bytes, size);
	if (wrote >= 0 && (size_t)wrote < size)
		errno = ENOSPC;
	return done(fd, wrote == (ssize_t)size && fsync(fd) == 0 ? 0 : -1);
}

ssize_t sys_read(int dir, const char *name, void *bytes, size_t size)
{
	int fd = open_how(dir, name, O_RDONLY | O_NOFOLLOW, 0, INSIDE | RESOLVE_NO_XDEV);
	return fd < 0 ? -1 : done(fd, (int)read(fd, bytes, size));
}

int sys_write(int dir, const char *name, const char *text)
{
	int fd = open_how(dir, name, O_WRONLY | O_NOFOLLOW, 0, INSIDE | RESOLVE_NO_XDEV);
	return fd < 0 ? -1 : done(fd, write(fd, text, strlen(text)) < 0 ? -1 : 0);
}

int sys_pidfd(uint32_t pid)
{
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

int sys_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int sys_process_uid(uint32_t pid, uint32_t *uid)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof name, "%u", pid);
	if (fstatat(proc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	*uid = st.st_uid;
	return 0;
}
