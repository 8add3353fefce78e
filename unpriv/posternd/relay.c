// See relay.h.
#include "unpriv/posternd/relay.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/mem.h"

// One direction: read from `from`, written to `to`.
struct pipe {
	int from, to;
	size_t start, end; // bytes that wait
	bool eof;
	struct event *readable, *writable; // of from, of to
	char buf[RELAY_BUFFER];
};

struct relay {
	struct pipe way[2];
	void (*ended)(void *arg);
	void *arg;
};

void relay_destroy(struct relay *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		event_free(r->way[i].readable);
		event_free(r->way[i].writable);
	}
	close(r->way[0].from);
	close(r->way[0].to);
	free(r);
}

// One read and one write; false on an error.
static bool move(struct pipe *p)
{
	ssize_t n;

	if (!p->eof && p->start == p->end) {
		p->start = p->end = 0;
		n = read(p->from, p->buf, sizeof(p->buf));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		p->eof = n == 0;
		p->end = n > 0 ? (size_t)n : 0;
	}
	if (p->start < p->end) {
		n = send(p->to, p->buf + p->start, p->end - p->start, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		p->start += n > 0 ? (size_t)n : 0;
	}
	return true;
}

// Waits for whichever side holds this direction up.
static void arm(struct pipe *p)
{
	if (p->start < p->end) {
		event_del(p->readable);
		event_add(p->writable, NULL);
	} else {
		event_del(p->writable);
		event_add(p->readable, NULL);
	}
}

static void on_ready(struct relay *r, struct pipe *p)
{
	if (!move(p) || (p->eof && p->start == p->end)) {
		void (*ended)(void *) = r->ended;
		void *arg = r->arg;
		relay_destroy(r);
		ended(arg);
		return;
	}
	arm(p);
}

static void on_first(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	on_ready(r, &r->way[0]);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	on_ready(r, &r->way[1]);
}

struct relay *relay_create(struct event_base *base, int a, int b, void (*ended)(void *arg), void *arg)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	r->ended = ended;
	r->arg = arg;
	for (int i = 0; i < 2; i++) {
		struct pipe *p = &r->way[i];
		p->from = i == 0 ? a : b;
		p->to = i == 0 ? b : a;
		p->readable = event_new(base, p->from, EV_READ | EV_PERSIST, i == 0 ? on_first : on_second, r);
		p->writable = event_new(base, p->to, EV_WRITE | EV_PERSIST, i == 0 ? on_first : on_second, r);
		arm(p);
	}
	return r;
}
