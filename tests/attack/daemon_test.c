// A worker of posternd that was taken over: what its own sandbox leaves it.
// LINK: unpriv/posternd/confine.o unpriv/posternd/landlock.o unpriv/common/log.o
// LIBS: -lcap-ng -ljansson -lcrypto
//
// Each attempt is made by a process of its own, under the worker's confine().
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/confine.h"

#define DAEMON 64990u
#define KILLED 1000 // by the filter

static char base[64], state[96], run_socket[96], images[96], jails[96], acl[96];
static pid_t outside; // a process of the same uid that isn't confined
static struct config config;
static const struct flags flags;

static const char *below(const char *dir, const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

// 0 where the attempt went through, its errno where it was refused, KILLED where the filter ended the process.
static int try(long (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setresgid(DAEMON, DAEMON, DAEMON) != 0 || setresuid(DAEMON, DAEMON, DAEMON) != 0 ||
		    !confine(&config, &flags))
			_exit(255);
		errno = 0;
		_exit(attempt() >= 0 ? 0 : errno);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : -1;
	return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static long make_state(void)
{
	return open(below(state, "mine"), O_WRONLY | O_CREAT, 0600);
}
static long read_image(void)
{
	return open(below(images, "kernel"), O_RDONLY);
}
static long edit_image(void)
{
	return open(below(images, "kernel"), O_RDWR);
}
static long read_log(void)
{
	return open(below(jails, "serial.log"), O_RDONLY);
}

TEST("the worker's own directories are its to change, images to read and write, jails to read")
{
	CHECK_INT(try(make_state), 0);
	CHECK_INT(try(read_image), 0);
	CHECK_INT(try(edit_image), 0);
	CHECK_INT(try(read_log), 0);
}

static long read_passwd(void)
{
	return open("/etc/passwd", O_RDONLY);
}
static long read_program(void)
{
	return open("/usr/bin/env", O_RDONLY);
}
static long list_root(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}
static long make_in_tmp(void)
{
	return open("/tmp/postern-daemon-test", O_WRONLY | O_CREAT, 0600);
}
static long make_image(void)
{
	return open(below(images, "new"), O_WRONLY | O_CREAT, 0600);
}
static long make_in_jail(void)
{
	return open(below(jails, "new"), O_WRONLY | O_CREAT, 0600);
}
static long open_device(void)
{
	return open("/dev/net/tun", O_RDWR);
}
static long write_sysctl(void)
{
	return open("/proc/sys/net/ipv4/ip_forward", O_WRONLY);
}
static long read_memory(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)outside);
	return open(path, O_RDONLY);
}
static long through_root_link(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root/etc/passwd", (int)outside);
	return open(path, O_RDONLY);
}
static long through_own_root_link(void)
{
	return open("/proc/self/root/etc/passwd", O_RDONLY);
}
static long chmod_program(void)
{
	return chmod("/usr/bin/env", 04777);
}

TEST("no other file is read, made or changed: /etc, programs, /, /tmp, devices, sysctls, memory of others, nor through links of /proc")
{
	long (*const attempts[])(void) = {read_passwd,           read_program, list_root,    make_in_tmp, make_image,
	                                  make_in_jail,          open_device,  write_sysctl, read_memory, through_root_link,
	                                  through_own_root_link, chmod_program};

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int got = try(attempts[i]);

		if (got != EACCES && got != EPERM)
			FAIL("attempt %zu: %d instead of EACCES or EPERM", i, got);
	}
}

static long execute(void)
{
	char *const argv[] = {(char[]){"env"}, NULL};

	return execve("/usr/bin/env", argv, NULL);
}
static long execute_fd(void)
{
	char *const argv[] = {(char[]){"env"}, NULL};

	return syscall(SYS_execveat, memfd_create("x", 0), "", argv, NULL, AT_EMPTY_PATH);
}
static long fork_plain(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static long fork_old(void)
{
	return syscall(SYS_fork);
}
static long tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}
static long packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}
static long vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long attach(void)
{
	return ptrace(PTRACE_ATTACH, outside, NULL, NULL);
}
static long signal_it(void)
{
	return kill(outside, SIGTERM);
}
static long take_descriptor(void)
{
	return syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, outside, 0), 0, 0);
}
static long mount_old(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}
static long mount_new(void)
{
	return syscall(SYS_fsopen, "tmpfs", 0);
}
static long namespaces(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS);
}
static long become_root(void)
{
	return setuid(0);
}
static long io_ring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}
static long bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}
static long link_file(void)
{
	return link("/etc/shadow", below(state, "shadow"));
}
static long symlink_file(void)
{
	return symlink("/etc/shadow", below(state, "shadow"));
}
static long node(void)
{
	return mknod(below(state, "node"), S_IFIFO | 0600, 0);
}
static long executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long raise_limit(void)
{
	const struct rlimit64 {
		uint64_t cur, max;
	} more = {1 << 20, 1 << 20};

	return syscall(SYS_prlimit64, 0, 7, &more, NULL);
}

TEST("it starts no program, makes no process, no network socket, mount, namespace, link, node or executable memory, and touches no other process: "
     "killed")
{
	long (*const attempts[])(void) = {execute, execute_fd, fork_plain,      fork_old,     tcp,       packets,           vsock,
	                                  attach,  signal_it,  take_descriptor, mount_old,    mount_new, namespaces,        become_root,
	                                  io_ring, bpf,        link_file,       symlink_file, node,      executable_memory, raise_limit};

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (try(attempts[i]) != KILLED)
			FAIL("attempt %zu wasn't killed: %d", i, try(attempts[i]));
}

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

static long abort_it(void)
{
	return syscall(SYS_tgkill, outside, outside, SIGTERM);
}
static long abstract(void)
{
	const struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0postern-daemon-test"};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(s, (const struct sockaddr *)&a, sizeof(sa_family_t) + 20);
}

TEST("where the kernel knows Landlock's scopes, it signals no process outside, and no abstract socket is connected to")
{
	const struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0postern-daemon-test"};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (landlock_abi() < 6)
		SKIP("Landlock's scopes came with ABI 6");
	CHECK(bind(s, (const struct sockaddr *)&a, sizeof(sa_family_t) + 20) == 0 && listen(s, 1) == 0);
	CHECK_INT(try(abort_it), EPERM);
	CHECK_INT(try(abstract), EPERM);
	close(s);
}

static void directory(char *path, size_t size, const char *name, uid_t uid)
{
	snprintf(path, size, "%s/%s", base, name);
	if (mkdir(path, 0755) != 0 || chown(path, uid, uid) != 0)
		abort();
}

static void file(const char *dir, const char *name)
{
	int fd = open(below(dir, name), O_WRONLY | O_CREAT, 0666);

	if (fd < 0 || fchmod(fd, 0666) != 0)
		abort();
	close(fd);
}

static void build(void)
{
	static const char *sockets[1];

	snprintf(base, sizeof(base), "/run/postern-daemon-test-%d", (int)getpid());
	if (mkdir(base, 0755) != 0)
		abort();
	directory(state, sizeof(state), "state", DAEMON);
	directory(run_socket, sizeof(run_socket), "run", DAEMON);
	directory(images, sizeof(images), "images", 0);
	directory(jails, sizeof(jails), "jails", 0);
	directory(acl, sizeof(acl), "etc", 0);
	file(images, "kernel");
	file(jails, "serial.log");
	strcat(run_socket, "/rpc.sock");
	strcat(acl, "/acl.toml");
	if (chmod(images, 0777) != 0 || chmod(jails, 0777) != 0) // it is Landlock that refuses, not the modes
		abort();
	sockets[0] = run_socket;
	config = (struct config){.sockets = {.v = sockets, .n = 1}, .state_dir = state, .image_root = images, .jail_root = jails, .acl_path = acl};
	outside = fork();
	if (outside < 0)
		abort();
	if (outside == 0) {
		if (setresgid(DAEMON, DAEMON, DAEMON) != 0 || setresuid(DAEMON, DAEMON, DAEMON) != 0)
			_exit(1);
		for (;;)
			pause();
	}
}

static void remove_all(void)
{
	char command[128];

	if (outside > 1 && kill(outside, SIGKILL) == 0)
		waitpid(outside, NULL, 0);
	snprintf(command, sizeof(command), "rm -r '%s'", base);
	if (system(command) != 0)
		printf("# %s stays\n", base);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("ok - a worker that was taken over finds walls everywhere # SKIP needs root\n");
		return 0;
	}
	build();
	int failed = test_main();
	remove_all();
	return failed;
}
