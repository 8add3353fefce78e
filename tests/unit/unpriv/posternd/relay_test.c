// LINK: unpriv/posternd/relay.o unpriv/posternd/hybrid.o unpriv/posternd/unix_connect.o unpriv/posternd/agent.o unpriv/posternd/qmp.o unpriv/common/guestwire.o
// LINK: unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/guest.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -levent_core -ljansson
// Bytes between two sockets, the hybrid vsock handshake, and short calls to an agent; the VM's side is played here on a Unix socket.
#include "unpriv/posternd/relay.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/common/guestwire.h"
#include "unpriv/posternd/agent.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/hybrid.h"
#include "unpriv/posternd/qmp.h"

static struct event_base *base;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// ---- relay ----
static int ended;
static int a[2], b[2]; // [0] is ours, [1] the relay's

static void on_ended(void *arg)
{
	(void)arg;
	ended++;
}

static struct relay *start(void)
{
	base = event_base_new();
	ended = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, a) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b) != 0)
		abort();
	return relay_create(base, a[1], b[1], on_ended, NULL);
}

static void turn(int n)
{
	while (n-- > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void finish(void)
{
	close(a[0]);
	close(b[0]);
	event_base_free(base);
}

TEST("five megabytes go through each way at once, bit for bit")
{
	struct relay *r = start();
	size_t sent[2] = {0, 0}, got[2] = {0, 0}, all = 5u << 20;
	int fd[2] = {a[0], b[0]};
	bool right = true;

	while (got[0] < all || got[1] < all) {
		unsigned char buf[30000];
		for (int i = 0; i < 2; i++) {
			size_t n = sizeof(buf) < all - sent[i] ? sizeof(buf) : all - sent[i];
			for (size_t k = 0; k < n; k++)
				buf[k] = (unsigned char)((sent[i] + k) * 7 + (size_t)i);
			ssize_t w = n > 0 ? write(fd[i], buf, n) : 0;
			sent[i] += w > 0 ? (size_t)w : 0;
		}
		turn(3);
		for (int i = 0; i < 2; i++) {
			ssize_t n = read(fd[1 - i], buf, sizeof(buf));
			for (ssize_t k = 0; k < n; k++)
				right = right && buf[k] == (unsigned char)((got[i] + (size_t)k) * 7 + (size_t)i);
			got[i] += n > 0 ? (size_t)n : 0;
		}
	}
	CHECK(right);
	relay_destroy(r);
	finish();
}

TEST("a side that doesn't read stops the other's writing, and the other direction goes on")
{
	struct relay *r = start();
	char buf[65536] = {0}, c;
	size_t taken = 0;
	ssize_t n;

	for (int idle = 0; idle < 20;) {
		n = write(a[0], buf, sizeof(buf));
		taken += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		turn(2);
	}
	CHECK(taken < 4u << 20);
	CHECK(write(b[0], "x", 1) == 1);
	turn(3);
	CHECK(read(a[0], &c, 1) == 1 && c == 'x');
	relay_destroy(r);
	finish();
}

TEST("what was sent before an end of file still arrives, and then the relay ends once")
{
	struct relay *r = start();
	char buf[16];

	(void)r;
	CHECK(write(a[0], "last words", 10) == 10);
	shutdown(a[0], SHUT_WR);
	turn(5);
	CHECK(read(b[0], buf, sizeof(buf)) == 10);
	CHECK(read(b[0], buf, sizeof(buf)) == 0);
	CHECK_INT(ended, 1);
	finish();
}

TEST("a peer that is gone ends the relay")
{
	start();
	close(b[0]);
	CHECK(write(a[0], "x", 1) == 1);
	turn(5);
	CHECK_INT(ended, 1);
	b[0] = dup(0);
	finish();
}

// ---- the VM's side ----
static char path[64];
static int listener, o_path, guest_fd;
static struct event *accept_event;
static int drops;          // connections to hang up on before OK
static const char *answer; // what is written to the others, byte by byte
static char asked[64];

static void on_guest(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	guest_fd = accept((int)fd, NULL, NULL);
	ssize_t n = recv(guest_fd, asked, sizeof(asked) - 1, 0);
	asked[n > 0 ? n : 0] = '\0';
	if (drops-- > 0) {
		close(guest_fd);
		guest_fd = -1;
	} else if (answer != NULL && write(guest_fd, answer, strlen(answer)) < 0)
		abort();
}

static void serve(int drop, const char *ok)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	base = event_base_new();
	snprintf(path, sizeof(path), "/tmp/postern-hybrid-%d", (int)getpid());
	unlink(path);
	strcpy(addr.sun_path, path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listener, 8) != 0)
		abort();
	o_path = open(path, O_PATH | O_CLOEXEC);
	drops = drop;
	answer = ok;
	guest_fd = -1;
	accept_event = event_new(base, listener, EV_READ | EV_PERSIST, on_guest, NULL);
	event_add(accept_event, NULL);
}

static void unserve(void)
{
	event_free(accept_event);
	close(listener);
	close(o_path);
	if (guest_fd >= 0)
		close(guest_fd);
	unlink(path);
	event_base_free(base);
}

static int connected_fd, results;
static bool last_ok;

static void on_connected(void *arg, int fd, const char *why)
{
	(void)arg;
	(void)why;
	connected_fd = fd;
	results++;
	event_base_loopbreak(base);
}

TEST("CONNECT goes out in one piece, OK is read and not one byte more")
{
	char buf[16];

	serve(0, "OK 1073741824\nguest");
	results = 0;
	CHECK(hybrid_connect(base, o_path, 1024, 2000, on_connected, NULL) != NULL);
	CHECK_INT(results, 0);
	event_base_dispatch(base);
	CHECK_STR(asked, "CONNECT 1024\n");
	CHECK(connected_fd >= 0);
	CHECK(read(connected_fd, buf, sizeof(buf)) == 5 && memcmp(buf, "guest", 5) == 0);
	close(connected_fd);
	unserve();
}

TEST("a guest that doesn't listen yet is tried again")
{
	serve(2, "OK 1\n");
	results = 0;
	hybrid_connect(base, o_path, 1024, 3000, on_connected, NULL);
	event_base_dispatch(base);
	CHECK(results == 1 && connected_fd >= 0 && drops == -1);
	close(connected_fd);
	unserve();
}

TEST("a guest that never answers, and one that answers nonsense, end at the deadline")
{
	const char *const answers[] = {NULL, "HELLO\n", "OK without end OK without end OK without end"};

	for (size_t i = 0; i < 3; i++) {
		serve(0, answers[i]);
		results = 0;
		hybrid_connect(base, o_path, 1024, 250, on_connected, NULL);
		event_base_dispatch(base);
		CHECK(results == 1 && connected_fd == -1);
		unserve();
	}
}

TEST("a name that is swapped after the grant isn't followed")
{
	int other;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	serve(0, "OK 1\n");
	unlink(path);
	strcpy(addr.sun_path, path);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(other, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(other, 1) == 0);
	results = 0;
	hybrid_connect(base, o_path, 1024, 1000, on_connected, NULL);
	event_base_dispatch(base);
	CHECK(connected_fd >= 0); // the socket that was granted, not the one of that name now
	close(connected_fd);
	close(other);
	unserve();
}

static void on_agent(void *arg, bool ok, const char *why)
{
	(void)arg;
	(void)why;
	last_ok = ok;
	results++;
	event_base_loopbreak(base);
}

static void on_guest_raw(evutil_socket_t fd, short what, void *arg)
{
	struct mp_out o;
	uint8_t bytes[256];
	struct msg hello = {.id = MSG_hello}, m = {.id = *(enum msg_id *)arg};
	char line[64];

	(void)what;
	guest_fd = accept((int)fd, NULL, NULL);
	if (recv(guest_fd, line, sizeof(line), 0) <= 0)
		return;
	memcpy(bytes, "OK 1\n", 5);
	o = (struct mp_out){.buf = bytes, .cap = sizeof(bytes), .len = 5};
	hello.hello.version = GUEST_PROTOCOL;
	if (m.id == MSG_healthy)
		m.healthy.agent = (struct mp_slice){(const uint8_t *)"x", 1};
	if (m.id == MSG_error)
		m.error.what = (struct mp_slice){(const uint8_t *)"no", 2};
	if (m.id == MSG_started)
		m.started.pid = 1;
	msg_write(&o, &hello);
	msg_write(&o, &m);
	if (write(guest_fd, bytes, o.len) < 0)
		abort();
}

static bool agent_answers(enum msg_id id)
{
	struct msg m = {.id = MSG_health};

	serve(0, NULL);
	event_free(accept_event);
	accept_event = event_new(base, listener, EV_READ | EV_PERSIST, on_guest_raw, &id);
	event_add(accept_event, NULL);
	results = 0;
	last_ok = false;
	agent_ask(base, o_path, &m, 400, on_agent, NULL);
	event_base_dispatch(base);
	unserve();
	return results == 1 && last_ok;
}

TEST("an agent that answers healthy or done is well, one that says error or anything else isn't")
{
	CHECK(agent_answers(MSG_healthy));
	CHECK(agent_answers(MSG_done));
	CHECK(!agent_answers(MSG_error));
	CHECK(!agent_answers(MSG_started));
}

// ---- a guest, or a VMM, that talks for ever and never answers ----

static struct event *chatter;
static const char *chat;
static size_t chat_len, chat_at, chat_step; // bytes: of all, sent, of one go

static void on_chatter(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (guest_fd >= 0)
		(void)!send(guest_fd, chat + chat_at, chat_step, MSG_NOSIGNAL | MSG_DONTWAIT);
	chat_at = (chat_at + chat_step) % chat_len;
}

static void on_chat_begins(evutil_socket_t fd, short what, void *arg)
{
	char line[64];

	(void)what;
	guest_fd = accept((int)fd, NULL, NULL);
	if (arg != NULL && recv(guest_fd, line, sizeof(line), 0) > 0 && send(guest_fd, "OK 1\n", 5, MSG_NOSIGNAL) != 5)
		abort();
	event_add(chatter, &(struct timeval){.tv_usec = 20000});
}

// Milliseconds until the call that `ask` makes gave up, while chat comes every 20 ms; -1 where it succeeded or never ended.
static int64_t gives_up(const void *words, size_t n, size_t step, bool hybrid, void (*ask)(void))
{
	uint64_t began;

	chat = words;
	chat_len = n;
	chat_at = 0;
	chat_step = step;
	guest_fd = -1;
	serve(0, NULL);
	event_free(accept_event);
	accept_event = event_new(base, listener, EV_READ | EV_PERSIST, on_chat_begins, hybrid ? &chat : NULL);
	event_add(accept_event, NULL);
	chatter = event_new(base, -1, EV_PERSIST, on_chatter, NULL);
	results = 0;
	last_ok = false;
	began = now_ns();
	ask();
	event_base_loopexit(base, &(struct timeval){.tv_sec = 3});
	event_base_dispatch(base);
	event_free(chatter);
	unserve();
	return results == 1 && !last_ok ? (int64_t)((now_ns() - began) / 1000000) : -1;
}

static void ask_health(void)
{
	agent_ask(base, o_path, &(struct msg){.id = MSG_health}, 300, on_agent, NULL);
}

static void on_qmp(void *arg, bool ok, const char *status, const char *why)
{
	(void)status;
	on_agent(arg, ok, why);
}

static void ask_status(void)
{
	if (qmp_ask(base, o_path, "query-status", 300, on_qmp, NULL) == NULL)
		abort();
}

TEST("a guest's agent that answers byte by byte, for ever, is given up at the deadline")
{
	static const uint8_t words[256] = "no";
	struct msg hello = {.id = MSG_hello, .hello.version = GUEST_PROTOCOL}, no = {.id = MSG_error, .error.what = {words, sizeof(words)}};
	uint8_t bytes[512];
	struct mp_out o = {.buf = bytes, .cap = sizeof(bytes)};
	int64_t ms;

	msg_write(&o, &hello);
	msg_write(&o, &no);
	ms = gives_up(bytes, o.len, 1, true, ask_health);
	CHECK(ms >= 250 && ms < 2000);
}

TEST("a VMM that sends events for ever and never answers is given up at the deadline")
{
	static const char event[] = "{\"event\":\"STOP\"}\n";
	int64_t ms = gives_up(event, sizeof(event) - 1, sizeof(event) - 1, false, ask_status);

	CHECK(ms >= 250 && ms < 2000);
}

int main(void)
{
	return test_main();
}
