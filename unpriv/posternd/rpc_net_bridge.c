// net.bridge.add, delete, add_port, remove_port.
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/bridge.h"
#include "unpriv/posternd/bridge_kin.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/net_back.h"
#include "unpriv/posternd/net_dry.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/task.h"

// True where both are NULL, or the same text.
static bool same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void commit_bridge(struct task *t, const struct row_bridge *row)
{
	struct change *c = change_new();

	change_put_bridge(c, cache_set_bridge(row));
	task_commit(t, c);
}

// The same with what goes with it: everything is to go, or stays after all.
static void commit_all(struct task *t, struct row_bridge *row, enum store_phase phase)
{
	struct change *c = change_new();

	row->phase = phase;
	change_put_bridge(c, row);
	kin_mark(c, row->name, phase);
	task_commit(t, c);
}

static void forget_bridge(struct task *t, const char *name)
{
	struct change *c = change_new();

	change_del_bridge(c, name);
	kin_forget(c, name);
	cache_drop_bridge(name);
	task_commit(t, c);
}

static bool view_of_bridge(struct request *rq, const char *name, struct obj_bridge *out)
{
	struct net_view v;
	const struct rtnl_link *l;

	if (!net_read_view(rq, &v))
		return false;
	l = net_view_link(&v, name);
	if (l == NULL)
		fail(rq, FAIL_IO, "bridge %s is gone again", name);
	else
		net_view_bridge(&v, l, rq->arena, out);
	return l != NULL;
}

static void reply_added(struct request *rq, const char *name, bool changed)
{
	struct rpc_net_bridge_add_result r = {.changed = changed, .has_bridge = true};

	if (view_of_bridge(rq, name, &r.bridge))
		reply_net_bridge_add(rq, &r);
}

// ---- add ----

struct bridge_add {
	struct task t;
	const struct rpc_net_bridge_add_params *p;
	struct wire_addr address;
};

static struct row_bridge row_of(const struct request *rq, const struct rpc_net_bridge_add_params *p)
{
	return (struct row_bridge){
	    .name = p->name,
	    .phase = PHASE_MAKING,
	    .mac = p->has_mac ? p->mac : NULL,
	    .address = p->has_address ? p->address : NULL,
	    .mtu = p->has_mtu ? p->mtu : 0,
	    .stp = p->has_stp && p->stp,
	    .vlan_filtering = p->has_vlan_filtering && p->vlan_filtering,
	    .tenant = rq->tenant,
	};
}

static void ask_link_add(struct bridge_add *b)
{
	struct row_bridge row = row_of(b->t.rq, b->p);
	struct op_link_add_args a;

	bridge_args(&row, &a);
	task_priv(&b->t, OP_link_add, &a, NULL);
}

static void ask_address_add(struct bridge_add *b)
{
	struct op_address_add_args a = {.address = b->address};

	COPY_TEXT(a.device, b->p->name);
	task_priv(&b->t, OP_address_add, &a, NULL);
}

static void ask_up(struct bridge_add *b)
{
	struct row_bridge row = row_of(b->t.rq, b->p);
	struct op_link_set_args a;

	bridge_up_args(&row, &a);
	task_priv(&b->t, OP_link_set, &a, NULL);
}

static void ask_delete(struct task *t, const char *name)
{
	struct op_links_del_args a = {.names = {.n = 1}};

	COPY_TEXT(a.names.v[0], name);
	task_priv(t, OP_links_del, &a, NULL);
}

static void joined(void *arg)
{
	struct task *t = arg;

	t->run(t);
}

enum { ADD_STORED, ADD_MADE, ADD_ADDRESSED, ADD_UP, ADD_JOINED, ADD_DONE, ADD_UNDONE, ADD_FORGOTTEN };

static void undo_add(struct bridge_add *b, bool made)
{
	task_keep(&b->t);
	b->t.step = made ? ADD_UNDONE : ADD_FORGOTTEN;
	if (made)
		ask_delete(&b->t, b->p->name);
	else
		forget_bridge(&b->t, b->p->name);
}

static void bridge_add_step(struct task *t)
{
	struct bridge_add *b = (struct bridge_add *)t;
	struct row_bridge row = row_of(t->rq, b->p);

	switch (t->step++) {
	case ADD_STORED:
		if (t->err != 0)
			cache_drop_bridge(b->p->name);
		if (!task_store_failed(t))
			ask_link_add(b);
		return;
	case ADD_MADE:
		if (!priv_ok(t->reply))
			undo_add(b, priv_unsure(t->reply));
		else if (b->p->has_address)
			ask_address_add(b);
		else
			ask_up(b), t->step = ADD_UP;
		return;
	case ADD_ADDRESSED:
		if (!priv_ok(t->reply))
			undo_add(b, true);
		else
			ask_up(b);
		return;
	case ADD_UP:
		if (!priv_ok(t->reply)) {
			undo_add(b, true);
			return;
		}
		net_back_bridge(b->p->name, joined, t); // one that somebody deleted takes its ports and routes back
		return;
	case ADD_JOINED:
		row.phase = PHASE_DONE;
		commit_bridge(t, &row);
		return;
	case ADD_DONE:
		if (task_store_failed(t))
			return;
		reply_added(t->rq, b->p->name, true);
		task_done(t, true);
		return;
	case ADD_UNDONE:
		if (task_repeat(t)) {
			ask_delete(t, b->p->name);
			return;
		}
		t->reply = &t->kept; // what is left all the same is a stray, for the sweep
		forget_bridge(t, b->p->name);
		return;
	case ADD_FORGOTTEN: task_fail(t); return;
	}
}

// Answers what needs no work: a bridge of that name is there.  True when it has answered.  One that somebody else has deleted is made again.
static bool answered_by_row(struct request *rq, const struct rpc_net_bridge_add_params *p)
{
	const struct row_bridge *have = cache_find_bridge(p->name);
	struct row_bridge want = row_of(rq, p);

	if (have == NULL)
		return false;
	if (have->phase != PHASE_DONE)
		fail(rq, FAIL_BUSY, "bridge %s is just being made or deleted", p->name);
	else if (same(have->mac, want.mac) && same(have->address, want.address) && have->mtu == want.mtu && have->stp == want.stp &&
	         have->vlan_filtering == want.vlan_filtering && same(have->tenant, want.tenant)) {
		struct net_view v;

		if (!net_read_view(rq, &v))
			return true;
		if (net_view_link(&v, p->name) == NULL)
			return false;
		reply_added(rq, p->name, false);
	} else
		fail_hint(rq, FAIL_ALREADY_EXISTS, "Delete it first, or choose another name.", "bridge %s exists with other properties", p->name);
	return true;
}

void rpc_net_bridge_add(struct request *rq, const struct rpc_net_bridge_add_params *p)
{
	struct row_bridge row = row_of(rq, p);
	struct bridge_add *b;
	struct wire_addr address = {0};
	uint8_t mac[6] = {0};

	if (p->has_address && !addr_parse(p->address, &address)) {
		fail_params(rq, "address: \"%s\" is no address with prefix length", p->address);
		return;
	}
	if (p->has_mac && !mac_parse(p->mac, mac)) {
		fail_params(rq, "mac: \"%s\" is no unicast MAC address", p->mac);
		return;
	}
	if (answered_by_row(rq, p))
		return;
	if (rq->dry_run) {
		if (net_dry_bridge(rq, p->name))
			reply_net_bridge_add(rq, &(struct rpc_net_bridge_add_result){.changed = true});
		return;
	}
	b = task_new(sizeof(*b), "bridge.add", rq, bridge_add_step);
	b->p = p;
	b->address = address;
	commit_bridge(&b->t, &row);
}

// ---- delete ----

struct bridge_delete {
	struct task t;
	char name[16];
	bool removed;
};

static void ask_delete_all(struct task *t, const char *name)
{
	struct op_links_del_args a;

	kin_links(name, &a);
	task_priv(t, OP_links_del, &a, NULL);
}

// Nothing was stored: it stays as it was.
static void spare(struct row_bridge *row)
{
	struct change *c = change_new();

	row->phase = PHASE_DONE;
	kin_mark(c, row->name, PHASE_DONE);
	store_commit(c, NULL, NULL);
}

static void bridge_delete_step(struct task *t)
{
	struct bridge_delete *b = (struct bridge_delete *)t;
	struct row_bridge *row = cache_find_bridge(b->name);

	switch (t->step++) {
	case 0:
		if (t->err != 0)
			spare(row);
		if (!task_store_failed(t))
			ask_delete_all(t, b->name);
		return;
	case 1:
		if (task_repeat(t)) {
			ask_delete_all(t, b->name);
			return;
		}
		if (!priv_ok(t->reply)) {
			task_keep(t);
			t->step = 3;
			commit_all(t, row, PHASE_DONE);
			return;
		}
		b->removed = t->reply->res->links_del.removed > 0;
		forget_bridge(t, b->name);
		return;
	case 2:
		if (task_store_failed(t))
			return;
		reply_net_bridge_delete(t->rq, &(struct rpc_net_bridge_delete_result){.changed = true, .removed = b->removed});
		task_done(t, true);
		return;
	case 3: task_fail(t); return;
	}
}

// The name of a port, or NULL; "" and an answered failure where the kernel can't be asked.
static const char *some_port(struct request *rq, const char *bridge)
{
	struct net_view v;
	const struct rtnl_link *l;

	if (!net_read_view(rq, &v))
		return "";
	l = net_view_link(&v, bridge);
	for (size_t i = 0; l != NULL && i < v.links.n; i++)
		if (v.links.v[i].master == l->index)
			return v.links.v[i].name;
	return NULL;
}

void rpc_net_bridge_delete(struct request *rq, const struct rpc_net_bridge_delete_params *p)
{
	struct row_bridge *row = cache_find_bridge(p->name);
	const char *port;
	struct bridge_delete *b;

	if (row == NULL || !tenant_sees(rq, row->tenant)) {
		reply_net_bridge_delete(rq, &(struct rpc_net_bridge_delete_result){.removed = false});
		return;
	}
	if (row->phase != PHASE_DONE) {
		fail(rq, FAIL_BUSY, "bridge %s is just being made or deleted", p->name);
		return;
	}
	port = p->has_force && p->force ? NULL : some_port(rq, p->name);
	if (port != NULL) {
		if (port[0] != '\0')
			fail_with(
			    rq, &(struct failure){
			            .kind = FAIL_BUSY, .detail = "the bridge has ports", .holder = port, .hint = "Remove its ports, or use force."});
		return;
	}
	if (rq->dry_run) {
		reply_net_bridge_delete(rq, &(struct rpc_net_bridge_delete_result){.changed = true, .removed = true});
		return;
	}
	b = task_new(sizeof(*b), "bridge.delete", rq, bridge_delete_step);
	COPY_TEXT(b->name, p->name);
	commit_all(&b->t, row, PHASE_REMOVING);
}
