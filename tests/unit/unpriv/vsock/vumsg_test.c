// LINK: unpriv/vsock/vumsg.o
// vhost-user framing: whole, in pieces, torn, too long, with descriptors.
#include "unpriv/vsock/vumsg.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"

static int here, there;
static struct vu_msg msg;

static void fresh(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	here = pair[0];
	there = pair[1];
	memset(&msg, 0, sizeof(msg));
}

static void done(void)
{
	vumsg_clear(&msg);
	close(here);
	close(there);
}

static void send_fds(const void *bytes, size_t n, int copies)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct msghdr m = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE((size_t)copies * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)copies * sizeof(int));
	for (int i = 0; i < copies; i++)
		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &here, sizeof(int));
	if (sendmsg(there, &m, 0) != (ssize_t)n)
		abort();
}

static int open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST("a message may come byte by byte")
{
	uint8_t bytes[20] = {18, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};

	fresh();
	for (size_t i = 0; i < sizeof(bytes); i++) {
		CHECK_INT(vumsg_recv(here, &msg), VU_AGAIN);
		CHECK(write(there, bytes + i, 1) == 1);
	}
	CHECK_INT(vumsg_recv(here, &msg), VU_MESSAGE);
	CHECK_INT(msg.header.request, VU_SET_VRING_ENABLE);
	CHECK_INT(msg.header.size, 8);
	CHECK(memcmp(msg.payload, bytes + 12, 8) == 0);
	done();
}

TEST("two messages in one write are two messages")
{
	struct vu_header two[2] = {{VU_GET_FEATURES, 1, 0}, {VU_SET_OWNER, 1, 0}};

	fresh();
	CHECK(write(there, two, sizeof(two)) == sizeof(two));
	CHECK_INT(vumsg_recv(here, &msg), VU_MESSAGE);
	CHECK_INT(msg.header.request, VU_GET_FEATURES);
	vumsg_clear(&msg);
	CHECK_INT(vumsg_recv(here, &msg), VU_MESSAGE);
	CHECK_INT(msg.header.request, VU_SET_OWNER);
	vumsg_clear(&msg);
	CHECK_INT(vumsg_recv(here, &msg), VU_AGAIN);
	done();
}

TEST("end of file between messages is a close, inside one a breach")
{
	fresh();
	shutdown(there, SHUT_WR);
	CHECK_INT(vumsg_recv(here, &msg), VU_CLOSED);
	done();
	fresh();
	CHECK(write(there, "\1", 1) == 1);
	shutdown(there, SHUT_WR);
	CHECK_INT(vumsg_recv(here, &msg), VU_PROTOCOL);
	done();
}

TEST("a wrong version, a reply, and a payload that is too long are breaches")
{
	static const struct vu_header bad[] = {{1, 0, 0}, {1, 2, 0}, {1, 5, 0}, {5, 1, VU_PAYLOAD_MAX + 1}, {5, 1, UINT32_MAX}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fresh();
		CHECK(write(there, &bad[i], sizeof(bad[i])) == sizeof(bad[i]));
		CHECK_INT(vumsg_recv(here, &msg), VU_PROTOCOL);
		done();
	}
}

TEST("descriptors come with their message, close-on-exec, and unclaimed ones are closed")
{
	struct vu_header h = {VU_SET_MEM_TABLE, 1, 0};

	fresh();
	int before = open_files();
	send_fds(&h, sizeof(h), 8);
	CHECK_INT(vumsg_recv(here, &msg), VU_MESSAGE);
	CHECK_INT(msg.fds, 8);
	CHECK((fcntl(msg.fd[0], F_GETFD) & FD_CLOEXEC) != 0);
	CHECK_INT(vumsg_take_fd(&msg), -1);
	vumsg_clear(&msg);
	CHECK_INT(open_files(), before);
	done();
}

TEST("nine descriptors are a breach and leave none open")
{
	struct vu_header h = {VU_SET_MEM_TABLE, 1, 0};

	fresh();
	int before = open_files();
	send_fds(&h, sizeof(h), 9);
	CHECK_INT(vumsg_recv(here, &msg), VU_PROTOCOL);
	vumsg_clear(&msg);
	CHECK_INT(open_files(), before);
	done();
}

TEST("descriptors sent piecemeal within one message are counted together")
{
	struct vu_header h = {VU_SET_MEM_TABLE, 1, 8};

	fresh();
	int before = open_files();
	send_fds(&h, sizeof(h), 8);
	send_fds("12345678", 8, 1);
	CHECK_INT(vumsg_recv(here, &msg), VU_PROTOCOL);
	vumsg_clear(&msg);
	CHECK_INT(open_files(), before);
	done();
}

TEST("a reply carries the request's id, version 1 and the reply flag")
{
	uint64_t v = 7;
	uint8_t got[32];
	static const uint8_t want[20] = {1, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 7};

	fresh();
	msg.header = (struct vu_header){VU_GET_FEATURES, 1, 0};
	CHECK_INT(vumsg_reply(here, &msg, &v, sizeof(v)), 0);
	CHECK(read(there, got, sizeof(got)) == 20 && memcmp(got, want, 20) == 0);
	close(there);
	CHECK_INT(vumsg_reply(here, &msg, &v, sizeof(v)), -1);
	there = -1;
	done();
}

int main(void)
{
	return test_main();
}
