// See event_wait.h.
#include "unpriv/posternd/event_wait.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/events.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/sse.h"

struct waiter {
	LIST_ENTRY(waiter) link;
	struct request *rq;
	event_answer *answer;
	const void *arg;
	struct event *timer;
};

static LIST_HEAD(waiter_list, waiter) waiters = LIST_HEAD_INITIALIZER(waiters);
static unsigned n_waiters;
static struct event *wake_event;

static void end_wait(struct waiter *w)
{
	LIST_REMOVE(w, link);
	n_waiters--;
	event_free(w->timer);
	free(w);
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;

	(void)fd;
	(void)what;
	w->answer(w->rq, w->arg, true);
	end_wait(w);
}

void event_wait(struct request *rq, int64_t wait_ms, event_answer *answer, const void *arg)
{
	struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	struct waiter *w;

	if (answer(rq, arg, wait_ms == 0))
		return;
	if (n_waiters >= EVENT_WAITERS) {
		fail_hint(rq, FAIL_BUSY, "Ask again without wait_ms, or read GET /events.", "%u requests wait for events already", n_waiters);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct waiter){.rq = rq, .answer = answer, .arg = arg};
	w->timer = evtimer_new(daemon_base(), on_wait_over, w);
	LIST_INSERT_HEAD(&waiters, w, link);
	n_waiters++;
	evtimer_add(w->timer, &wait);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *next;

	(void)fd;
	(void)what;
	(void)arg;
	for (struct waiter *w = LIST_FIRST(&waiters); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		if (w->answer(w->rq, w->arg, false))
			end_wait(w);
	}
	sse_wake();
}

static void on_new(void)
{
	event_active(wake_event, EV_TIMEOUT, 0);
}

bool event_wait_start(void)
{
	wake_event = event_new(daemon_base(), -1, 0, on_wake, NULL);
	if (wake_event == NULL)
		return false;
	events_on_new(on_new);
	return sse_start();
}

void event_wait_stop(void)
{
	events_on_new(NULL);
	sse_stop();
	for (struct waiter *w = LIST_FIRST(&waiters), *next; w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		end_wait(w);
	}
	if (wake_event != NULL)
		event_free(wake_event);
	wake_event = NULL;
}

void event_wait_reloaded(void)
{
	for (struct waiter *w = LIST_FIRST(&waiters), *next; w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		w->answer(w->rq, w->arg, true);
		end_wait(w);
	}
	sse_end_all();
}
