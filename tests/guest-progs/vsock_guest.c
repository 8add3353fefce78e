// The guest side of tests/e2e/vsock-qemu.py: a PID 1 that loads the vsock modules and serves these ports.
//
//	1000 echo      sends back what it gets; shuts its side down after the host did
//	1001 sink      u64 n, then n bytes; answers u64 sum of the bytes
//	1002 source    u64 n; sends n bytes, byte i is i * 31 >> 3, then closes
//	1003 lazy      as sink, but waits two seconds before it reads the bytes
//	1004 dial      u32 port; connects to the host's port, sends "hello from the guest\n", answers u32 errno
//	1005 early     sends "tail\n", shuts its side down, then answers nothing, reads to the end and prints the count to the console
//	1006 slam      reads one byte and closes with the rest unread
//	1007 reboot    reboots the machine
//
// All numbers are little-endian. Each connection has its own process, except echo, which is one epoll loop so that a
// thousand connections fit into a small guest.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static char buffer[1 << 16];

static void say(const char *what)
{
	if (write(1, what, strlen(what)) < 0)
		_exit(1);
}

static int all_in(int fd, void *to, size_t n)
{
	for (char *p = to; n > 0;) {
		ssize_t got = read(fd, p, n);
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int all_out(int fd, const void *from, size_t n)
{
	for (const char *p = from; n > 0;) {
		ssize_t put = write(fd, p, n);
		if (put <= 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static void sink(int fd, unsigned wait_s)
{
	uint64_t n, sum = 0;

	if (all_in(fd, &n, sizeof(n)) < 0)
		return;
	sleep(wait_s);
	while (n > 0) {
		ssize_t got = read(fd, buffer, n < sizeof(buffer) ? n : sizeof(buffer));
		if (got <= 0)
			return;
		for (ssize_t i = 0; i < got; i++)
			sum += (unsigned char)buffer[i];
		n -= (uint64_t)got;
	}
	all_out(fd, &sum, sizeof(sum));
}

static void sink_now(int fd)
{
	sink(fd, 0);
}
static void sink_late(int fd)
{
	sink(fd, 2);
}

static void source(int fd)
{
	uint64_t n, at = 0;

	if (all_in(fd, &n, sizeof(n)) < 0)
		return;
	while (at < n) {
		size_t len = n - at < sizeof(buffer) ? n - at : sizeof(buffer);
		for (size_t i = 0; i < len; i++)
			buffer[i] = (char)((at + i) * 31 >> 3);
		if (all_out(fd, buffer, len) < 0)
			return;
		at += len;
	}
}

static void dial(int fd)
{
	static const char hello[] = "hello from the guest\n";
	uint32_t port, result = 0;

	if (all_in(fd, &port, sizeof(port)) < 0)
		return;
	struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port};
	int out = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (connect(out, (struct sockaddr *)&to, sizeof(to)) < 0)
		result = (uint32_t)errno;
	else if (all_out(out, hello, sizeof(hello) - 1) < 0)
		result = (uint32_t)errno;
	all_out(fd, &result, sizeof(result));
	if (result == 0)
		while (read(out, buffer, sizeof(buffer)) > 0)
			;
}

static void early(int fd)
{
	unsigned long n = 0;
	ssize_t got;

	all_out(fd, "tail\n", 5);
	shutdown(fd, SHUT_WR);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		n += (unsigned long)got;
	snprintf(buffer, sizeof(buffer), "early: read %lu\n", n);
	say(buffer);
}

static void slam(int fd)
{
	char c;

	if (read(fd, &c, 1) < 0)
		return;
}

static void do_reboot(int fd)
{
	(void)fd;
	reboot(RB_AUTOBOOT);
}

static int listen_on(unsigned port)
{
	const struct sockaddr_vm at = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 128) < 0) {
		say("guest: no vsock\n");
		exit(1);
	}
	return fd;
}

static void serve(unsigned port, void (*run)(int))
{
	int at = listen_on(port);

	if (fork() != 0) {
		close(at);
		return;
	}
	for (;;) {
		int fd = accept(at, NULL, NULL);
		if (fd < 0)
			continue;
		if (fork() == 0) {
			run(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void echo_one(int fd)
{
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n > 0)
		all_out(fd, buffer, (size_t)n);
	else
		close(fd);
}

static void echo(void)
{
	int at = listen_on(1000), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = at};

	if (fork() != 0)
		return;
	epoll_ctl(ep, EPOLL_CTL_ADD, at, &e);
	for (;;) {
		if (epoll_wait(ep, &e, 1, -1) != 1)
			continue;
		if (e.data.fd != at) {
			echo_one(e.data.fd);
			continue;
		}
		int fd = accept(at, NULL, NULL);
		e = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	}
}

static void load_modules(void)
{
	char path[64];

	for (int i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/%02d.ko", i);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (syscall(SYS_finit_module, fd, "", 0) < 0)
			say("guest: a module doesn't load\n");
		close(fd);
	}
}

int main(void)
{
	const struct rlimit files = {4096, 4096};

	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	int console = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(console, i);
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	load_modules();
	echo();
	serve(1001, sink_now);
	serve(1002, source);
	serve(1003, sink_late);
	serve(1004, dial);
	serve(1005, early);
	serve(1006, slam);
	serve(1007, do_reboot);
	say("guest: ready\n");
	for (;;)
		pause();
}
