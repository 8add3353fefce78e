// LINK: unpriv/vsock/device.o unpriv/vsock/turn.o unpriv/vsock/mux.o unpriv/vsock/from_guest.o unpriv/vsock/to_guest.o unpriv/vsock/hostsock.o
// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o unpriv/vsock/ring.o unpriv/vsock/memtable.o unpriv/vsock/packet.o unpriv/vsock/vumsg.o
// The hybrid protocol: the CONNECT line of host clients, and connections from the guest.
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
	static const char *const lines[] = {
	    "CONNECT\n",     "CONNECT \n",    "CONNECT x\n",  "CONNECT -1\n", "CONNECT 4294967296\n", "CONNECT 99999999999999\n",
	    "CONNECT 1 2\n", "CONNECT1024\n", "GET / HTTP\n", "\n",           " CONNECT 1\n",         "CONNECT 1024 ....................."};

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
