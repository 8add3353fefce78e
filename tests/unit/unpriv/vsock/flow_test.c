// LINK: unpriv/vsock/device.o unpriv/vsock/turn.o unpriv/vsock/mux.o unpriv/vsock/from_guest.o unpriv/vsock/to_guest.o unpriv/vsock/hostsock.o
// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o unpriv/vsock/ring.o unpriv/vsock/memtable.o unpriv/vsock/packet.o unpriv/vsock/vumsg.o
// Bytes and credit between host clients and a fake guest.
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

static bool nothing_for_guest(void)
{
	struct packet any;

	return !fake_recv(f, &any, NULL);
}

TEST("a payload in one descriptor with its header, or in many small ones, arrives whole")
{
	static const uint32_t cuts[] = {0, 100000, 1500, 44, 43, 1000};
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	for (size_t i = 0; i < 2000; i++)
		b[i] = (char)(i * 31 >> 2);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct packet rw = fake_packet(OP_RW, host, 5);
		rw.len = 2000;
		fake_send_cut(f, &rw, b, cuts[i]);
		CHECK_INT(fake_read(f, fd, b + 10000, 3000), 2000);
		CHECK(memcmp(b, b + 10000, 2000) == 0);
	}
	struct packet rw = fake_packet(OP_RW, host, 5);
	rw.len = 16;
	fake_send_cut(f, &rw, b, 1);
	CHECK_INT(fake_read(f, fd, b + 10000, 3000), 16);
	close(fd);
	fake_free(f);
}

TEST("a header that claims more bytes than the chain holds ends the connection")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	struct packet rw = fake_packet(OP_RW, host, 5);
	rw.len = 10;
	fake_send(f, &rw, "0123456789");
	CHECK_INT(fake_read(f, fd, b, 100), 10);
	fake_desc(f, QUEUE_TX)[1].len = 9;
	fake_avail(f, QUEUE_TX)->ring[f->avail[QUEUE_TX]++ % FAKE_NUM] = 0;
	fake_avail(f, QUEUE_TX)->idx = f->avail[QUEUE_TX];
	fake_kick(f, QUEUE_TX);
	CHECK(fake_expect(f, OP_RST, &p));
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	close(fd);
	fake_free(f);
}

TEST("a chain shorter than a header is given back and otherwise ignored")
{
	f = fake_up();
	fake_desc(f, QUEUE_TX)[0] = (struct vring_desc){.addr = FAKE_TX_BUF, .len = 43};
	fake_avail(f, QUEUE_TX)->idx = ++f->avail[QUEUE_TX];
	fake_kick(f, QUEUE_TX);
	CHECK_INT(fake_used(f, QUEUE_TX)->idx, 1);
	CHECK(!f->device.ring[QUEUE_TX].broken);
	CHECK(nothing_for_guest());
	fake_free(f);
}

TEST("the host sends no more than the guest's credit, begs once, and goes on when there is more")
{
	uint32_t host, got = 0;

	f = fake_up();
	int fd = fake_open(f, 5, &host); // with a window of 64 KiB
	memset(b, 'q', sizeof(b));
	fake_write(f, fd, b, 70000);
	while (fake_recv(f, &p, NULL) && p.op == OP_RW)
		got += p.len;
	CHECK_INT(got, 65536);
	CHECK_INT(p.op, OP_CREDIT_REQUEST);
	CHECK(nothing_for_guest());
	struct packet more = fake_packet(OP_CREDIT_UPDATE, host, 5);
	more.fwd_cnt = 1000;
	fake_send(f, &more, NULL);
	for (got = 0; fake_recv(f, &p, NULL) && p.op == OP_RW;)
		got += p.len;
	CHECK_INT(got, 1000);
	more.fwd_cnt = 65536;
	fake_send(f, &more, NULL);
	for (got = 0; fake_recv(f, &p, NULL) && p.op == OP_RW;)
		got += p.len;
	CHECK_INT(got, 70000 - 66536);
	close(fd);
	fake_free(f);
}

TEST("a guest gets its window, not a byte more, and hears when the host has read a quarter of it")
{
	static char big[WINDOW_LARGE];
	uint32_t host;
	size_t sent = 0;
	int n;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	struct conn *c = table_find(&f->device.mux.table, host, 5);
	while (c->backlog.used + 60000 <= WINDOW_LARGE) {
		guest_says(host, 5, big, 60000);
		sent += 60000;
	}
	CHECK(c->backlog.used > 0);
	while (fake_recv(f, &p, NULL))
		CHECK_INT(p.op, OP_CREDIT_UPDATE); // for what the socket's own buffer took
	size_t told = p.fwd_cnt;
	CHECK(fake_read(f, fd, big, 8000) > 0);
	CHECK(nothing_for_guest());
	while ((n = fake_read(f, fd, big, sizeof(big))) > 0)
		;
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_CREDIT_UPDATE);
	CHECK(p.fwd_cnt >= told + WINDOW_LARGE / 4);
	CHECK_INT(c->forwarded, sent);
	close(fd);
	fake_free(f);
}

TEST("a guest that overruns its window is reset")
{
	static char big[60000];
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	struct conn *c = table_find(&f->device.mux.table, host, 5);
	while (c->backlog.used + 60000 <= WINDOW_LARGE)
		guest_says(host, 5, big, 60000);
	guest_says(host, 5, big, 60000);
	CHECK(fake_expect(f, OP_RST, &p));
	CHECK_INT(in_use(), 0);
	close(fd);
	fake_free(f);
}

TEST("a CREDIT_REQUEST is answered with the present credit")
{
	uint32_t host;

	f = fake_up();
	int fd = fake_open(f, 5, &host);
	guest_says(host, 5, "abc", 3);
	fake_op(f, OP_CREDIT_REQUEST, host, 5);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_CREDIT_UPDATE && p.fwd_cnt == 3 && p.buf_alloc == WINDOW_LARGE);
	close(fd);
	fake_free(f);
}

TEST("connections take turns at the guest's buffers")
{
	uint32_t host[2];
	unsigned turns = 0, last = 2;

	f = fake_new();
	fake_driver(f, 32);
	int fd[2] = {fake_open(f, 5, &host[0]), fake_open(f, 6, &host[1])};
	while (f->avail[QUEUE_RX] != (uint16_t)(f->seen[QUEUE_RX] + 32))
		abort();
	for (int i = 0; i < 2; i++)
		if (send(fd[i], b, 30000, MSG_DONTWAIT) != 30000)
			abort();
	while (fake_recv(f, &p, NULL)) {
		turns += p.dst_port - 5 != last;
		last = p.dst_port - 5;
	}
	CHECK(turns > 20);
	close(fd[0]);
	close(fd[1]);
	fake_free(f);
}

int main(void)
{
	return test_main();
}
