// See gate.h.
#include "unpriv/posternd/gate.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/request.h"

struct held {
	STAILQ_ENTRY(held) link;
	struct request *rq;
	void (*go)(struct request *rq);
	uint64_t since_ns;
};

struct exclusive {
	STAILQ_ENTRY(exclusive) link;
	void (*go)(void *arg);
	void *arg;
};

STAILQ_HEAD(held_list, held);
static struct held_list waiting = STAILQ_HEAD_INITIALIZER(waiting);
static STAILQ_HEAD(exclusive_list, exclusive) exclusives = STAILQ_HEAD_INITIALIZER(exclusives);
static bool is_open;
static bool taken;       // an exclusive is at work
static bool moving;      // move_on is at work
static unsigned running; // the network's writes that have passed
static uint64_t close_at_ns = UINT64_MAX;
static struct event *clock_event;

// Those that change what a checkpoint puts back.  The others of net.* take long, or take the network to themselves.
static bool is_net_write(const struct request *rq)
{
	static const char *const others[] = {"net.checkpoint.", "net.apply", "net.lease.", "net.conntrack.", "net.ovs."};
	const char *name = rq->method->name;

	if (rq->dry_run || strncmp(name, "net.", 4) != 0)
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strncmp(name, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

static bool holds(const struct request *rq)
{
	if (!is_open)
		return true;
	return is_net_write(rq) && (taken || !STAILQ_EMPTY(&exclusives) || now_ns() >= close_at_ns);
}

static void enter(struct request *rq, void (*go)(struct request *rq))
{
	rq->gated = is_net_write(rq);
	running += rq->gated ? 1 : 0;
	go(rq);
}

static void refuse(struct request *rq)
{
	if (is_open)
		fail_hint(rq, FAIL_BUSY, "Try again.", "the network is being applied, or taken back to a checkpoint");
	else
		fail_hint(rq, FAIL_INTERRUPTED, "The daemon's log says why the helper doesn't start.", "the privileged helper isn't there");
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
	uint64_t most = (is_open ? GATE_EXCLUSIVE_MS : GATE_WAIT_MS) * UINT64_C(1000000);

	(void)fd;
	(void)what;
	(void)arg;
	while (!STAILQ_EMPTY(&waiting) && now_ns() - STAILQ_FIRST(&waiting)->since_ns > most) {
		struct held *h = STAILQ_FIRST(&waiting);

		STAILQ_REMOVE_HEAD(&waiting, link);
		refuse(h->rq);
		free(h);
	}
	if (STAILQ_EMPTY(&waiting))
		event_del(clock_event);
}

static void hold(struct request *rq, void (*go)(struct request *rq))
{
	const struct timeval often = {.tv_usec = 500000};
	struct held *h = xcalloc(1, sizeof(*h));

	*h = (struct held){.rq = rq, .go = go, .since_ns = now_ns()};
	STAILQ_INSERT_TAIL(&waiting, h, link);
	if (!event_pending(clock_event, EV_TIMEOUT, NULL))
		event_add(clock_event, &often);
}

bool gate_start(void)
{
	clock_event = event_new(daemon_base(), -1, EV_PERSIST, on_clock, NULL);
	return clock_event != NULL;
}

void gate_stop(void)
{
	struct held *h;
	struct exclusive *x;

	if (clock_event != NULL)
		event_free(clock_event);
	clock_event = NULL;
	while ((h = STAILQ_FIRST(&waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&waiting, link);
		free(h);
	}
	while ((x = STAILQ_FIRST(&exclusives)) != NULL) {
		STAILQ_REMOVE_HEAD(&exclusives, link);
		free(x);
	}
}

// Everybody who waits is looked at once; who must wait on is put at the end again, in the same order.
static void let_pass(void)
{
	struct held_list all = STAILQ_HEAD_INITIALIZER(all);
	struct held *h;

	STAILQ_CONCAT(&all, &waiting);
	while ((h = STAILQ_FIRST(&all)) != NULL) {
		STAILQ_REMOVE_HEAD(&all, link);
		if (holds(h->rq)) {
			STAILQ_INSERT_TAIL(&waiting, h, link);
			continue;
		}
		enter(h->rq, h->go);
		free(h);
	}
}

static bool next_exclusive(void)
{
	struct exclusive *x = STAILQ_FIRST(&exclusives);

	if (x == NULL || taken || running > 0 || !is_open)
		return false;
	STAILQ_REMOVE_HEAD(&exclusives, link);
	taken = true;
	x->go(x->arg);
	free(x);
	return true;
}

// A write or an exclusive that ends within its own call comes here again: its turn is taken by the loop below.
static void move_on(void)
{
	if (moving)
		return;
	moving = true;
	do {
		while (next_exclusive())
			;
		let_pass();
	} while (is_open && !STAILQ_EMPTY(&exclusives) && !taken && running == 0);
	moving = false;
}

void gate_open(void)
{
	is_open = true;
	move_on();
}

void gate_pass(struct request *rq, void (*go)(struct request *rq))
{
	if (holds(rq))
		hold(rq, go);
	else
		enter(rq, go);
}

void gate_left(struct request *rq)
{
	if (!rq->gated)
		return;
	rq->gated = false;
	running--;
	move_on();
}

void gate_exclusive(void (*go)(void *arg), void *arg)
{
	struct exclusive *x = xcalloc(1, sizeof(*x));

	x->go = go;
	x->arg = arg;
	STAILQ_INSERT_TAIL(&exclusives, x, link);
	move_on();
}

void gate_release(void)
{
	taken = false;
	move_on();
}

void gate_close_at(uint64_t ns)
{
	close_at_ns = ns;
	move_on();
}
