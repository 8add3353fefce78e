// A VMM that does as it is told: it stands where QEMU stands in a base, and takes orders as lines on its serial port (fd 3).
// LIBS: -static-pie
//
//	echo TEXT, err TEXT, exit N, abort, flood KIB, args, env, fds, ls PATH, deaf, orphan, probe WHAT: try something and say how it ended
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERIAL 3

extern char **environ;
static char **arguments;

static void say_all(const char *bytes, size_t length)
{
	while (length) {
		ssize_t wrote = write(SERIAL, bytes, length);
		if (wrote <= 0)
			_exit(98);
		bytes += wrote;
		length -= (size_t)wrote;
	}
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	int length = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (length > 0 && (size_t)length < sizeof line)
		say_all(line, (size_t)length);
}

static void flood(int kib)
{
	static char block[1024];

	memset(block, 'x', sizeof block);
	for (int i = 0; i < kib; i++)
		say_all(block, sizeof block);
	say("\nflooded\n");
}

static void list_fds(void)
{
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say("%d ", fd);
	say("\n");
}

static void list(const char *path)
{
	DIR *dir = opendir(path);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			say("%s ", entry->d_name);
	say("\n");
	if (dir)
		closedir(dir);
}

static int try_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	return fd;
}

static int try_setuid_bit(void)
{
	return chmod("/run/exit.json", 04755);
}

// What a VMM that was taken over may try first. Each answers a negative number and errno when it was refused.
static int attempt(const char *what)
{
	if (!strcmp(what, "root"))
		return setresuid(0, 0, 0);
	if (!strcmp(what, "write-base"))
		return try_write("/new");
	if (!strcmp(what, "write-keeper"))
		return try_write("/postern-keeper");
	if (!strcmp(what, "write-vm"))
		return try_write("/vm/new");
	if (!strcmp(what, "write-kernel"))
		return open("/vm/kernel", O_WRONLY);
	if (!strcmp(what, "write-dev"))
		return try_write("/dev/new");
	if (!strcmp(what, "mount"))
		return mount("none", "/run", "tmpfs", 0, NULL);
	if (!strcmp(what, "open_tree"))
		return (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1);
	if (!strcmp(what, "unshare"))
		return unshare(CLONE_NEWUSER);
	if (!strcmp(what, "clone3"))
		return (int)syscall(SYS_clone3, NULL, 88);
	if (!strcmp(what, "clone-user"))
		return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (!strcmp(what, "ptrace"))
		return (int)ptrace(PTRACE_ATTACH, 1, NULL, NULL);
	if (!strcmp(what, "inet"))
		return socket(AF_INET, SOCK_STREAM, 0);
	if (!strcmp(what, "netlink"))
		return socket(AF_NETLINK, SOCK_RAW, 0);
	if (!strcmp(what, "io_uring"))
		return (int)syscall(SYS_io_uring_setup, 8, NULL);
	if (!strcmp(what, "chroot"))
		return chroot("/run");
	if (!strcmp(what, "mknod"))
		return mknod("/run/mem", S_IFCHR | 0600, 0x101);
	if (!strcmp(what, "chmod"))
		return try_setuid_bit();
	if (!strcmp(what, "bpf"))
		return (int)syscall(SYS_bpf, 0, NULL, 0);
	if (!strcmp(what, "openat2"))
		return (int)syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0);
	if (!strcmp(what, "kill-outside"))
		return kill(12345, SIGTERM);
	if (!strcmp(what, "core-limit")) {
		struct rlimit more = {1, 1};
		return setrlimit(RLIMIT_CORE, &more);
	}
	errno = ENOTSUP;
	return -2;
}

static void probe(const char *what)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int result = attempt(what);
		_exit(result >= 0 ? 0 : result == -2 ? 255 : errno);
	}
	if (waitpid(pid, &status, 0) != pid)
		say("%s lost\n", what);
	else if (WIFSIGNALED(status))
		say("%s killed %d\n", what, WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0)
		say("%s done\n", what);
	else
		say("%s %s\n", what, strerrorname_np(WEXITSTATUS(status)));
}

static void orphan(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0) {
			usleep(50000);
			_exit(3);
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say("orphaned\n");
}

static void list_strings(char **strings)
{
	for (; *strings; strings++)
		say("%s\n", *strings);
	say("end\n");
}

static void obey(char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	if (!strcmp(line, "exit"))
		_exit(atoi(rest));
	else if (!strcmp(line, "abort"))
		abort();
	else if (!strcmp(line, "flood"))
		flood(atoi(rest));
	else if (!strcmp(line, "args"))
		list_strings(arguments);
	else if (!strcmp(line, "env"))
		list_strings(environ);
	else if (!strcmp(line, "fds"))
		list_fds();
	else if (!strcmp(line, "ls"))
		list(rest);
	else if (!strcmp(line, "deaf"))
		say(signal(SIGTERM, SIG_IGN) == SIG_ERR ? "no\n" : "deaf\n");
	else if (!strcmp(line, "orphan"))
		orphan();
	else if (!strcmp(line, "probe"))
		probe(rest);
	else if (!strcmp(line, "err"))
		dprintf(STDERR_FILENO, "%s\n", rest);
	else
		say("%s\n", rest ? rest : "");
}

int main(int argc, char **argv)
{
	static char line[512];
	size_t used = 0;
	char byte;

	(void)argc;
	arguments = argv;
	say("ready\n");
	while (read(SERIAL, &byte, 1) == 1) {
		if (byte != '\n' && used < sizeof line - 1) {
			line[used++] = byte;
			continue;
		}
		line[used] = '\0';
		used = 0;
		obey(line);
	}
	return 0;
}
