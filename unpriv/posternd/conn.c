// Reading and writing of client connections. See conn.h.
//
// libevent's bufferevents would cost an ioctl and two epoll_ctl calls for each request; here a request
// that fits one read and whose answer fits the socket costs epoll_wait, recv and send.
#include "unpriv/posternd/conn.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/http.h"
#include "unpriv/posternd/line.h"

enum {
	READ_BYTES = 65536,
	OUT_HIGH_BYTES = 1 << 20, // unread output at which a client's further requests wait
	PENDING_MAX = 64,         // unanswered messages of one connection
	KEEP_BYTES = 16384,       // buffers larger than this are given back when empty
	LINGER_SECS = 2,
	SWEEP_SECS = 1,
};
#define NS_PER_SEC 1000000000ULL

static TAILQ_HEAD(conns, conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static unsigned count;
static uint64_t last_serial;
static struct event *sweeper;

uint64_t conn_last_serial(void)
{
	return last_serial;
}

unsigned conn_count(void)
{
	return count;
}

unsigned conn_count_of(uid_t uid)
{
	unsigned n = 0;
	struct conn *c;
	TAILQ_FOREACH(c, &conns, link)
	n += c->peer.uid == uid;
	return n;
}

static void conn_destroy(struct conn *c)
{
	log_debug("connection closed", "fd=%d uid=%u", c->fd, c->peer.uid);
	TAILQ_REMOVE(&conns, c, link);
	count--;
	exchanges_abandon(c);
	event_free(c->read_event);
	event_free(c->write_event);
	close(c->fd);
	text_finish(&c->in);
	text_finish(&c->out);
	free(c);
}

static size_t unsent(const struct conn *c)
{
	return c->out.len - c->sent;
}

void conn_caller(struct conn *c, struct caller *out)
{
	const struct acl *acl = daemon_acl();
	if (c->caller.generation != access_generation(acl))
		access_peer_caller(acl, &c->peer, &c->caller);
	*out = c->caller;
}

bool conn_is_full(const struct conn *c)
{
	return c->pending >= PENDING_MAX || unsent(c) >= OUT_HIGH_BYTES || c->state != CONN_OPEN || c->deaf;
}

// Arms or disarms an event, but calls epoll only on a change.
static void set_event(struct event *e, bool *armed, bool wanted)
{
	if (*armed == wanted)
		return;
	*armed = wanted;
	if (wanted)
		event_add(e, NULL);
	else
		event_del(e);
}

static void set_events(struct conn *c)
{
	bool draining = c->state == CONN_DRAINING;
	set_event(c->read_event, &c->reading, draining || (!conn_is_full(c) && !c->peer_done));
	set_event(c->write_event, &c->writing, unsent(c) > 0);
}

// Writes what the socket takes; false if the connection is broken.
static bool write_out(struct conn *c)
{
	while (unsent(c)) {
		ssize_t n = send(c->fd, c->out.at + c->sent, unsent(c), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)n;
		c->active_ns = now_ns();
	}
	c->sent = 0;
	text_clear(&c->out, KEEP_BYTES);
	return true;
}

void conn_deafen(struct conn *c)
{
	c->deaf = true;
}

// All is written and nothing more will come out: tell the peer, and wait for it to have read.
static void begin_draining(struct conn *c)
{
	c->state = CONN_DRAINING;
	c->active_ns = now_ns();
	shutdown(c->fd, SHUT_WR);
}

static const struct framing *framing_for(char first)
{
	return first == '{' || first == '[' ? &line_framing : &http_framing;
}

// Hands all of `in` to the framing; what it leaves stays in `in`.
static size_t run_framing(struct conn *c, char *in, size_t len)
{
	size_t used = 0;
	c->handling = true;
	if (c->framing == NULL)
		c->framing = framing_for(in[0]);
	if (c->refused) {
		c->framing->refuse(c, "too many connections of this uid");
		conn_deafen(c);
	} else {
		used = c->framing->input(c, in, len);
	}
	c->handling = false;
	if (c->deaf)
		used = len;
	c->held = used < len && conn_is_full(c);
	if (used == len)
		c->message_since_ns = 0;
	else if (used || c->message_since_ns == 0)
		c->message_since_ns = c->active_ns;
	return used;
}

// New bytes. Mostly they are whole messages and nothing is kept.
static void feed(struct conn *c, char *in, size_t len)
{
	if (c->in.len == 0) {
		size_t used = run_framing(c, in, len);
		text_add(&c->in, in + used, len - used);
		return;
	}
	text_add(&c->in, in, len);
	text_drop(&c->in, run_framing(c, c->in.at, c->in.len));
	if (c->in.len == 0)
		text_clear(&c->in, 0);
}

// Messages that waited while the connection was full.
static void feed_held(struct conn *c)
{
	text_drop(&c->in, run_framing(c, c->in.at, c->in.len));
	if (c->in.len == 0)
		text_clear(&c->in, 0);
}

// Writes, and goes on with an answer that goes on until the socket is full.
static bool write_all(struct conn *c)
{
	bool fine = write_out(c);
	while (fine && unsent(c) == 0 && c->framing && c->framing->refill && c->framing->refill(c))
		fine = write_out(c);
	return fine;
}

// After anything happened: write, take what was held, decide on closing, arm events. May destroy c.
static void settle(struct conn *c)
{
	bool fine = write_all(c);
	while (fine && c->held && !conn_is_full(c)) {
		feed_held(c);
		fine = write_all(c);
	}
	bool idle = c->pending == 0 && unsent(c) == 0;
	if (!fine || (c->peer_done && idle && !c->held)) {
		conn_destroy(c);
		return;
	}
	if (idle && c->deaf && c->state == CONN_OPEN)
		begin_draining(c);
	set_events(c);
}

void conn_flush(struct conn *c)
{
	if (!c->handling)
		settle(c);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	static char buffer[READ_BYTES];
	struct conn *c = arg;
	(void)what;
	ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->state == CONN_DRAINING)) {
		conn_destroy(c);
		return;
	}
	if (c->state == CONN_DRAINING)
		return;
	c->active_ns = now_ns();
	if (n > 0) {
		feed(c, buffer, (size_t)n);
	} else {
		c->peer_done = true; // half a message will never be whole; whole ones are still answered
		if (c->framing == &line_framing && c->in.len)
			feed(c, (char[]){'\n'}, 1); // the end of the stream ends the last line too
	}
	settle(c);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	settle(arg);
}

// Why a connection has to go now, or NULL.
static const char *overdue(const struct conn *c, uint64_t now, uint64_t idle_ns)
{
	if (c->state == CONN_DRAINING)
		return now - c->active_ns > LINGER_SECS * NS_PER_SEC ? "lingered" : NULL;
	if (c->message_since_ns && !conn_is_full(c))
		return now - c->message_since_ns > idle_ns ? "a message took longer than the idle timeout" : NULL;
	if (c->pending && !unsent(c))
		return NULL;
	return now - c->active_ns > idle_ns ? "idle" : NULL;
}

static void end_overdue(struct conn *c, const char *why)
{
	log_debug("connection timed out", "fd=%d uid=%u why=%s", c->fd, c->peer.uid, why);
	if (c->state == CONN_DRAINING || c->message_since_ns == 0 || unsent(c)) {
		conn_destroy(c);
		return;
	}
	c->handling = true;
	c->framing->refuse(c, why);
	c->handling = false;
	text_finish(&c->in);
	c->message_since_ns = 0;
	conn_deafen(c);
	settle(c);
}

static void sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	uint64_t now = now_ns();
	uint64_t idle_ns = (uint64_t)daemon_config()->idle_timeout_secs * NS_PER_SEC;
	struct conn *c = TAILQ_FIRST(&conns), *next;
	for (; c; c = next) {
		next = TAILQ_NEXT(c, link);
		const char *why = overdue(c, now, idle_ns);
		if (why)
			end_overdue(c, why);
	}
}

bool conns_init(void)
{
	sweeper = event_new(daemon_base(), -1, EV_PERSIST, sweep, NULL);
	return sweeper && event_add(sweeper, &(struct timeval){.tv_sec = SWEEP_SECS}) == 0;
}

void conn_create(int fd, const struct peer *peer, bool refused)
{
	struct conn *c = xcalloc(1, sizeof *c);
	c->fd = fd;
	c->serial = ++last_serial;
	c->peer = *peer;
	c->refused = refused;
	c->active_ns = now_ns();
	TAILQ_INIT(&c->exchanges);
	c->read_event = event_new(daemon_base(), fd, EV_READ | EV_PERSIST, on_read, c);
	c->write_event = event_new(daemon_base(), fd, EV_WRITE | EV_PERSIST, on_write, c);
	TAILQ_INSERT_TAIL(&conns, c, link);
	count++;
	set_events(c);
}

void conns_finish(void)
{
	while (!TAILQ_EMPTY(&conns))
		conn_destroy(TAILQ_FIRST(&conns));
	if (sweeper)
		event_free(sweeper);
	sweeper = NULL;
}
