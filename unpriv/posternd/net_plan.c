// See net_plan.h.
#include "unpriv/posternd/net_plan.h"

#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/route.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_route.h"
#include "unpriv/posternd/task.h"

#define AGAIN_MAX 20 // interrupted operations that are asked once more

union op_args *plan_add(struct plan *p, enum op_id op, enum op_status harmless, const char *what)
{
	struct plan_item *i;

	if (p->n == p->room) {
		p->room = p->room != 0 ? 2 * p->room : 32;
		p->v = xrealloc(p->v, p->room * sizeof(*p->v));
	}
	i = &p->v[p->n++];
	memset(i, 0, sizeof(*i));
	i->op = op;
	i->harmless = harmless;
	COPY_TEXT(i->what, what);
	return &i->args;
}

void plan_join(struct plan *p, const char *link, const char *master)
{
	struct op_link_set_args *a = &plan_add(p, OP_link_set, OPS_OK, link)->link_set;

	COPY_TEXT(a->name, link);
	a->has_up = a->up = true;
	a->has_master = master != NULL;
	if (master != NULL)
		COPY_TEXT(a->master, master);
}

void plan_delete(struct plan *p, const char *link)
{
	struct op_links_del_args *a = &plan_add(p, OP_links_del, OPS_NOT_FOUND, link)->links_del;

	a->names.n = 1;
	COPY_TEXT(a->names.v[0], link);
}

static bool joins(enum store_phase phase, const char *row_bridge, const char *bridge)
{
	return phase == PHASE_DONE && row_bridge != NULL && strcmp(row_bridge, bridge) == 0;
}

void plan_ports(struct plan *p, const char *bridge)
{
	for (size_t i = 0; i < cache_n_tap(); i++) {
		const struct row_tap *row = cache_at_tap(i);
		if (joins((enum store_phase)row->phase, row->bridge, bridge))
			plan_join(p, row->name, bridge);
	}
	for (size_t i = 0; i < cache_n_port(); i++) {
		const struct row_port *row = cache_at_port(i);
		if (joins((enum store_phase)row->phase, row->bridge, bridge))
			plan_join(p, row->name, bridge);
	}
	for (size_t i = 0; i < cache_n_connection(); i++) {
		const struct row_connection *row = cache_at_connection(i);
		if (joins((enum store_phase)row->phase, row->a, bridge))
			plan_join(p, row->name, bridge);
		if (joins((enum store_phase)row->phase, row->b, bridge))
			plan_join(p, row->peer, bridge);
	}
}

// ---- routes ----

typedef char route_key[ROUTE_ID];

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

// The keys of all routes of ours that the kernel has, sorted.
static route_key *present(struct arena *a, size_t *n)
{
	struct rtnl_routes four, six;
	route_key *ids;

	if (rtnl_read_routes(AF_INET, OUR_PROTOCOL, a, &four) != 0)
		four.n = 0; // then each is asked for
	if (rtnl_read_routes(AF_INET6, OUR_PROTOCOL, a, &six) != 0)
		six.n = 0;
	ids = arena_alloc(a, (four.n + six.n + 1) * sizeof(*ids));
	*n = 0;
	for (size_t i = 0; i < four.n; i++)
		route_id(&four.v[i], ids[(*n)++]);
	for (size_t i = 0; i < six.n; i++)
		route_id(&six.v[i], ids[(*n)++]);
	qsort(ids, *n, sizeof(*ids), by_text);
	return ids;
}

// Is the link up?  Rows of one link often stand together, so the last answer is remembered.
static bool is_up(const char *device, struct arena *a, char last[16], bool *last_up)
{
	struct rtnl_links l;

	if (strcmp(device, last) != 0) {
		*last_up =
		    rtnl_read_links(&(struct rtnl_filter){.name = device, .brief = true}, a, &l) == 0 && l.n == 1 && (l.v[0].flags & IFF_UP) != 0;
		copy_text(last, 16, device);
	}
	return *last_up;
}

static void plan_missing(struct plan *p, bool only_up)
{
	struct arena a = {0};
	route_key *have, id;
	char last[16] = "";
	bool last_up = false;
	size_t n;

	if (cache_n_route() == 0)
		return;
	have = present(&a, &n);
	for (size_t i = 0; i < cache_n_route(); i++) {
		const struct row_route *row = cache_at_route(i);

		COPY_TEXT(id, row->id);
		if (row->phase == PHASE_DONE && bsearch(id, have, n, sizeof(*have), by_text) == NULL &&
		    (!only_up || row->device == NULL || is_up(row->device, &a, last, &last_up)))
			route_add_args(row, &plan_add(p, OP_route_add, OPS_OK, row->destination)->route_add);
	}
	arena_finish(&a);
}

void plan_routes(struct plan *p)
{
	plan_missing(p, false);
}

void plan_routes_up(struct plan *p)
{
	plan_missing(p, true);
}

static void plan_route_delete(struct plan *p, const char *id)
{
	struct row_route row = {0};
	char destination[CIDR_TEXT];

	if (sscanf(id, "%" SCNd64 "|%51[^|]|%" SCNd64, &row.table, destination, &row.metric) != 3)
		return;
	row.destination = destination;
	route_del_args(&row, &plan_add(p, OP_route_del, OPS_NOT_FOUND, id)->route_del);
}

void plan_stray_routes(struct plan *p, struct change *c)
{
	struct arena a = {0};
	route_key *have;
	size_t n;

	for (size_t i = cache_n_route(); i-- > 0;) {
		const struct row_route *row = cache_at_route(i);
		if (row->phase == PHASE_DONE)
			continue;
		change_del_route(c, row->id);
		cache_drop_route(row->id);
	}
	have = present(&a, &n);
	for (size_t i = 0; i < n; i++)
		if (cache_find_route(have[i]) == NULL)
			plan_route_delete(p, have[i]);
	arena_finish(&a);
}

// ---- carrying it out ----

struct run {
	struct task t;
	struct plan plan;
	unsigned again;
	void (*failed)(const struct plan_item *i, const struct priv_reply *r);
	void (*ended)(void *arg);
	void *arg;
};

static void judge(const struct run *r, const struct plan_item *i, const struct priv_reply *reply)
{
	if (priv_ok(reply) || (reply->outcome == PRIV_ANSWERED && reply->status == i->harmless))
		return;
	log_warn("not restored", "what=%s why=%s", i->what, priv_error(reply));
	if (r->failed != NULL)
		r->failed(i, reply);
}

// Steps 0 to n-1 ask, each after the answer to the one before.
static void run_step(struct task *t)
{
	struct run *r = (struct run *)t;
	size_t at = (size_t)t->step++;

	if (at > 0 && t->reply->outcome == PRIV_INTERRUPTED && r->again++ < AGAIN_MAX)
		t->step = (int)at--; // the helper died over it: the next one is asked the same
	else if (at > 0)
		judge(r, &r->plan.v[at - 1], t->reply);
	if (at < r->plan.n) {
		task_priv(t, r->plan.v[at].op, &r->plan.v[at].args, NULL);
		return;
	}
	r->ended(r->arg);
	free(r->plan.v);
	task_done(t, true);
}

void plan_run(struct plan *p, void (*failed)(const struct plan_item *i, const struct priv_reply *r), void (*ended)(void *arg), void *arg)
{
	struct run *r = task_new(sizeof(*r), "restore", NULL, run_step);

	r->plan = *p;
	*p = (struct plan){0};
	r->failed = failed;
	r->ended = ended;
	r->arg = arg;
	task_run(&r->t);
}
