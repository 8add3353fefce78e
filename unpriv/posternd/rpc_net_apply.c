// net.apply: a document, carried out as calls of the methods that make and delete single things.
//
// The network is its own meanwhile (gate.h): what others write waits.  A checkpoint of its own is armed first and confirmed at the end; where a
// step fails, or the daemon dies over it, kernel and rows go back to it.  Steps of one method are one call, where it takes several, or run several at a
// time, so that they share commits; the next method waits for the last of them.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/access.h"
#include "unpriv/posternd/apply_plan.h"
#include "unpriv/posternd/checkpoint.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/rpc.h"
#include "unpriv/posternd/task.h"

#define TIMEOUT_S 120 // of the checkpoint; prolonged while steps make progress
#define MOST      32  // calls at a time
#define TOGETHER  256 // steps that one call may be

struct apply {
	struct request *rq;
	const struct rpc_net_apply_params *p;
	struct apply_plan plan;
	struct checkpoint *cp;
	size_t next, running;
	bool pumping, failing;
	struct failure failed; // the first one
};

// ---- answers -------------------------------------------------------------------------------------------------------------------------------

static struct list_plan_step steps_of(const struct apply *a)
{
	struct list_plan_step l = {.v = arena_zalloc(a->rq->arena, (a->plan.n + 1) * sizeof(*l.v))};

	for (; l.n < a->plan.n; l.n++) {
		const struct apply_step *s = &a->plan.v[l.n];
		char *fields = s->shown ? json_dumps(s->params, JSON_COMPACT) : NULL;

		l.v[l.n] = (struct obj_plan_step){.action = (int)s->action, .kind = (int)s->kind, .id = s->id, .has_fields = fields != NULL};
		if (fields != NULL)
			l.v[l.n].fields = arena_strdup(a->rq->arena, fields);
		free(fields);
	}
	return l;
}

static void reply(struct apply *a)
{
	reply_net_apply(a->rq, &(struct rpc_net_apply_result){.changed = a->plan.n > 0, .plan = steps_of(a)});
}

// The end; the network is everybody's again.
static void over(struct apply *a)
{
	apply_plan_finish(&a->plan);
	free(a);
	gate_release();
}

static void answer_failure(struct apply *a, const struct checkpoint_result *back)
{
	struct failure f = a->failed;

	if (!back->ok)
		f.detail = arena_printf(a->rq->arena, "%s; going back failed too, and is tried again by itself", f.detail);
	else if (back->failed > 0)
		f.detail = arena_printf(a->rq->arena, "%s; everything has gone back but for %u steps, the first: %s", f.detail, back->failed, back->trouble);
	else
		f.detail = arena_printf(a->rq->arena, "%s; everything is as it was before", f.detail);
	fail_with(a->rq, &f);
}

static void went_back(void *arg, const struct checkpoint_result *r)
{
	answer_failure(arg, r);
	over(arg);
}

static void confirmed(void *arg, const struct checkpoint_result *r)
{
	struct apply *a = arg;

	if (r->ok) {
		reply(a);
	} else if (r->refused != NULL) {
		fail_priv(a->rq, r->refused);
	} else {
		fail_errno(a->rq, FAIL_IO, r->err, "state could not be stored");
	}
	over(a);
}

// ---- steps ---------------------------------------------------------------------------------------------------------------------------------

static void pump(struct apply *a);

static const char *name_of(const struct apply *a, const struct apply_step *s)
{
	return arena_printf(a->rq->arena, "%s %s %s", rpc_kinds[KIND_plan_action].values[s->action], rpc_kinds[KIND_plan_kind].values[s->kind], s->id);
}

static void note_failure(struct apply *a, const struct failure *f, const char *step)
{
	struct arena *m = a->rq->arena;

	if (a->failing)
		return;
	a->failing = true;
	a->failed = (struct failure){.kind = f->kind, .err = f->err, .detail = arena_printf(m, "%s: %s", step, f->detail)};
	a->failed.hint = f->hint != NULL ? arena_strdup(m, f->hint) : NULL;
	a->failed.holder = f->holder != NULL ? arena_strdup(m, f->holder) : NULL;
}

// A call that waits for its end.
struct call {
	struct apply *a;
	const struct apply_step *step; // the first of them
	size_t n;
	json_t *params;
};

static const char *describe(const struct apply *a, const struct call *c)
{
	return c->n == 1 ? name_of(a, c->step) : arena_printf(a->rq->arena, "%s and %zu more", name_of(a, c->step), c->n - 1);
}

static void step_ended(struct request *rq, const struct failure *failed)
{
	struct call *c = rq->inner_arg;
	struct apply *a = c->a;

	if (failed != NULL)
		note_failure(a, failed, describe(a, c));
	json_decref(c->params);
	a->running--;
	pump(a);
}

// The parameters of several steps as those of one call.
static json_t *gather(const struct apply_step *s, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append(list, s->many->member != NULL ? json_object_get(s[i].params, s->many->member) : s[i].params);
	return json_pack("{s:o}", s->many->list, list);
}

// As many steps as one call takes.
static void start_call(struct apply *a)
{
	struct call *c = arena_alloc(a->rq->arena, sizeof(*c));
	const struct apply_step *s = &a->plan.v[a->next];
	size_t n = 1;

	while (s->many != NULL && n < TOGETHER && a->next + n < a->plan.n && s[n].method == s->method && s[n].many != NULL)
		n++;
	*c = (struct call){a, s, n, n > 1 ? gather(s, n) : json_incref(s->params)};
	a->next += n;
	a->running++;
	rpc_call_inner(a->rq, s->method, c->params, step_ended, c);
}

static void extended(void *arg, const struct checkpoint_result *r)
{
	struct apply *a = arg;

	a->running--;
	if (!r->ok)
		note_failure(a, &(struct failure){.kind = FAIL_INTERRUPTED, .detail = "the helper gives no more time"}, "prolonging the checkpoint");
	pump(a);
}

static bool soon_over(const struct apply *a)
{
	return now_ns() + TIMEOUT_S * UINT64_C(500000000) >= a->cp->deadline_ns;
}

static void finish_all(struct apply *a)
{
	if (a->failing)
		checkpoint_rollback(a->cp, CAUSE_FAILED, a->rq->identity, went_back, a);
	else
		checkpoint_confirm(a->cp, confirmed, a);
}

// Starts what may start.  A step that ends within its own start comes here again: its turn is taken by the loop.
static void pump(struct apply *a)
{
	if (a->pumping)
		return;
	a->pumping = true;
	while (!a->failing && a->next < a->plan.n && a->running < MOST &&
	       (a->running == 0 || a->plan.v[a->next].method == a->plan.v[a->next - 1].method)) {
		if (checkpoint_over(a->cp))
			note_failure(a, &(struct failure){.kind = FAIL_TIMEOUT, .detail = "it took too long"}, "net.apply");
		else if (!soon_over(a))
			start_call(a);
		else if (a->running == 0) {
			a->running++;
			checkpoint_extend(a->cp, TIMEOUT_S, extended, a);
		} else
			break;
	}
	a->pumping = false;
	if (a->running == 0)
		finish_all(a);
}

static void armed(void *arg, const struct checkpoint_result *r)
{
	struct apply *a = arg;

	if (r->ok) {
		a->cp = r->made;
		pump(a);
		return;
	}
	if (r->refused != NULL)
		fail_priv(a->rq, r->refused);
	else
		fail_errno(a->rq, FAIL_IO, r->err, "state could not be stored");
	over(a);
}

// ---- the request ---------------------------------------------------------------------------------------------------------------------------

// The caller's right for each method that the plan uses; false after it has answered which one is missing.
static bool allowed(struct apply *a)
{
	for (size_t i = 0; i < a->plan.n; i++) {
		enum rpc_method_id m = a->plan.v[i].method;

		if (i > 0 && a->plan.v[i - 1].method == m)
			continue;
		if (access_grant(daemon_acl(), &a->rq->exchange->caller, m).right >= rpc_methods[m].right)
			continue;
		fail(a->rq, FAIL_DENIED_BY_POLICY, "%s needs the right to call %s", name_of(a, &a->plan.v[i]), rpc_methods[m].name);
		return false;
	}
	return true;
}

static struct apply *apply_new(struct request *rq, const struct rpc_net_apply_params *p)
{
	struct apply *a = xcalloc(1, sizeof(*a));

	a->rq = rq;
	a->p = p;
	return a;
}

// Nobody else writes now: what the plan is made of stays.
static void go(void *arg)
{
	struct apply *a = arg;

	if (!apply_plan_make(&a->plan, a->rq, a->p) || !allowed(a)) {
		over(a);
	} else if (a->plan.n == 0) {
		reply(a);
		over(a);
	} else
		checkpoint_make(TIMEOUT_S, a->rq->identity, a->rq->method->name, armed, a);
}

void rpc_net_apply(struct request *rq, const struct rpc_net_apply_params *p)
{
	struct apply *a = apply_new(rq, p);

	if (!rq->dry_run && !(p->has_plan_only && p->plan_only)) {
		gate_exclusive(go, a);
		return;
	}
	if (apply_plan_make(&a->plan, rq, p) && allowed(a))
		reply(a);
	apply_plan_finish(&a->plan);
	free(a);
}
