// See agent.h.  An agent may be restarting just now: a connection that ends before the answer is made again until the deadline.
#include "unpriv/posternd/agent.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unpriv/common/guestwire.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/hybrid.h"
#include "unpriv/posternd/mem.h"

struct agent_call {
	struct event_base *base;
	int o_path, fd;
	struct msg m;
	uint64_t deadline_ns;
	struct hybrid *hybrid;
	struct event *io;
	agent_cb *done;
	void *arg;
	struct guestwire_in in;
	struct guestwire_out out;
};

static void forget_socket(struct agent_call *c)
{
	if (c->io != NULL)
		event_free(c->io);
	c->io = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void agent_cancel(struct agent_call *c)
{
	if (c == NULL)
		return;
	forget_socket(c);
	hybrid_cancel(c->hybrid);
	close(c->o_path);
	free(c);
}

static void finish(struct agent_call *c, bool ok, const char *why)
{
	agent_cb *done = c->done;
	void *arg = c->arg;

	agent_cancel(c);
	done(arg, ok, why);
}

static void on_connected(void *arg, int fd, const char *why);

static int64_t left_ms(const struct agent_call *c)
{
	uint64_t now = now_ns();

	return now < c->deadline_ns ? (int64_t)((c->deadline_ns - now) / 1000000) + 1 : 0;
}

static void connect_again(struct agent_call *c, const char *why)
{
	forget_socket(c);
	if (left_ms(c) > HYBRID_RETRY_MS)
		c->hybrid = hybrid_connect(c->base, c->o_path, GUEST_PORT, left_ms(c), on_connected, c);
	if (c->hybrid == NULL)
		finish(c, false, why);
}

// True when the call is over.
static bool take(struct agent_call *c, const struct msg *m)
{
	char text[300];

	switch ((int)m->id) {
	case MSG_hello: return false;
	case MSG_healthy:
	case MSG_done: finish(c, true, NULL); return true;
	case MSG_error:
		snprintf(text, sizeof(text), "the guest says: %.*s", (int)m->error.what.len, (const char *)m->error.what.p);
		finish(c, false, text);
		return true;
	default: finish(c, false, "the guest's agent answers something else"); return true;
	}
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct agent_call *c = arg;
	struct wire_error err;
	struct msg m;
	ssize_t n;

	if ((what & EV_TIMEOUT) != 0 || left_ms(c) == 0) { // the timeout counts from the last byte: a guest that talks for ever must not move it
		finish(c, false, "the guest's agent doesn't answer");
		return;
	}
	if (guestwire_pending(&c->out) > 0 && guestwire_flush(&c->out, (int)fd) < 0 && errno != EAGAIN) {
		connect_again(c, "the connection to the guest's agent ended");
		return;
	}
	n = guestwire_fill(&c->in, (int)fd);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		connect_again(c, "the guest's agent hung up");
		return;
	}
	for (;;) {
		enum guestwire_status s = guestwire_next(&c->in, &m, &err);
		if (s == GUESTWIRE_MORE)
			return;
		if (s == GUESTWIRE_BAD) {
			finish(c, false, "the guest's agent breaks the protocol");
			return;
		}
		if (take(c, &m))
			return;
	}
}

static void on_connected(void *arg, int fd, const char *why)
{
	struct agent_call *c = arg;
	struct timeval late;

	c->hybrid = NULL;
	if (fd < 0) {
		finish(c, false, why);
		return;
	}
	c->fd = fd;
	guestwire_in_init(&c->in);
	guestwire_out_init(&c->out, NULL);
	guestwire_put(&c->out, &c->m);
	late = (struct timeval){.tv_sec = left_ms(c) / 1000, .tv_usec = left_ms(c) % 1000 * 1000 + 1};
	c->io = event_new(c->base, fd, EV_READ | EV_PERSIST, on_io, c);
	if (c->io == NULL || event_add(c->io, &late) != 0 || guestwire_flush(&c->out, fd) < 0)
		connect_again(c, "the connection to the guest's agent ended");
}

struct agent_call *agent_ask(struct event_base *base, int vsock_o_path, const struct msg *m, int64_t deadline_ms, agent_cb *done, void *arg)
{
	struct agent_call *c = xcalloc(1, sizeof(*c));

	c->base = base;
	c->fd = -1;
	c->m = *m;
	c->deadline_ns = now_ns() + (uint64_t)deadline_ms * 1000000;
	c->done = done;
	c->arg = arg;
	c->o_path = fcntl(vsock_o_path, F_DUPFD_CLOEXEC, 3);
	if (c->o_path >= 0)
		c->hybrid = hybrid_connect(base, c->o_path, GUEST_PORT, deadline_ms, on_connected, c);
	if (c->hybrid != NULL)
		return c;
	if (c->o_path >= 0)
		close(c->o_path);
	free(c);
	return NULL;
}
