// net.routes.delete.
//
// The rows that fit are marked as going, then deleted one after the other; where one can't be, those that went come again.
#include <string.h>

#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/rpc_net_route.h"

static bool fits(const struct row_route *row, const struct route_item *x, const struct obj_route_spec *s)
{
	return (!s->has_gateway || route_same_text(row->gateway, x->row.gateway)) && (!s->has_device || route_same_text(row->device, s->device)) &&
	       (!s->has_source || route_same_text(row->source, x->row.source)) && (!s->has_metric || row->metric == x->row.metric);
}

static bool chosen(const struct route_task *k, const char *id)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->v[i].row.id, id) == 0)
			return true;
	return false;
}

// Adds one row to the task, for good or until spare(); false after it has answered why not.
static bool choose(struct request *rq, struct row_route *row, const struct route_item *x, struct route_task *k)
{
	if (row->phase != PHASE_DONE) {
		if (chosen(k, row->id)) // it fits two descriptions
			return true;
		fail(rq, FAIL_BUSY, "the route to %s is just being added or deleted", row->destination);
		return false;
	}
	row->phase = PHASE_REMOVING;
	k->v[k->n] = *x;
	k->v[k->n].row = *row;
	k->v[k->n].row.id = arena_strdup(rq->arena, row->id); // the row can go with its bridge while the task waits
	k->v[k->n].row.destination = arena_strdup(rq->arena, row->destination);
	k->v[k->n].row.device = row->device != NULL ? arena_strdup(rq->arena, row->device) : NULL;
	k->v[k->n].row.gateway = row->gateway != NULL ? arena_strdup(rq->arena, row->gateway) : NULL;
	k->v[k->n].row.source = row->source != NULL ? arena_strdup(rq->arena, row->source) : NULL;
	k->n++;
	return true;
}

// Chooses the rows that one description fits.  Their keys begin with its table and destination.
static bool choose_all(struct request *rq, const struct obj_route_spec *s, const char *place, struct route_task *k)
{
	struct route_item x;
	size_t len;

	if (!route_read(rq, s, place, &x))
		return false;
	len = (size_t)(strrchr(x.row.id, '|') - x.row.id) + 1;
	for (size_t i = cache_from_route(arena_strndup(rq->arena, x.row.id, len)); i < cache_n_route(); i++) {
		struct row_route *row = cache_at_route(i);

		if (strncmp(row->id, x.row.id, len) != 0)
			break;
		if (tenant_sees(rq, row->tenant) && fits(row, &x, s) && !choose(rq, row, &x, k))
			return false;
	}
	return true;
}

static void spare(struct route_task *k)
{
	for (size_t i = 0; i < k->n; i++) {
		struct row_route *row = cache_find_route(k->v[i].row.id);
		if (row != NULL) // else its bridge has gone meanwhile, and the row with it
			row->phase = PHASE_DONE;
	}
}

static void commit_rows(struct route_task *k)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++) {
		const struct row_route *row = cache_find_route(k->v[i].row.id);
		if (row != NULL)
			change_put_route(c, row);
	}
	task_commit(&k->t, c);
}

static void forget_rows(struct route_task *k)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++) {
		change_del_route(c, k->v[i].row.id);
		cache_drop_route(k->v[i].row.id);
	}
	task_commit(&k->t, c);
}

static void reply(struct request *rq, size_t removed)
{
	reply_net_routes_delete(rq, &(struct rpc_net_routes_delete_result){.changed = removed > 0, .removed = (int64_t)removed});
}

enum { DEL_STORED, DEL_GONE, DEL_DONE, DEL_UNDONE, DEL_KEPT };

static void undo_next(struct route_task *k)
{
	if (k->undo > 0) {
		k->t.step = DEL_UNDONE;
		route_ask_add(k, --k->undo);
		return;
	}
	k->t.step = DEL_KEPT;
	spare(k);
	commit_rows(k);
}

static void deleted_one(struct route_task *k)
{
	struct task *t = &k->t;

	if (task_repeat(t)) {
		route_ask_del(k, k->at);
	} else if (!priv_ok(t->reply)) {
		task_keep(t);
		k->undo = k->at + (priv_unsure(t->reply) ? 1 : 0);
		undo_next(k);
	} else if (++k->at < k->n) {
		t->step = DEL_GONE;
		route_ask_del(k, k->at);
	} else {
		forget_rows(k);
	}
}

static void delete_step(struct task *t)
{
	struct route_task *k = (struct route_task *)t;

	switch (t->step++) {
	case DEL_STORED:
		if (t->err != 0)
			spare(k);
		if (!task_store_failed(t))
			route_ask_del(k, 0);
		return;
	case DEL_GONE: deleted_one(k); return;
	case DEL_DONE:
		if (task_store_failed(t))
			return;
		reply(t->rq, k->n);
		task_done(t, true);
		return;
	case DEL_UNDONE: undo_next(k); return;
	case DEL_KEPT:
		t->reply = &t->kept;
		task_fail(t);
		return;
	}
}

void rpc_net_routes_delete(struct request *rq, const struct rpc_net_routes_delete_params *p)
{
	struct list_route_spec l = ROUTE_SPECS(rq, p);
	struct route_task *k;
	bool fine = true;

	if (l.n == 0)
		return;
	k = route_task_new(rq, "routes.delete", delete_step, cache_n_route());
	for (size_t i = 0; fine && i < l.n; i++)
		fine = choose_all(rq, &l.v[i], route_where(rq, i, p->has_routes), k);
	if (!fine || k->n == 0 || rq->dry_run) {
		spare(k);
		if (fine)
			reply(rq, k->n);
		task_done(&k->t, fine);
		return;
	}
	commit_rows(k);
}
