// Long lists.  An answer of 10,000 elements takes tens of milliseconds to make, so it grows by half a millisecond's worth at a time, and of the
// elements no more are there than of one slice.
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rows_write.h"

#define SLICE_NS 500000 // as a scan's
#define AT_ONCE  16     // elements between two looks at the clock

struct listing {
	TAILQ_ENTRY(listing) link;
	struct request *rq;
	struct reply_list l;
	struct text *out;
	struct text cursor;
	struct arena scratch;
	struct event *turn;
	void *element;
	size_t i, shown; // the next one, and how many are
};

TAILQ_HEAD(listings, listing);
static struct listings running = TAILQ_HEAD_INITIALIZER(running);

static void destroy(struct listing *x)
{
	TAILQ_REMOVE(&running, x, link);
	event_free(x->turn);
	arena_finish(&x->scratch);
	text_finish(&x->cursor);
	free(x->element);
	free(x);
}

static bool whole(const struct listing *x)
{
	return x->i == x->l.n || (x->rq->limit != 0 && x->i == x->rq->limit);
}

static void put_some(struct listing *x)
{
	for (unsigned n = 0; n < AT_ONCE && !whole(x); n++) {
		if (!x->l.fill(x->l.arg, x->i++, &x->scratch, x->element))
			continue;
		rows_list_put(x->rq->method, x->element, &x->cursor, x->out);
		x->shown++;
	}
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct listing *x = arg;
	uint64_t end = now_ns() + SLICE_NS;

	(void)fd;
	(void)what;
	do
		put_some(x);
	while (!whole(x) && now_ns() < end);
	arena_reset(&x->scratch);
	if (!whole(x)) {
		evtimer_add(x->turn, &(struct timeval){0}); // not event_active(), which comes before what is ready
		return;
	}
	struct request *rq = x->rq;
	rows_list_end(x->i < x->l.n && x->shown > 0 ? &x->cursor : NULL, x->out);
	destroy(x);
	request_result_end(rq);
}

void request_reply_list(struct request *rq, const void *result, const struct reply_list *l)
{
	struct listing *x;

	if (rq->raw_id == NULL) {
		request_result_end(rq);
		return;
	}
	x = xcalloc(1, sizeof(*x));
	x->rq = rq;
	x->l = *l;
	x->element = xcalloc(1, rows_list_element(rq->method));
	x->turn = evtimer_new(daemon_base(), on_turn, x);
	TAILQ_INSERT_TAIL(&running, x, link);
	x->out = request_result_begin(rq);
	rows_list_begin(rq->method, result, x->out);
	on_turn(-1, 0, x);
}

void request_reply_stop(void)
{
	while (!TAILQ_EMPTY(&running))
		destroy(TAILQ_FIRST(&running));
}
