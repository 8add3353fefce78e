// LINK: unpriv/vsock/conn.o
// Credit arithmetic at the wrap, and the backlog of a slow host.
#include "unpriv/vsock/conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"

static int peer;

static struct conn fresh(size_t window)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	peer = pair[1];
	return (struct conn){.state = CONN_OPEN, .fd = pair[0], .writable = true, .backlog.size = window};
}

static void done(struct conn *c)
{
	conn_drop_backlog(c);
	close(c->fd);
	close(peer);
}

static enum to_host put(struct conn *c, void *bytes, size_t n)
{
	struct iovec iov[2] = {{bytes, n / 2}, {(char *)bytes + n / 2, n - n / 2}};

	return conn_to_host(c, iov, 2, n);
}

TEST("credit is what the guest has room for, less what is under way")
{
	struct conn c = {.sent = 100, .peer_alloc = 1000, .peer_fwd = 40};

	CHECK_INT(conn_credit(&c), 940);
	c.sent = 1040;
	CHECK_INT(conn_credit(&c), 0);
}

TEST("credit survives the wrap of both counters")
{
	struct conn c = {.sent = 50, .peer_alloc = 1000, .peer_fwd = UINT32_MAX - 49};

	CHECK_INT(conn_credit(&c), 900);
	c.sent = UINT32_MAX;
	c.peer_fwd = UINT32_MAX;
	CHECK_INT(conn_credit(&c), 1000);
}

TEST("a guest that says it took more than was sent gets nothing")
{
	struct conn c = {.sent = 10, .peer_alloc = 1000, .peer_fwd = 11};

	CHECK_INT(conn_credit(&c), 0);
}

TEST("a window that shrinks under what is under way is no credit, not a huge one")
{
	struct conn c = {.sent = 500, .peer_alloc = 100, .peer_fwd = 0};

	CHECK_INT(conn_credit(&c), 0);
}

TEST("new credit is reported once")
{
	struct conn c = {.sent = 100, .peer_alloc = 100, .begged = true};
	struct packet p = {.buf_alloc = 100, .fwd_cnt = 50};

	CHECK(conn_peer_credit(&c, &p));
	CHECK(!c.begged);
	CHECK(!conn_peer_credit(&c, &p));
}

TEST("bytes go straight to a host that reads, and count as forwarded, over the wrap")
{
	struct conn c = fresh(4096);
	char in[100] = "hello", out[100];

	c.forwarded = c.forwarded_told = UINT32_MAX - 10;
	CHECK_INT(put(&c, in, 100), TO_HOST_OK);
	CHECK_INT(c.forwarded, 89);
	CHECK(c.backlog.bytes == NULL);
	CHECK(read(peer, out, 100) == 100 && memcmp(in, out, 100) == 0);
	CHECK(!conn_credit_due(&c));
	c.forwarded_told = c.forwarded - 1024;
	CHECK(conn_credit_due(&c));
	done(&c);
}

TEST("what a slow host doesn't take is kept in order, and no more than the window")
{
	static char in[300000], out[300000];
	struct conn c = fresh(sizeof(in));
	size_t got = 0;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7 >> 3);
	// Three rounds, so that the ring of the backlog wraps at an odd place.
	for (int round = 0; round < 3; round++) {
		got = 0;
		for (size_t at = 0; at < sizeof(in); at += 50000)
			CHECK_INT(put(&c, in + at, 50000), TO_HOST_OK);
		CHECK(c.backlog.used > 0 && !c.writable);
		CHECK_INT(put(&c, in, sizeof(in) - c.backlog.used + 1), TO_HOST_OVERRUN);
		while (got < sizeof(out)) {
			ssize_t n = read(peer, out + got, sizeof(out) - got < 33333 ? sizeof(out) - got : 33333);
			CHECK(n > 0);
			got += (size_t)n;
			c.writable = true;
			CHECK_INT(conn_flush(&c), TO_HOST_OK);
		}
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		CHECK_INT(c.backlog.used, 0);
	}
	CHECK_INT(c.forwarded, 3 * sizeof(in));
	done(&c);
}

TEST("bytes for a host that is gone are dropped and counted, without a signal")
{
	struct conn c = fresh(4096);
	char in[100] = {0};

	close(peer);
	CHECK_INT(put(&c, in, 100), TO_HOST_GONE);
	CHECK_INT(c.forwarded, 100);
	close(c.fd);
}

TEST("a backlog for a host that leaves is dropped and counted")
{
	static char in[400000];
	struct conn c = fresh(sizeof(in));

	CHECK_INT(put(&c, in, sizeof(in)), TO_HOST_OK);
	CHECK(c.backlog.used > 0);
	close(peer);
	c.writable = true;
	CHECK_INT(conn_flush(&c), TO_HOST_GONE);
	CHECK_INT(c.forwarded, sizeof(in));
	CHECK(c.backlog.bytes == NULL && c.backlog.used == 0);
	close(c.fd);
}

int main(void)
{
	return test_main();
}
