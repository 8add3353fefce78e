// LINK: helper/common/fdpass.o
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "helper/common/fdpass.h"
#include "tests/lib/test.h"

static int a, b, fds[FDPASS_MAX];
static unsigned nfds;
static char buf[64];

static void setup(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) != 0)
		abort();
	a = s[0];
	b = s[1];
}

static void finish(void)
{
	fdpass_close(fds, FDPASS_MAX);
	close(a);
	close(b);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

// More descriptors than fdpass_send() would send.
static bool send_many(int n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(253 * sizeof(int))];
	} control = {.room = {0}};
	char byte = 'x';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool ok;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (int i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &null, sizeof(null));
	ok = sendmsg(a, &m, 0) == 1;
	close(null);
	return ok;
}

TEST("a packet arrives whole, with its descriptors, close-on-exec and in order")
{
	int send[2] = {open("/dev/null", O_RDONLY), open("/dev/zero", O_RDWR)};

	setup();
	CHECK_INT(fdpass_send(a, "hello", 5, send, 2, 0), 0);
	CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, 0), 5);
	CHECK_INT(nfds, 2);
	CHECK_INT(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_INT(fcntl(fds[1], F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fds[1], F_GETFD) & FD_CLOEXEC) != 0);
	CHECK_INT(fds[2], -1);
	close(send[0]);
	close(send[1]);
	finish();
}

TEST("C1: more descriptors than four are refused, and every one of them is closed")
{
	int before;

	setup();
	before = open_fds();
	for (int n = 5; n <= 253; n += 31) {
		CHECK(send_many(n));
		CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, 0), -1);
		CHECK_INT(errno, EPROTO);
		CHECK_INT(open_fds(), before);
	}
	finish();
}

TEST("B4: a packet longer than the buffer is refused, and its descriptors are closed")
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), before;
	char big[65] = {0};

	setup();
	before = open_fds();
	CHECK_INT(fdpass_send(a, big, sizeof(big), &null, 1, 0), 0);
	CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, 0), -1);
	CHECK_INT(errno, EPROTO);
	CHECK_INT(nfds, 0);
	CHECK_INT(open_fds(), before);
	close(null);
	finish();
}

TEST("C3: credentials beside a packet are not taken for something else")
{
	const int on = 1;

	setup();
	CHECK_INT(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	CHECK_INT(fdpass_send(a, "x", 1, NULL, 0, 0), 0);
	CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, 0), -1);
	CHECK_INT(errno, EPROTO);
	finish();
}

TEST("B1: an empty packet isn't the end, and the end isn't an empty packet")
{
	setup();
	CHECK_INT(send(a, "", 0, 0), 0);
	CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, 0), -1);
	CHECK_INT(errno, EPROTO);
	close(a);
	a = -1;
	CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, 0), 0);
	finish();
}

TEST("B18: a peer that doesn't read is an error at once, not a wait")
{
	int n = 0;

	setup();
	while (n < 100000 && fdpass_send(a, buf, sizeof(buf), NULL, 0, MSG_DONTWAIT) == 0)
		n++;
	CHECK(n < 100000);
	CHECK_INT(errno, EAGAIN);
	finish();
}

TEST("a peer that is gone is EPIPE, not a signal")
{
	setup();
	close(b);
	b = -1;
	CHECK_INT(fdpass_send(a, "x", 1, NULL, 0, 0), -1);
	CHECK_INT(errno, EPIPE);
	finish();
}

TEST("nothing there is EAGAIN when asked not to wait")
{
	setup();
	CHECK_INT(fdpass_recv(b, buf, sizeof(buf), fds, &nfds, MSG_DONTWAIT), -1);
	CHECK_INT(errno, EAGAIN);
	finish();
}

int main(void)
{
	return test_main();
}
