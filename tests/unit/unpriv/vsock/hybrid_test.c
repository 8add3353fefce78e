// LINK: unpriv/vsock/device.o unpriv/vsock/turn.o unpriv/vsock/mux.o unpriv/vsock/from_guest.o unpriv/vsock/to_guest.o unpriv/vsock/hostsock.o
// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o unpriv/vsock/ring.o unpriv/vsock/memtable.o unpriv/vsock/packet.o unpriv/vsock/vumsg.o
// Connections between host clients and a fake guest: the hybrid protocol, credit, half-closes, resets, deadlines.
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

// A host listener for guest-initiated connections to `port`.
static int listener(uint32_t port, char *name, size_t size)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(name, size, "%s_%u", f->name, port);
	memcpy(at.sun_path, name, strlen(name));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1) < 0)
		abort();
	return fd;
}

// ---- the CONNECT line ----

TEST("OK comes only after the guest's RESPONSE")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 1024\n", 13);
	CHECK(fake_recv(f, &p, NULL));
	CHECK_INT(p.op, OP_REQUEST);
	CHECK_INT(p.buf_alloc, WINDOW_LARGE);
	CHECK_INT(fake_read(f, fd, b, 100), -1);
	fake_op(f, OP_RESPONSE, p.src_port, 1024);
	CHECK_INT(fake_read(f, fd, b, 100), snprintf(b + 100, 100, "OK %u\n", p.src_port));
	CHECK(memcmp(b, b + 100, strlen(b + 100)) == 0);
	close(fd);
	fake_free(f);
}

TEST("a CONNECT line is taken in any pieces, any case and with a carriage return")
{
	static const char *const lines[] = {"connect 9\n", "CONNECT 9\r\n", "Connect \t9 \n"};

	for (size_t i = 0; i < 3; i++) {
		f = fake_up();
		int fd = fake_client(f);
		for (const char *c = lines[i]; *c != '\0'; c++)
			fake_write(f, fd, c, 1);
		CHECK(fake_recv(f, &p, NULL) && p.op == OP_REQUEST && p.dst_port == 9);
		close(fd);
		fake_free(f);
	}
}

TEST("lines that aren't CONNECT end the client and ask the guest nothing")
{
	static const char *const lines[] = {"CONNECT\n",       "CONNECT \n",    "CONNECT x\n", "CONNECT -1\n", "CONNECT 4294967296\n", "CONNECT 99999999999999\n",
					    "CONNECT 1 2\n",   "CONNECT1024\n", "GET / HTTP\n", "\n",           " CONNECT 1\n",         "CONNECT 1024 ....................."};

	f = fake_up();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd = fake_client(f);
		fake_write(f, fd, lines[i], strlen(lines[i]));
		int n = fake_read(f, fd, b, 100);
		CHECK(n == 0 || n == -2); // the latter when bytes behind the 32 were unread
		close(fd);
	}
	CHECK(nothing_for_guest());
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

TEST("a NUL in the line doesn't hide what follows it")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 1024\0x\n", 15);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	close(fd);
	fake_free(f);
}

TEST("the highest port is 4294967295")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 4294967295\n", 19);
	CHECK(fake_recv(f, &p, NULL) && p.dst_port == UINT32_MAX);
	close(fd);
	fake_free(f);
}

TEST("bytes behind the line wait for the guest's answer and then arrive")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\nfirst", 15);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_REQUEST);
	CHECK(nothing_for_guest());
	fake_op(f, OP_RESPONSE, p.src_port, 5);
	CHECK(fake_recv(f, &p, b) && p.op == OP_RW && p.len == 5 && memcmp(b, "first", 5) == 0);
	close(fd);
	fake_free(f);
}

TEST("a client that closed before OK still delivers its bytes, and the guest hears of the close after them")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\nfirst", 15);
	close(fd);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_REQUEST);
	fake_op(f, OP_RESPONSE, p.src_port, 5);
	CHECK(fake_recv(f, &p, b) && p.op == OP_RW && p.len == 5);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_SHUTDOWN && p.flags == SHUT_ALL);
	fake_op(f, OP_RST, p.src_port, 5);
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

TEST("a refusing guest gives end of file, and its RST isn't answered")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\n", 10);
	CHECK(fake_recv(f, &p, NULL));
	fake_op(f, OP_RST, p.src_port, 5);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	CHECK(nothing_for_guest());
	CHECK_INT(in_use(), 0);
	close(fd);
	fake_free(f);
}

TEST("a guest that never answers costs the client the deadline and gets RST")
{
	f = fake_up();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\n", 10);
	CHECK(fake_recv(f, &p, NULL));
	later(CONNECT_DEADLINE_MS - 1);
	CHECK_INT(fake_read(f, fd, b, 100), -1);
	CHECK_INT(mux_timeout(&f->device.mux), 1);
	later(1);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST && p.dst_port == 5);
	fake_op(f, OP_RESPONSE, p.src_port, 5);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
	CHECK_INT(mux_timeout(&f->device.mux), -1);
	close(fd);
	fake_free(f);
}

TEST("a driver that never comes up costs the client the deadline, and is told nothing later")
{
	f = fake_new();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 5\n", 10);
	later(CONNECT_DEADLINE_MS);
	CHECK_INT(fake_read(f, fd, b, 100), 0);
	fake_driver(f, 8);
	CHECK(nothing_for_guest());
	close(fd);
	fake_free(f);
}

TEST("client 1024 gets end of file while 1023 are served, and is served when one left")
{
	static int fd[TABLE_CONNS];

	f = fake_up();
	for (unsigned i = 0; i < TABLE_CONNS; i++)
		fd[i] = fake_client(f);
	CHECK_INT(in_use(), TABLE_CONNS);
	int more = fake_client(f);
	CHECK_INT(fake_read(f, more, b, 1), 0);
	close(more);
	close(fd[0]);
	fake_pump(f);
	more = fake_client(f);
	CHECK_INT(fake_read(f, more, b, 1), -1);
	close(more);
	for (unsigned i = 1; i < TABLE_CONNS; i++)
		close(fd[i]);
	fake_pump(f);
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

// ---- bytes and credit ----

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

// ---- closes ----

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

// ---- what a guest must not say ----

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

// ---- connections from the guest ----

TEST("a guest's REQUEST connects to the host's <name>_<port>, and is answered")
{
	char name[128];

	f = fake_up();
	int at = listener(700, name, sizeof(name));
	fake_op(f, OP_REQUEST, 700, 33);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RESPONSE && p.src_port == 700 && p.dst_port == 33);
	int fd = accept4(at, NULL, NULL, SOCK_NONBLOCK);
	CHECK(fd >= 0);
	guest_says(700, 33, "hi", 2);
	CHECK_INT(fake_read(f, fd, b, 100), 2);
	fake_write(f, fd, "you", 3);
	CHECK(fake_recv(f, &p, b) && p.op == OP_RW && p.len == 3);
	fake_op(f, OP_REQUEST, 700, 33);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
	CHECK_INT(in_use(), 0);
	close(fd);
	close(at);
	unlink(name);
	fake_free(f);
}

TEST("a REQUEST that no one listens for is refused with RST")
{
	f = fake_up();
	fake_op(f, OP_REQUEST, 701, 33);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST && p.src_port == 701);
	CHECK_INT(in_use(), 0);
	fake_free(f);
}

TEST("a full backlog on the host refuses the guest at once")
{
	char name[128];

	f = fake_up();
	int at = listener(702, name, sizeof(name));
	uint32_t guest = 0;
	do
		fake_op(f, OP_REQUEST, 702, ++guest);
	while (fake_recv(f, &p, NULL) && p.op == OP_RESPONSE && guest < 10);
	CHECK_INT(p.op, OP_RST);
	close(at);
	unlink(name);
	fake_free(f);
}

TEST("a guest can't connect out when the table is full")
{
	static int fd[TABLE_CONNS];
	char name[128];

	f = fake_up();
	int at = listener(703, name, sizeof(name));
	for (unsigned i = 0; i < TABLE_CONNS; i++)
		fd[i] = fake_client(f);
	fake_op(f, OP_REQUEST, 703, 1);
	CHECK(fake_recv(f, &p, NULL) && p.op == OP_RST);
	for (unsigned i = 0; i < TABLE_CONNS; i++)
		close(fd[i]);
	close(at);
	unlink(name);
	fake_free(f);
}

int main(void)
{
	return test_main();
}
