// The spawn cell's system calls. Only the new mount API is used: mounts are objects held by descriptor, prepared in full before anything is attached,
// and no option string of another's making exists. mount(2) is not in the filter.
#include "helper/spawn/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/common/rootpath.h"

#define INSIDE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int proc = -1; // /proc

int sys_prepare(void)
{
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc < 0 ? -1 : 0;
}

static int open_how(int dir, const char *path, uint64_t flags, uint64_t mode)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW, .mode = mode, .resolve = INSIDE};
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int sys_open_dir(int dir, const char *path)
{
	return open_how(dir, path, O_RDONLY | O_DIRECTORY, 0);
}

int sys_open_path(int dir, const char *path)
{
	return open_how(dir, path, O_PATH, 0);
}

int sys_open_policy(const char *path)
{
	return rootpath_open(path, O_PATH);
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
	int fd = open_how(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? -1 : done(fd, write(fd, bytes, size) == (ssize_t)size ? 0 : -1);
}

int sys_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

int sys_rename(int dir, const char *name, const char *to_name)
{
	return renameat(dir, name, dir, to_name);
}

ssize_t sys_read(int dir, const char *name, void *bytes, size_t size)
{
	int fd = open_how(dir, name, O_RDONLY, 0);
	return fd < 0 ? -1 : done(fd, (int)read(fd, bytes, size));
}

int sys_write(int dir, const char *name, const char *text)
{
	int fd = open_how(dir, name, O_WRONLY, 0);
	return fd < 0 ? -1 : done(fd, write(fd, text, strlen(text)) < 0 ? -1 : 0);
}

int sys_open_write(int dir, const char *name)
{
	return open_how(dir, name, O_WRONLY, 0);
}

// proc(5): field 2 is the name in parentheses and may hold anything, so fields are counted from its last parenthesis.
int sys_start_time(pid_t pid, uint64_t *ticks)
{
	char path[32], text[1024];

	snprintf(path, sizeof path, "%d/stat", pid);
	ssize_t got = sys_read(proc, path, text, sizeof text - 1);
	if (got < 0)
		return -1;
	text[got] = '\0';
	char *field = strrchr(text, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field) {
		errno = EPROTO;
		return -1;
	}
	*ticks = strtoull(field, NULL, 10);
	return 0;
}

static int set_attr(int mount, uint64_t attr)
{
	struct mount_attr change = {.attr_set = attr};
	return mount_setattr(mount, "", AT_EMPTY_PATH, &change, sizeof change);
}

int sys_clone_tree(int fd, uint64_t attr)
{
	int mount = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount < 0 || set_attr(mount, attr) == 0)
		return mount;
	return done(mount, -1);
}

pid_t sys_fork(int cgroup, int *pidfd)
{
	struct clone_args args = {
	    .flags = CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
	    .pidfd = (uintptr_t)pidfd,
	    .exit_signal = SIGCHLD,
	    .cgroup = (unsigned)cgroup,
	};
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t sys_fork_plain(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

int sys_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int sys_connect(int fd, int o_path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d", o_path);
	return connect(fd, (const struct sockaddr *)&to, sizeof to);
}

int sys_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC);
}

ssize_t sys_read_report(int fd, void *bytes, size_t size, int timeout_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	if (poll(&ready, 1, timeout_ms) == 1)
		return read(fd, bytes, size);
	errno = ETIME;
	return -1;
}

void sys_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int sys_join(int cgroup_procs)
{
	return write(cgroup_procs, "0", 1) == 1 ? 0 : -1;
}

int sys_new_session(void)
{
	return setsid() < 0 ? -1 : 0;
}

int sys_private_mounts(void)
{
	struct mount_attr change = {.propagation = MS_PRIVATE};
	return mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &change, sizeof change);
}

int sys_new_tmpfs(unsigned attr, const char *size)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return done(fs, -1);
	return done(fs, fsmount(fs, FSMOUNT_CLOEXEC, attr));
}

int sys_make_node(int dir, const char *name, mode_t mode, unsigned major, unsigned minor)
{
	return mknodat(dir, name, mode, makedev(major, minor));
}

int sys_attach(int mount, int dir, const char *name)
{
	return move_mount(mount, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH);
}

int sys_attach_root(int mount)
{
	return sys_attach(mount, AT_FDCWD, "/");
}

int sys_seal_mount(int mount)
{
	return set_attr(mount, MOUNT_ATTR_RDONLY);
}

// pivot_root(2): with both names ".", the old root ends up on top of the new one, and is taken away whole.
int sys_enter_root(int mount)
{
	if (fchdir(mount) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return -1;
	return chdir("/");
}

int sys_hostname(const char *name)
{
	return sethostname(name, strlen(name));
}

int sys_limit(int resource, uint64_t most)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -1;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit);
}

int sys_move_fd(int fd, int least)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, least);
}

int sys_place_fd(int fd, int at, bool keep)
{
	return dup3(fd, at, keep ? 0 : O_CLOEXEC);
}

int sys_open_null(int at)
{
	int fd = open_how(AT_FDCWD, "dev/null", O_RDWR, 0);
	return fd < 0 ? -1 : done(fd, dup3(fd, at, 0));
}

int sys_close_from(int first)
{
	return close_range((unsigned)first, ~0u, 0);
}

// The cell's securebits keep the kernel from emptying the capability sets when the uid changes, so that is done by hand.
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {0};

	if (syscall(SYS_capset, &header, sets) < 0 || syscall(SYS_capget, &header, sets) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable) {
			errno = EPERM;
			return -1;
		}
	return 0;
}

// What the kernel answers is not believed but read back.
int sys_become(uint32_t uid, uint32_t gid)
{
	uid_t uids[3];
	gid_t gids[3];

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -1;
	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0 || getgroups(0, NULL) != 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (uids[i] != uid || gids[i] != gid) {
			errno = EPERM;
			return -1;
		}
	return drop_capabilities();
}

int sys_filter(const void *filter, size_t length)
{
	const struct sock_fprog program = {.len = (unsigned short)length, .filter = (struct sock_filter *)(uintptr_t)filter};
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int sys_exec(const char *program, const char *name)
{
	char *const argv[] = {(char *)(uintptr_t)name, NULL};
	char *const environment[] = {NULL};
	return execve(program, argv, environment);
}

void sys_report(int fd, const void *bytes, size_t size)
{
	if (write(fd, bytes, size) < 0)
		_exit(126);
	_exit(125);
}
