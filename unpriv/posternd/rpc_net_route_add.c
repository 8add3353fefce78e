// net.routes.add.
//
// A request's routes are one task: their rows are stored, then they are added one after the other, and where one fails, those before it go again.
// A route whose row is there already is asked for all the same, for somebody else may have deleted it; that costs no commit.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/rpc_net_route.h"
#include "unpriv/posternd/tenant.h"

static bool same_route(const struct row_route *a, const struct row_route *b)
{
	return route_same_text(a->gateway, b->gateway) && route_same_text(a->device, b->device) && route_same_text(a->source, b->source);
}

struct given {
	const char *id;
	size_t i;
};

static int by_id(const void *a, const void *b)
{
	const struct given *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	return order != 0 ? order : (x->i > y->i) - (x->i < y->i);
}

// No place twice in one request.
static bool distinct(struct request *rq, const struct route_item *v, size_t n)
{
	struct given *sorted = arena_alloc(rq->arena, (n + 1) * sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct given){v[i].row.id, i};
	qsort(sorted, n, sizeof(*sorted), by_id);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i].id, sorted[i - 1].id) == 0) {
			fail_params(rq, "parameter \"routes[%zu]\": has the table, destination and metric of routes[%zu]", sorted[i].i,
			            sorted[i - 1].i);
			return false;
		}
	return true;
}

// A tenant's routes lead out of its own links, and never stand for the default route.
static bool tenant_allows(struct request *rq, const struct route_item *i, const char *place)
{
	const struct row_bridge *b = i->row.device != NULL ? cache_find_bridge(i->row.device) : NULL;
	const struct row_tap *t = i->row.device != NULL ? cache_find_tap(i->row.device) : NULL;

	if (rq->tenant == NULL)
		return true;
	if (i->row.device == NULL)
		fail_params(rq, "parameter \"%sdevice\" is missing, allowed is a link of the tenant's", place);
	else if ((b == NULL || !tenant_may(rq->tenant, b->tenant)) && (t == NULL || !tenant_may(rq->tenant, t->tenant)))
		fail(rq, FAIL_NOT_FOUND, "there is no interface %s", i->row.device);
	else if (i->to.prefix < (i->to.family == 4 ? 8 : 16))
		fail(rq, FAIL_DENIED_BY_POLICY, "%s: only the host sets the default route, or what would win over it", i->row.destination);
	else
		return true;
	return false;
}

// What the rows say of one route.  False after it has answered.
static bool agrees(struct request *rq, struct route_item *i)
{
	const struct row_route *have = cache_find_route(i->row.id);

	i->fresh = have == NULL;
	if (have == NULL)
		return true;
	if (have->phase != PHASE_DONE)
		fail(rq, FAIL_BUSY, "the route to %s is just being added or deleted", have->destination);
	else if (!tenant_sees(rq, have->tenant))
		fail(rq, FAIL_ALREADY_EXISTS, "table %d has a route to %s with this metric", (int)have->table, have->destination);
	else if (!same_route(have, &i->row))
		fail_with(rq, &(struct failure){
		                  .kind = FAIL_ALREADY_EXISTS,
		                  .detail = arena_printf(rq->arena, "a route to %s with this metric is there, by another way", have->destination),
		                  .holder = "postern",
		                  .hint = "Delete it first, or choose another metric."});
	else
		return true;
	return false;
}

static bool read_added(struct request *rq, const struct list_route_spec *l, bool many, struct route_task *k)
{
	for (size_t i = 0; i < l->n; i++) {
		struct route_item *x = &k->v[i];
		const char *place = route_where(rq, i, many);

		if (!route_read(rq, &l->v[i], place, x))
			return false;
		k->n = i + 1;
		if (x->row.gateway == NULL && x->row.device == NULL) {
			fail_params(rq, "parameter \"%sdevice\" is missing, allowed is it, or \"%sgateway\", or both", place, place);
			return false;
		}
		if (!tenant_allows(rq, x, place))
			return false;
	}
	if (!distinct(rq, k->v, k->n))
		return false;
	for (size_t i = 0; i < k->n; i++)
		if (!agrees(rq, &k->v[i]))
			return false;
	return true;
}

// Stores those rows that the request brought: as they are to be.
static void commit_fresh(struct route_task *k, enum store_phase phase)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].fresh) {
			k->v[i].row.phase = phase;
			change_put_route(c, cache_set_route(&k->v[i].row));
		}
	task_commit(&k->t, c);
}

static void forget_fresh(struct route_task *k)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].fresh) {
			change_del_route(c, k->v[i].row.id);
			cache_drop_route(k->v[i].row.id);
		}
	task_commit(&k->t, c);
}

enum { ADD_STORED, ADD_MADE, ADD_DONE, ADD_UNDONE, ADD_FORGOTTEN };

static void reply_added(struct request *rq, size_t added)
{
	reply_net_routes_add(rq, &(struct rpc_net_routes_add_result){.changed = added > 0, .added = (int64_t)added});
}

static void fail_held(struct request *rq, const struct route_item *x)
{
	fail_with(rq, &(struct failure){.kind = FAIL_ALREADY_EXISTS,
	                                .detail = arena_printf(rq->arena, "table %d has another route to %s with this metric", (int)x->row.table,
	                                                       x->row.destination),
	                                .holder = x->held ? route_protocol(x->holder, rq->arena) : NULL,
	                                .hint = "Choose another metric, or delete it with the tool that added it."});
}

// Everything is undone: says whose route stands in the way.
static void tell_holder(void *arg, int err)
{
	struct route_task *k = arg;

	(void)err; // then nobody is named
	fail_held(k->t.rq, &k->v[k->at]);
	task_done(&k->t, false);
}

static void add_failed(struct route_task *k)
{
	struct request *rq = k->t.rq;
	const struct route_item *x = &k->v[k->at];

	if (k->t.kept.outcome == PRIV_ANSWERED && k->t.kept.status == OPS_EXISTS) {
		route_look(rq, &k->v[k->at], 1, tell_holder, k);
		return;
	}
	fail_priv_of(rq, arena_printf(rq->arena, "route to %s", x->row.destination), &k->t.kept);
	task_done(&k->t, false);
}

// The routes that this request brought go again, the last one first; `at` stays the one that failed.
static void undo_next(struct route_task *k)
{
	while (k->undo > 0 && !k->v[k->undo - 1].fresh)
		k->undo--;
	if (k->undo > 0) {
		k->t.step = ADD_UNDONE;
		route_ask_del(k, k->undo - 1);
	} else {
		k->t.step = ADD_FORGOTTEN;
		forget_fresh(k);
	}
}

static void added_one(struct route_task *k)
{
	struct task *t = &k->t;

	if (task_repeat(t)) {
		route_ask_add(k, k->at);
		return;
	}
	if (!priv_ok(t->reply)) {
		task_keep(t);
		k->undo = k->at + (priv_unsure(t->reply) ? 1 : 0);
		undo_next(k);
		return;
	}
	if (k->v[k->at].fresh || t->reply->res->route_add.changed)
		k->changed++;
	if (++k->at < k->n) {
		t->step = ADD_MADE;
		route_ask_add(k, k->at);
	} else {
		commit_fresh(k, PHASE_DONE);
	}
}

static void undone_one(struct route_task *k)
{
	if (task_repeat(&k->t)) {
		undo_next(k);
		return;
	}
	k->undo--; // what is left all the same has no row: the next start deletes it
	undo_next(k);
}

static void add_step(struct task *t)
{
	struct route_task *k = (struct route_task *)t;

	switch (t->step++) {
	case ADD_STORED:
		for (size_t i = 0; t->err != 0 && i < k->n; i++)
			if (k->v[i].fresh)
				cache_drop_route(k->v[i].row.id);
		if (!task_store_failed(t))
			route_ask_add(k, k->at);
		return;
	case ADD_MADE: added_one(k); return;
	case ADD_DONE:
		if (task_store_failed(t))
			return;
		reply_added(t->rq, k->changed);
		task_done(t, true);
		return;
	case ADD_UNDONE: undone_one(k); return;
	case ADD_FORGOTTEN: add_failed(k); return;
	}
}

static void tell_dry_add(void *arg, int err)
{
	struct route_task *k = arg;
	size_t missing = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (k->v[i].held && !k->v[i].same) {
			fail_held(k->t.rq, &k->v[i]);
			task_done(&k->t, false);
			return;
		}
		missing += k->v[i].fresh || !k->v[i].held ? 1 : 0;
	}
	if (err != 0)
		net_page_failed(k->t.rq, err, "routes");
	else
		reply_added(k->t.rq, missing);
	task_done(&k->t, err == 0);
}

static bool any_fresh(const struct route_task *k)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].fresh)
			return true;
	return false;
}

void rpc_net_routes_add(struct request *rq, const struct rpc_net_routes_add_params *p)
{
	struct list_route_spec l = ROUTE_SPECS(rq, p);
	struct route_task *k;

	if (l.n == 0)
		return;
	k = route_task_new(rq, "routes.add", add_step, l.n);
	if (!read_added(rq, &l, p->has_routes, k)) {
		task_done(&k->t, false);
	} else if (rq->dry_run) {
		route_look(rq, k->v, k->n, tell_dry_add, k);
	} else if (any_fresh(k)) {
		commit_fresh(k, PHASE_MAKING);
	} else {
		k->t.step = ADD_MADE;
		route_ask_add(k, k->at);
	}
}
