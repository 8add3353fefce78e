// event.tail, and compute.vm.events.tail, which is the same stream with VMs' changes of state alone.
#include <string.h>

#include "unpriv/posternd/event_sight.h"
#include "unpriv/posternd/event_wait.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rpc_vm.h"
#include "unpriv/posternd/task.h"

#define USUAL_LIMIT 100

// Where a reader goes on: from seq, which is kept or the next one; `dropped` were between.
struct place {
	uint64_t seq, since;
	int64_t dropped;
};

static struct place place_of(bool has_since, int64_t since_seq)
{
	uint64_t first = events_first(), next = events_next();
	uint64_t since = has_since ? (uint64_t)since_seq : first - 1, seq = since < first ? first : since + 1;

	since = since < next ? since : next - 1; // of a stream that has begun anew
	return (struct place){
	    .seq = seq < next ? seq : next,
	    .since = since,
	    .dropped = since + 1 < first ? (int64_t)(first - since - 1) : 0,
	};
}

static int64_t next_of(const struct place *p)
{
	return p->seq > p->since ? (int64_t)p->seq - 1 : (int64_t)p->since;
}

// ---- event.tail ----

struct tail {
	const struct rpc_event_tail_params *p;
	struct event_sight sight;
};

static bool wanted(const struct tail *t, const struct event_item *e)
{
	bool listed = !t->p->has_topics;

	for (size_t i = 0; i < t->p->topics.n && !listed; i++)
		listed = t->p->topics.v[i] == (int)e->topic;
	return listed && event_sight_sees(&t->sight, e);
}

static struct obj_event object_of(const struct event_item *e, struct arena *a)
{
	return (struct obj_event){
	    .seq = (int64_t)e->seq,
	    .topic = (int)e->topic,
	    .at_unix_ms = e->at_unix_ms,
	    .has_tenant = e->tenant != NULL,
	    .tenant = e->tenant,
	    .object = events_object(e, a),
	};
}

static bool answer_tail(struct request *rq, const void *arg, bool empty)
{
	const struct tail *t = arg;
	struct place at = place_of(t->p->has_since_seq, t->p->since_seq);
	size_t most = t->p->has_limit ? (size_t)t->p->limit : USUAL_LIMIT;
	struct rpc_event_tail_result r = {.dropped = at.dropped};
	size_t n = 0;

	for (uint64_t s = at.seq; s < events_next() && n < most; s++)
		n += wanted(t, events_at(s));
	if (n == 0 && !empty)
		return false;
	r.events.v = arena_alloc(rq->arena, (n + 1) * sizeof(*r.events.v));
	for (; at.seq < events_next() && (r.events.n < n || n < most); at.seq++)
		if (wanted(t, events_at(at.seq)))
			r.events.v[r.events.n++] = object_of(events_at(at.seq), rq->arena);
	r.next_seq = next_of(&at);
	reply_event_tail(rq, &r);
	return true;
}

void rpc_event_tail(struct request *rq, const struct rpc_event_tail_params *p)
{
	struct tail *t = arena_alloc(rq->arena, sizeof(*t));

	t->p = p;
	event_sight_make(&t->sight, request_caller(rq), rq->arena);
	event_wait(rq, p->has_wait_ms ? p->wait_ms : 0, answer_tail, t);
}

// ---- compute.vm.events.tail ----

static bool vm_wanted(const struct request *rq, const struct rpc_vm_events_tail_params *p, const struct event_item *e)
{
	return e->topic == event_topic_vm_state && (!p->has_id || strcmp(p->id, e->vm.id) == 0) && tenant_sees(rq, e->tenant);
}

static bool answer_vm_tail(struct request *rq, const void *arg, bool empty)
{
	const struct rpc_vm_events_tail_params *p = arg;
	struct place at = place_of(p->has_since_seq, p->since_seq);
	size_t most = p->has_limit ? (size_t)p->limit : USUAL_LIMIT;
	struct rpc_vm_events_tail_result r = {.dropped = at.dropped};
	size_t n = 0;

	for (uint64_t s = at.seq; s < events_next() && n < most; s++)
		n += vm_wanted(rq, p, events_at(s));
	if (n == 0 && !empty)
		return false;
	r.events.v = arena_alloc(rq->arena, (n + 1) * sizeof(*r.events.v));
	for (; at.seq < events_next() && (r.events.n < n || n < most); at.seq++)
		if (vm_wanted(rq, p, events_at(at.seq)))
			r.events.v[r.events.n++] = rpc_vm_transition(&events_at(at.seq)->vm);
	r.next_seq = next_of(&at);
	reply_vm_events_tail(rq, &r);
	return true;
}

void rpc_vm_events_tail(struct request *rq, const struct rpc_vm_events_tail_params *p)
{
	event_wait(rq, p->has_wait_ms ? p->wait_ms : 0, answer_vm_tail, p);
}
