// net.bridge.connect.
//
// Of bridges of Linux; those of Open vSwitch are ovs_patch.c's.  A pair of veths, each end a port of its bridge.  The row comes first; then the pair is made, joined on both sides, and the row is done.  Ports
// leave their connection together: rpc_net_port.c hands one that is to be removed to connection_remove().
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/bridge_kin.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/connection.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/names.h"
#include "unpriv/posternd/ovs_patch.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/tenant.h"

#define TRIES 100 // numbers whose names others may have

struct connect {
	struct task t;
	char name[16], peer[16], a[16], b[16];
	bool fresh; // no row had these bridges before
};

static bool text_is(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static void commit(struct connect *k, enum store_phase phase)
{
	struct change *c = change_new();
	const struct row_connection *have = cache_find_connection(k->name);
	struct row_connection row = {.name = k->name, .kind = connection_kind_veth, .peer = k->peer, .a = k->a, .b = k->b};

	row.tenant = have != NULL ? have->tenant : k->t.rq->tenant;
	row.phase = phase;
	change_put_connection(c, cache_set_connection(&row));
	task_commit(&k->t, c);
}

static void forget(struct connect *k)
{
	struct change *c = change_new();

	change_del_connection(c, k->name);
	cache_drop_connection(k->name);
	task_commit(&k->t, c);
}

static void ask_pair(struct connect *k)
{
	struct op_link_add_args a;

	connection_add_args(&(struct row_connection){.name = k->name, .peer = k->peer}, &a);
	task_priv(&k->t, OP_link_add, &a, NULL);
}

static void ask_join(struct connect *k, const char *port, const char *bridge)
{
	struct op_link_set_args a = {.has_up = true, .up = true, .has_master = true};

	COPY_TEXT(a.name, port);
	COPY_TEXT(a.master, bridge);
	task_priv(&k->t, OP_link_set, &a, NULL);
}

static void ask_delete(struct connect *k)
{
	struct op_links_del_args a = {.names = {.n = 1}};

	COPY_TEXT(a.names.v[0], k->name);
	task_priv(&k->t, OP_links_del, &a, NULL);
}

static void reply(struct request *rq, const char *name_a, const char *name_b, bool changed)
{
	reply_net_bridge_connect(
	    rq, &(struct rpc_net_bridge_connect_result){
	            .changed = changed, .has_name_a = name_a != NULL, .name_a = name_a, .has_name_b = name_b != NULL, .name_b = name_b});
}

enum { ADD_STORED, ADD_MADE, ADD_JOINED_A, ADD_JOINED_B, ADD_DONE, ADD_UNDONE, ADD_FORGOTTEN };

// made: the pair may be there.  A connection that was there before, and only had to be made again, keeps its row: the next start tries again.
static void undo(struct connect *k, bool made)
{
	task_keep(&k->t);
	if (!k->fresh) {
		task_fail(&k->t);
	} else if (made) {
		k->t.step = ADD_UNDONE;
		ask_delete(k);
	} else {
		k->t.step = ADD_FORGOTTEN;
		forget(k);
	}
}

// A pair that only has to be joined again.
static bool is_there(const struct connect *k)
{
	return !k->fresh && k->t.reply->outcome == PRIV_ANSWERED && k->t.reply->status == OPS_EXISTS;
}

static void add_step(struct task *t)
{
	struct connect *k = (struct connect *)t;

	switch (t->step++) {
	case ADD_STORED:
		if (t->err != 0)
			cache_drop_connection(k->name);
		if (!task_store_failed(t))
			ask_pair(k);
		return;
	case ADD_MADE:
		if (priv_ok(t->reply) || is_there(k))
			ask_join(k, k->name, k->a);
		else
			undo(k, priv_unsure(t->reply));
		return;
	case ADD_JOINED_A:
		if (priv_ok(t->reply))
			ask_join(k, k->peer, k->b);
		else
			undo(k, true);
		return;
	case ADD_JOINED_B:
		if (priv_ok(t->reply))
			commit(k, PHASE_DONE);
		else
			undo(k, true);
		return;
	case ADD_DONE:
		if (task_store_failed(t))
			return;
		reply(t->rq, k->name, k->peer, true);
		task_done(t, true);
		return;
	case ADD_UNDONE:
		if (task_repeat(t)) {
			ask_delete(k);
			return;
		}
		t->reply = &t->kept; // what is left all the same is a stray, for the sweep
		forget(k);
		return;
	case ADD_FORGOTTEN: task_fail(t); return;
	}
}

static bool is_bridge(struct request *rq, const struct net_view *v, const char *name)
{
	const struct rtnl_link *l = net_view_link(v, name);

	if (l != NULL && strcmp(l->kind, "bridge") == 0 && tenant_may_join(rq->tenant, name))
		return true;
	fail_with(rq, &(struct failure){.kind = FAIL_NOT_FOUND,
	                                .detail = arena_printf(rq->arena, "there is no bridge %s", name),
	                                .hint = l != NULL ? "Bridges of Open vSwitch are connected by kind patch." : NULL});
	return false;
}

static bool listed(const char *const *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], name) == 0)
			return true;
	return false;
}

// Is there a way from one bridge to the other by connections alone?
static bool reaches(struct request *rq, const char *from, const char *to)
{
	const char **seen = arena_alloc(rq->arena, (cache_n_connection() + 1) * sizeof(char *));
	size_t n = 0;

	seen[n++] = from;
	for (size_t at = 0; at < n; at++)
		for (size_t i = 0; i < cache_n_connection(); i++) {
			const struct row_connection *row = cache_at_connection(i);
			const char *next = text_is(row->a, seen[at]) ? row->b : text_is(row->b, seen[at]) ? row->a : NULL;

			if (next != NULL && !listed(seen, n, next))
				seen[n++] = next;
		}
	return listed(seen, n, to);
}

static bool runs_stp(const char *bridge)
{
	const struct row_bridge *row = cache_find_bridge(bridge);

	return row != NULL && row->stp != 0;
}

static struct row_connection *between(const char *a, const char *b)
{
	for (size_t i = 0; i < cache_n_connection(); i++) {
		struct row_connection *row = cache_at_connection(i);
		if ((text_is(row->a, a) && text_is(row->b, b)) || (text_is(row->a, b) && text_is(row->b, a)))
			return row;
	}
	return NULL;
}

static bool joined(const struct net_view *v, const char *port, const char *bridge)
{
	const struct rtnl_link *p = net_view_link(v, port), *b = net_view_link(v, bridge);

	return p != NULL && b != NULL && p->master == b->index;
}

static void start(struct request *rq, const char *name, const char *peer, const char *a, const char *b, bool fresh)
{
	struct connect *k = task_new(sizeof(*k), "bridge.connect", rq, add_step);

	COPY_TEXT(k->name, name);
	COPY_TEXT(k->peer, peer);
	COPY_TEXT(k->a, a);
	COPY_TEXT(k->b, b);
	k->fresh = fresh;
	if (fresh) {
		commit(k, PHASE_MAKING);
	} else {
		k->t.step = ADD_MADE;
		ask_pair(k);
	}
}

// The bridges are connected by a row: that is answered, or made again where somebody deleted it.
static void answer_row(struct request *rq, const struct rpc_net_bridge_connect_params *p, const struct net_view *v, const struct row_connection *row)
{
	bool turned = text_is(row->a, p->b);
	const char *name_a = turned ? row->peer : row->name, *name_b = turned ? row->name : row->peer;
	bool there = joined(v, row->name, row->a) && joined(v, row->peer, row->b);

	if (row->phase != PHASE_DONE)
		fail(rq, FAIL_BUSY, "%s and %s are just being connected or parted", p->a, p->b);
	else if ((p->has_name_a && !text_is(name_a, p->name_a)) || (p->has_name_b && !text_is(name_b, p->name_b)))
		fail_with(rq, &(struct failure){.kind = FAIL_ALREADY_EXISTS,
		                                .detail = arena_printf(rq->arena, "%s and %s are connected already", p->a, p->b),
		                                .holder = row->name,
		                                .hint = "A second connection would make a loop. Remove the port first."});
	else if (there || rq->dry_run)
		reply(rq, name_a, name_b, !there);
	else
		start(rq, row->name, row->peer, row->a, row->b, false);
}

static bool params_fit(struct request *rq, const struct rpc_net_bridge_connect_params *p)
{
	if (strcmp(p->a, p->b) == 0)
		fail_params(rq, "parameter \"b\": \"%s\" was given, as for a; allowed is another bridge", p->b);
	else if (p->has_name_a && p->has_name_b && strcmp(p->name_a, p->name_b) == 0)
		fail_params(rq, "parameter \"name_b\": \"%s\" was given, as for name_a; allowed is another name", p->name_b);
	else
		return true;
	return false;
}

static bool names_free(struct request *rq, const struct net_view *v, const char *const names[2])
{
	for (int i = 0; i < 2; i++)
		if (names[i] != NULL && net_view_link(v, names[i]) != NULL) {
			fail(rq, FAIL_ALREADY_EXISTS, "there is an interface %s already", names[i]);
			return false;
		}
	return true;
}

static const char *choose(struct request *rq, const struct net_view *v, uint32_t number, char side)
{
	const char *name = arena_printf(rq->arena, "%.8sc%u%c", daemon_config()->interface_prefix, number, side);

	return net_view_link(v, name) == NULL && connection_of(name) == NULL ? name : NULL;
}

static void connect_anew(struct request *rq, const struct rpc_net_bridge_connect_params *p, const struct net_view *v)
{
	const char *names[2] = {p->has_name_a ? p->name_a : NULL, p->has_name_b ? p->name_b : NULL};

	if (!names_free(rq, v, names))
		return;
	if (rq->dry_run) {
		reply(rq, names[0], names[1], true);
		return;
	}
	for (int tries = 0; tries < TRIES && (names[0] == NULL || names[1] == NULL); tries++) {
		uint32_t number = names_next("connection");
		names[0] = names[0] != NULL ? names[0] : choose(rq, v, number, 'a');
		names[1] = names[1] != NULL ? names[1] : choose(rq, v, number, 'b');
	}
	if (names[0] == NULL || names[1] == NULL)
		fail(rq, FAIL_QUOTA_EXCEEDED, "no name is free for a port");
	else
		start(rq, names[0], names[1], p->a, p->b, true);
}

void rpc_net_bridge_connect(struct request *rq, const struct rpc_net_bridge_connect_params *p)
{
	const struct row_connection *row = between(p->a, p->b);
	struct net_view v;

	if (!params_fit(rq, p))
		return;
	if (p->has_kind && p->kind == connection_kind_patch) {
		ovs_patch_connect(rq, p);
		return;
	}
	if (!net_read_view(rq, &v) || !is_bridge(rq, &v, p->a) || !is_bridge(rq, &v, p->b))
		return;
	if (row != NULL)
		answer_row(rq, p, &v, row);
	else if (kin_connections(p->a) >= KIN_CONNECTIONS || kin_connections(p->b) >= KIN_CONNECTIONS)
		fail(rq, FAIL_QUOTA_EXCEEDED, "a bridge is connected to %d others at most", KIN_CONNECTIONS);
	else if (reaches(rq, p->a, p->b) && !(runs_stp(p->a) && runs_stp(p->b)))
		fail_hint(rq, FAIL_INVALID_STATE, "Run spanning tree on the bridges, or part them elsewhere first.",
		          "%s and %s are connected by way of others: this would make a loop", p->a, p->b);
	else
		connect_anew(rq, p, &v);
}

// ---- the end of one ----

enum { END_STORED, END_GONE, END_DONE, END_KEPT };

static void end_step(struct task *t)
{
	struct connect *k = (struct connect *)t;
	struct row_connection *row = cache_find_connection(k->name);

	switch (t->step++) {
	case END_STORED:
		if (t->err != 0 && row != NULL)
			row->phase = PHASE_DONE;
		if (!task_store_failed(t))
			ask_delete(k);
		return;
	case END_GONE:
		if (task_repeat(t)) {
			ask_delete(k);
		} else if (priv_ok(t->reply)) {
			forget(k);
		} else {
			task_keep(t);
			t->step = END_KEPT;
			commit(k, PHASE_DONE);
		}
		return;
	case END_DONE:
		if (task_store_failed(t))
			return;
		reply_net_bridge_remove_port(t->rq, &(struct rpc_net_bridge_remove_port_result){.changed = true, .removed = true});
		task_done(t, true);
		return;
	case END_KEPT: task_fail(t); return;
	}
}

void connection_remove(struct request *rq, const struct row_connection *row)
{
	struct connect *k;

	if (row->phase != PHASE_DONE) {
		fail(rq, FAIL_BUSY, "%s and %s are just being connected or parted", row->a, row->b);
		return;
	}
	k = task_new(sizeof(*k), "bridge.remove_port", rq, end_step);
	COPY_TEXT(k->name, row->name);
	COPY_TEXT(k->peer, row->peer);
	COPY_TEXT(k->a, row->a);
	COPY_TEXT(k->b, row->b);
	commit(k, PHASE_REMOVING);
}
