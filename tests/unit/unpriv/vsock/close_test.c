// LINK: unpriv/vsock/device.o unpriv/vsock/turn.o unpriv/vsock/mux.o unpriv/vsock/from_guest.o unpriv/vsock/to_guest.o unpriv/vsock/hostsock.o
// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o unpriv/vsock/ring.o unpriv/vsock/memtable.o unpriv/vsock/packet.o unpriv/vsock/vumsg.o
// How connections end: closes and half-closes of either side, resets, and what a guest must not say.
#include "tests/unit/unpriv/vsock/fake.h"

#include "tests/lib/test.h"

static struct fake *f;
static struct packet p;
static char b[70000];

static unsigned in_use(void)
{
	return f->device.mux.table.used;
}

static void guest_says(uint32_t host, uint32_t guest, const void *bytes, uint32_t n)
{
	struct packet rw = fake_packet(OP_RW, host, guest);

	rw.len = n;
	fake_send(f, &rw, bytes);
}

static void guest_shuts(uint32_t host, uint32_t guest, uint32_t flags)
{
	struct packet s = fake_packet(OP_SHUTDOWN, host, guest);

	s.flags = flags;
	fake_send(f, &s, NULL);
}

static void later(uint64_t ms)
{
	f->now_ms += ms;
	mux_tick(&f->device.mux, f->now_ms);
	fake_pump(f);
}

static bool nothing_for_guest(void)
{
	struct packet any;

	return !fake_recv(f, &any, NULL);
}

TEST("the host's half-close is SHUTDOWN of sending, and the guest can still answer")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	fake_write(f, fd, "end", 3);
	shutdown(fd, SHUT_WR);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RW && p.len == 3);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_NO_SEND);
	guest_says(host, 5, "answer", 6);
	CHECK_INT(fake_read(f, fd, b, 100), 6);
	guest_shuts(host, 5, SHUT_ALL);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	CHECK_INT(in_use(), 0);
	close(fd);
	fake_free(f);
}

TEST("the guest's half-close is the host's end of file, and the host can still send")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	guest_says(host, 5, "tail", 4);
	guest_shuts(host, 5, SHUT_NO_SEND);
	CHECK_INT(fake_read(f, fd, b, 100), 4);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	fake_write(f, fd, "more", 4);
	CHECK(fake_recv(f, &p, b) && p.op == OP_RW && memcmp(b, "more", 4) == 0);
	close(fd);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_ALL);
	fake_op(f, OP_RST, host, 5);
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

TEST("a guest that won't receive makes the host's writes fail")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	guest_shuts(host, 5, SHUT_NO_RECEIVE);
	CHECK(send(fd, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	guest_says(host, 5, "still", 5);
	CHECK_INT(fake_read(f, fd, b, 100), 5);
	close(fd);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_ALL);
	fake_free(f);
}

TEST("a host that won't receive is SHUTDOWN of receiving, and can still send")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	shutdown(fd, SHUT_RD);
	guest_says(host, 5, "lost", 4);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_NO_RECEIVE);
	fake_write(f, fd, "x", 1);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RW);
	close(fd);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_ALL);
	fake_free(f);
}

TEST("what the guest sent before it closed reaches a slow host before the end of file")
{
	static char big[60000];
	uint32_t host;
	size_t got = 0;
	int n;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	for (int i = 0; i < 6; i++)
		guest_says(host, 5, big, 60000);
	guest_shuts(host, 5, SHUT_ALL);
	while (fake_recv(f, &p, NULL))
		CHECK(p.op != OP_RST); // not before the host has everything
	while ((n = fake_read(f, fd, big, sizeof(big))) > 0)
		got += (size_t)n;
	CHECK_INT(n, 0);
	CHECK_INT(got, 360000);
	CHECK(fake_expect(f, OP_RST, &p));
	CHECK_INT(in_use(), 0);
	close(fd);
	fake_free(f);
}

TEST("a guest that loses patience and resets loses nothing either, and can use its port again")
{
	static char big[60000];
	uint32_t host;
	size_t got = 0;
	int n;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	for (int i = 0; i < 6; i++)
		guest_says(host, 5, big, 60000);
	guest_shuts(host, 5, SHUT_ALL);
	fake_op(f, OP_RST, host, 5);
	CHECK(table_find(&f->device.mux.table, host, 5) == NULL);
	while ((n = fake_read(f, fd, big, sizeof(big))) > 0)
		got += (size_t)n;
	CHECK_INT(got, 360000);
	CHECK_INT(in_use(), 0);
	while (fake_recv(f, &p, NULL))
		CHECK(p.op != OP_RST);
	close(fd);
	fake_free(f);
}

TEST("a host that closes is SHUTDOWN of both ways; without an answer RST follows after 8 seconds")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	close(fd);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_ALL);
	guest_says(host, 5, "crossing", 8);
	CHECK(nothing_for_guest());
	later(LINGER_MS - 1);
	CHECK_INT(in_use(), 1);
	later(1);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST && p.src_port == host);
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

TEST("a host that leaves while a closed guest's bytes wait for it is confirmed to the guest at once")
{
	static char big[60000];
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	for (int i = 0; i < 6; i++)
		guest_says(host, 5, big, 60000);
	guest_shuts(host, 5, SHUT_ALL);
	close(fd);
	while (fake_recv(f, &p, NULL))
		CHECK(p.op != OP_SHUTDOWN);
	CHECK_INT(p.op, OP_RST);
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

TEST("a close with unread bytes in the client's socket is a close all the same")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	guest_says(host, 5, "unread", 6);
	fake_write(f, fd, "last", 4);
	close(fd);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RW && p.len == 4);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_ALL);
	fake_free(f);
}

TEST("a reset for a connection that isn't there is never answered")
{
	f = fake_up();
	for (uint32_t i = 0; i < 100; i++)
		fake_op(f, OP_RST, i, i);
	CHECK(nothing_for_guest());
	fake_free(f);
}

TEST("any other stray packet is answered with RST for exactly its ports")
{
	static const enum packet_op ops[] = {OP_RESPONSE, OP_SHUTDOWN, OP_RW, OP_CREDIT_UPDATE, OP_CREDIT_REQUEST, 0, 99};

	f = fake_up();
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		fake_op(f, ops[i], 11, 22);
		CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST && p.src_port == 11 && p.dst_port == 22 && p.len == 0);
		CHECK(nothing_for_guest());
	}
	fake_free(f);
}

TEST("packets for another CID, or from one, are dropped without a word")
{
	f = fake_up();
	struct packet q = fake_packet(OP_REQUEST, 1, 1);
	q.dst_cid = 3;
	fake_send(f, &q, NULL);
	q = fake_packet(OP_REQUEST, 1, 1);
	q.src_cid = FAKE_CID + 1;
	fake_send(f, &q, NULL);
	CHECK(nothing_for_guest());
	fake_free(f);
}

TEST("a type that isn't stream is reset with the same type")
{
	f = fake_up();
	struct packet q = fake_packet(OP_REQUEST, 1, 1);
	q.type = 2;
	fake_send(f, &q, NULL);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST && p.type == 2);
	fake_free(f);
}

TEST("packets that don't fit a connection's state end it with RST")
{
	static const enum packet_op ops[] = {OP_REQUEST, OP_RESPONSE, 0, 99};
	uint32_t host;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		f = fake_up();
		int fd = fake_open(f, 5, &host);
		fake_op(f, ops[i], host, 5);
		CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
		CHECK_INT(fake_read(f, fd, b, 100), 0);
		close(fd);
		fake_free(f);
	}
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\n", 10);
	CHECK(fake_recv(f, &p, NULL));
	guest_says(p.src_port, 5, "early", 5);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	close(fd);
	fake_free(f);
}

TEST("bytes after the guest's own shutdown end the connection")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	guest_shuts(host, 5, SHUT_NO_SEND);
	guest_says(host, 5, "x", 1);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
	close(fd);
	fake_free(f);
}

TEST("a guest can't guess the answer to a request that it hasn't been sent")
{
	f = fake_new();
	fake_driver(f, 0); // gives no buffer
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\n", 10);
	fake_op(f, OP_RESPONSE, HOST_PORT_MIN, 5);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	close(fd);
	fake_free(f);
}

TEST("ten thousand strays from a guest that gives no buffers cost a bounded queue")
{
	f = fake_new();
	fake_driver(f, 0);
	for (uint32_t i = 0; i < 10000; i++)
		fake_op(f, OP_RW, i, i);
	CHECK_INT(f->device.mux.reset_count, RST_QUEUE);
	CHECK_INT(f->alive, 1);
	fake_free(f);
}

int main(void)
{
	return test_main();
}
