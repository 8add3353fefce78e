// See guard.h.
#include "unpriv/posternd/guard.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/drift_fix.h"
#include "unpriv/posternd/event_publish.h"
#include "unpriv/posternd/fight.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/verify.h"

#define MS          UINT64_C(1000000)
#define DEBOUNCE_NS (100 * MS)
#define GAP_NS      (1000 * MS) // between the beginnings of two comparisons that changes lead to
#define IDLE_NS     (60000 * MS)

// Off -> Idle by guard_begin(); Idle -> Comparing by the timer; Comparing -> Fixing where there is something to put back, else -> Idle;
// Fixing -> Comparing, to see whether it helped.
static enum guard_state { GUARD_OFF, GUARD_IDLE, GUARD_COMPARING, GUARD_FIXING } state;

static struct event *timer;
static struct drift_list known; // at the last comparison
// Which of them could not be put back the time before: the link wasn't there or wasn't up, and nobody fights.
static bool waited[GUARD_ITEMS];
static bool compared; // there was one
static bool poked;    // while it was at work
static unsigned held;
static uint64_t began_ns, due_ns; // the last comparison, the next one

// The timer for the next comparison, which comes earlier if something asks for that.
static void plan(uint64_t when_ns)
{
	uint64_t now = now_ns(), us = when_ns > now ? (when_ns - now) / 1000 : 0;
	struct timeval in = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};

	due_ns = when_ns;
	evtimer_add(timer, &in);
}

void guard_poke(void)
{
	uint64_t now = now_ns(), soon = now + DEBOUNCE_NS;

	if (soon < began_ns + GAP_NS)
		soon = began_ns + GAP_NS;
	if (state != GUARD_IDLE)
		poked = true;
	else if (soon < due_ns)
		plan(soon);
}

// ---- telling ----

static void tell(enum rpc_event_topic topic, const struct drift_item *i)
{
	const char *kind = rpc_kinds[KIND_drift_kind].values[i->kind];

	log_warn(topic == event_topic_net_drift ? "drift" : "restored", "kind=%s id=%s expected=%s actual=%s", kind, i->id, i->expected, i->actual);
	event_publish(topic, i->tenant,
	              (const struct event_member[]){{"kind", kind},
	                                            {"id", i->id},
	                                            {"expected", i->expected},
	                                            {"actual", topic == event_topic_net_drift ? i->actual : NULL},
	                                            {NULL, NULL}});
}

static void tell_rest(size_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", n);
	event_publish(event_topic_net_drift, NULL, (const struct event_member[]){{"more", text}, {NULL, NULL}});
}

static void keep(struct drift_list *l, const struct drift_item *i)
{
	struct drift_item *k = drift_add(l, i->kind, i->tenant);
	const char *tenant = k->tenant;

	*k = *i;
	k->tenant = tenant;
}

// Takes the first items of what was found over as what is known, and tells what is new and what has gone.
static void learn(const struct drift_list *found)
{
	struct drift_list now = {0};
	size_t most;

	for (size_t i = 0; i < found->n && i < GUARD_ITEMS; i++)
		keep(&now, &found->v[i]);
	most = now.n;
	for (size_t i = 0; i < known.n; i++) {
		bool unread = found->firewall_unread && (known.v[i].kind == drift_kind_firewall || known.v[i].kind == drift_kind_nat);
		if (drift_find(found, &known.v[i]) != NULL)
			continue;
		if (!unread)
			tell(event_topic_net_restored, &known.v[i]);
		else if (now.n < GUARD_ITEMS)
			keep(&now, &known.v[i]);
	}
	for (size_t i = 0; i < now.n; i++) {
		const struct drift_item *before = drift_find(&known, &now.v[i]);
		waited[i] = before != NULL && before->fix == FIX_NONE;
		if (before == NULL || !drift_same(before, &now.v[i]))
			tell(event_topic_net_drift, &now.v[i]);
	}
	if (found->n > most && !(compared && known.n == most))
		tell_rest(found->n - most);
	drift_clear(&known);
	known = now;
	compared = true;
}

// ---- comparing and fixing ----

static void compare(void);

static void rest(uint64_t next_ns)
{
	state = GUARD_IDLE;
	plan(next_ns);
	if (poked)
		guard_poke();
	poked = false;
}

static void fixed(void)
{
	if (state != GUARD_FIXING)
		return;
	compare();
}

// What is put back now, and noted as such; *next_ns: when the first of the others may be.
static size_t choose(struct drift_item *out, uint64_t *next_ns)
{
	uint64_t now = now_ns();
	size_t n = 0;

	for (size_t i = 0; i < known.n; i++) {
		uint64_t when = known.v[i].fix != FIX_NONE ? fight_when(known.v[i].id, now) : UINT64_MAX;
		if (when <= now) {
			if (!waited[i])
				fight_note(known.v[i].id, now);
			out[n++] = known.v[i];
		} else if (when < *next_ns)
			*next_ns = when;
	}
	return n;
}

static void on_compared(const struct drift_list *found, int err, void *arg)
{
	static struct drift_item todo[GUARD_ITEMS];
	uint64_t next_ns = now_ns() + IDLE_NS;
	size_t n;

	(void)arg;
	if (state != GUARD_COMPARING)
		return;
	if (err != 0) {
		log_warn("the kernel's state can't be compared", "errno=%d", err);
		rest(now_ns() + GAP_NS);
		return;
	}
	learn(found);
	if (found->firewall_unread && helper_client_ready())
		next_ns = now_ns() + GAP_NS;
	n = held == 0 ? choose(todo, &next_ns) : 0;
	if (n == 0) {
		rest(next_ns);
		return;
	}
	state = GUARD_FIXING;
	drift_fix(todo, n, fixed);
}

static void compare(void)
{
	state = GUARD_COMPARING;
	began_ns = now_ns();
	verify(on_compared, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (held > 0)
		plan(now_ns() + GAP_NS);
	else if (state == GUARD_IDLE)
		compare();
}

void guard_begin(void)
{
	timer = evtimer_new(daemon_base(), on_timer, NULL);
	state = GUARD_IDLE;
	plan(now_ns());
}

void guard_stop(void)
{
	if (timer != NULL)
		event_free(timer);
	timer = NULL;
	state = GUARD_OFF;
	drift_clear(&known);
	compared = false;
}

void guard_hold(void)
{
	held++;
}

void guard_release(void)
{
	held--;
	guard_poke();
}

const struct drift_list *guard_drift(void)
{
	return compared ? &known : NULL;
}

size_t guard_fights(const char **ids, size_t most)
{
	return fight_list(now_ns(), ids, most);
}
