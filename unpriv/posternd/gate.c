// See gate.h.
#include "unpriv/posternd/gate.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/request.h"

struct held {
	STAILQ_ENTRY(held) link;
	struct request *rq;
	void (*go)(struct request *rq);
	uint64_t since_ns;
};

static STAILQ_HEAD(held_list, held) waiting = STAILQ_HEAD_INITIALIZER(waiting);
static bool is_open;
static struct event *clock_event;

static struct held *take(void)
{
	struct held *h = STAILQ_FIRST(&waiting);

	STAILQ_REMOVE_HEAD(&waiting, link);
	return h;
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	while (!STAILQ_EMPTY(&waiting) && now_ns() - STAILQ_FIRST(&waiting)->since_ns > GATE_WAIT_MS * UINT64_C(1000000)) {
		struct held *h = take();
		fail_hint(h->rq, FAIL_INTERRUPTED, "The daemon's log says why the helper doesn't start.", "the privileged helper isn't there");
		free(h);
	}
}

bool gate_start(void)
{
	struct timeval often = {.tv_usec = 500000};

	clock_event = event_new(daemon_base(), -1, EV_PERSIST, on_clock, NULL);
	return clock_event != NULL && event_add(clock_event, &often) == 0;
}

void gate_stop(void)
{
	if (clock_event != NULL)
		event_free(clock_event);
	clock_event = NULL;
	while (!STAILQ_EMPTY(&waiting))
		free(take());
}

void gate_open(void)
{
	is_open = true;
	event_del(clock_event);
	while (!STAILQ_EMPTY(&waiting)) {
		struct held *h = take();
		h->go(h->rq);
		free(h);
	}
}

void gate_pass(struct request *rq, void (*go)(struct request *rq))
{
	struct held *h;

	if (is_open) {
		go(rq);
		return;
	}
	h = xcalloc(1, sizeof(*h));
	*h = (struct held){.rq = rq, .go = go, .since_ns = now_ns()};
	STAILQ_INSERT_TAIL(&waiting, h, link);
}
