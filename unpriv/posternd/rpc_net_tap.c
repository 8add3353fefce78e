// net.vm.create_tap, delete_tap, list.
//
// A tap's name is durable from before it is made until after it is gone: what refers to it (address translation, a VM) must not outlive it.
// Several taps are made within one task; when one fails, those made before it go again.
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/many.h"
#include "unpriv/posternd/net_dry.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/tap.h"
#include "unpriv/posternd/tap_pool.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/tenant.h"

#define TAPS_MAX 1024 // of one delete

#define CREATING 16 // at a time

struct tap_task {
	struct task t;
	const struct rpc_net_vm_create_tap_params *p;
	struct many many;
	size_t n;
	uint32_t removed;
	char (*names)[16]; // in the request's arena
};

// ---- list ----

// The address as the kernel shows it; as it is to be, where the kernel has no such tap.
static const char *mac_of(struct arena *a, const struct row_tap *row, const struct rtnl_link *l)
{
	char *text;

	if (l == NULL || !l->has_mac)
		return row->mac;
	text = arena_alloc(a, MAC_TEXT);
	mac_text(l->mac, text);
	return text;
}

static void fill(struct arena *a, const struct row_tap *row, const struct net_view *v, struct obj_tap *out)
{
	const struct rtnl_link *l = net_view_link(v, row->name);
	const char *mac = mac_of(a, row, l);

	*out = (struct obj_tap){
	    .name = row->name,
	    .has_bridge = row->bridge != NULL,
	    .bridge = row->bridge,
	    .has_mac = mac != NULL,
	    .mac = mac,
	    .has_mtu = l != NULL,
	    .mtu = l != NULL ? l->mtu : 0,
	    .owner_uid = row->owner_uid,
	    .up = l != NULL && (l->flags & IFF_UP) != 0,
	    .present = l != NULL,
	    .created_unix = row->created_unix,
	};
}

void rpc_net_vm_list(struct request *rq, const struct rpc_net_vm_list_params *p)
{
	struct net_view v;
	struct list_tap l = {.v = arena_alloc(rq->arena, (cache_n_tap() + 1) * sizeof(*l.v))};

	(void)p;
	if (!net_read_view(rq, &v))
		return;
	for (size_t i = 0; i < cache_n_tap(); i++)
		if (tenant_sees(rq, cache_at_tap(i)->tenant))
			fill(rq->arena, cache_at_tap(i), &v, &l.v[l.n++]);
	reply_net_vm_list(rq, &(struct rpc_net_vm_list_result){.taps = l});
}

// ---- create ----

static void reply_created(struct tap_task *k, bool changed)
{
	struct request *rq = k->t.rq;
	struct rpc_net_vm_create_tap_result r = {.changed = changed, .has_taps = k->p->has_count, .has_tap = !k->p->has_count};
	struct net_view v;

	if (!net_read_view(rq, &v))
		return;
	r.taps.v = arena_zalloc(rq->arena, k->n * sizeof(*r.taps.v));
	for (size_t i = 0; i < k->n; i++) {
		const struct row_tap *row = cache_find_tap(k->names[i]);
		if (row != NULL)
			fill(rq->arena, row, &v, &r.taps.v[r.taps.n++]);
	}
	if (r.taps.n > 0)
		r.tap = r.taps.v[0];
	r.has_tap = r.has_tap && r.taps.n > 0;
	reply_net_vm_create_tap(rq, &r);
}

static struct row_tap row_of(const struct tap_task *k, size_t i)
{
	const struct rpc_net_vm_create_tap_params *p = k->p;

	return (struct row_tap){
	    .name = k->names[i],
	    .phase = PHASE_MAKING,
	    .bridge = p->has_bridge ? p->bridge : NULL,
	    .mac = p->has_mac ? p->mac : NULL,
	    .mtu = p->has_mtu ? p->mtu : 0,
	    .owner_uid = p->has_owner_uid ? p->owner_uid : getuid(),
	    .vnet_hdr = p->has_vnet_hdr && p->vnet_hdr,
	    .multi_queue = p->has_multi_queue && p->multi_queue,
	    .created_unix = time(NULL),
	    .tenant = k->t.rq->tenant,
	};
}

// Writes all rows of the task in one change: as they are to be, or gone.
static void commit_rows(struct tap_task *k, enum store_phase phase)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++) {
		struct row_tap *have = cache_find_tap(k->names[i]);
		struct row_tap row = have != NULL ? *have : row_of(k, i);
		row.phase = phase;
		change_put_tap(c, cache_set_tap(&row));
	}
	task_commit(&k->t, c);
}

static void forget_rows(struct tap_task *k)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++) {
		change_del_tap(c, k->names[i]);
		cache_drop_tap(k->names[i]);
	}
	task_commit(&k->t, c);
}

static void create_args(struct task *t, size_t i, union op_args *a)
{
	tap_args(cache_find_tap(((struct tap_task *)t)->names[i]), &a->tap_create);
}

static void ask_create(struct tap_task *k)
{
	k->many = (struct many){.t = &k->t, .op = OP_tap_create, .n = k->n, .width = CREATING, .args = create_args};
	many_run(&k->many);
}

static void delete_args(struct task *t, size_t i, union op_args *a)
{
	const struct tap_task *k = (struct tap_task *)t;
	struct wire_ifname_list *l = &a->links_del.names;

	for (size_t at = i * WIRE_IFNAMES_MAX; at < k->n && l->n < WIRE_IFNAMES_MAX; at++, l->n++)
		COPY_TEXT(l->v[l->n], k->names[at]);
}

static void deleted(struct task *t, const struct priv_reply *r)
{
	((struct tap_task *)t)->removed += r->res->links_del.removed;
}

// In as many requests as it takes, all at once: the kernel is asked for what comes together at one time.
static void ask_delete(struct tap_task *k)
{
	size_t requests = (k->n + WIRE_IFNAMES_MAX - 1) / WIRE_IFNAMES_MAX;

	k->many = (struct many){.t = &k->t, .op = OP_links_del, .n = requests, .width = requests, .args = delete_args, .done = deleted};
	many_run(&k->many);
}

enum { CREATE_STORED, CREATE_MADE, CREATE_DONE, CREATE_UNDONE, CREATE_FORGOTTEN };

static void create_made(struct tap_task *k)
{
	if (!priv_ok(k->t.reply)) {
		task_keep(&k->t);
		k->t.step = CREATE_UNDONE;
		ask_delete(k);
	} else
		commit_rows(k, PHASE_DONE);
}

static void create_step(struct task *t)
{
	struct tap_task *k = (struct tap_task *)t;

	switch (t->step++) {
	case CREATE_STORED:
		for (size_t i = 0; t->err != 0 && i < k->n; i++)
			cache_drop_tap(k->names[i]);
		if (!task_store_failed(t))
			ask_create(k);
		return;
	case CREATE_MADE: create_made(k); return;
	case CREATE_DONE:
		if (task_store_failed(t))
			return;
		reply_created(k, true);
		task_done(t, true);
		return;
	case CREATE_UNDONE:
		if (task_repeat(t)) {
			ask_delete(k);
			return;
		}
		t->reply = &t->kept;
		forget_rows(k);
		return;
	case CREATE_FORGOTTEN: task_fail(t); return;
	}
}

// Answers what needs no work: a tap of that name is there.  True when it has answered.  One that somebody else has deleted is made again.
static bool answered_by_row(struct tap_task *k, const struct row_tap *have)
{
	struct row_tap want = row_of(k, 0);
	bool same_bridge = (have->bridge == NULL) == (want.bridge == NULL) && (have->bridge == NULL || strcmp(have->bridge, want.bridge) == 0);

	if (have->phase != PHASE_DONE)
		fail(k->t.rq, FAIL_BUSY, "tap %s is just being made or deleted", have->name);
	else if (tenant_sees(k->t.rq, have->tenant) && have->vm == NULL && same_bridge && have->owner_uid == want.owner_uid &&
	         have->vnet_hdr == want.vnet_hdr && have->multi_queue == want.multi_queue) {
		struct net_view v;

		if (!net_read_view(k->t.rq, &v))
			return true;
		if (net_view_link(&v, have->name) == NULL)
			return false;
		reply_created(k, false);
	} else
		fail_hint(k->t.rq, FAIL_ALREADY_EXISTS, "Delete it first, or choose another name.", "tap %s exists with other properties",
		          have->name);
	return true;
}

static bool choose_names(struct tap_task *k)
{
	if (k->p->has_name) {
		COPY_TEXT(k->names[0], k->p->name);
		return true;
	}
	if (k->t.rq->dry_run)
		return true;
	for (size_t i = 0; i < k->n; i++) {
		bool warm = !(k->p->has_multi_queue && k->p->multi_queue) && tap_pool_acquire(k->names[i]);
		if (!warm && !tap_free_name(daemon_config()->interface_prefix, k->names[i]))
			return false;
	}
	return true;
}

static bool params_fit(struct request *rq, const struct rpc_net_vm_create_tap_params *p)
{
	uint8_t mac[6];

	if (p->has_count && (p->has_name || p->has_mac))
		fail_params(rq, "count: can't be given together with name or mac");
	else if (p->has_mac && !mac_parse(p->mac, mac))
		fail_params(rq, "mac: \"%s\" is no unicast MAC address", p->mac);
	else if (p->has_bridge && !tenant_may_join(rq->tenant, p->bridge))
		fail(rq, FAIL_NOT_FOUND, "there is no bridge %s", p->bridge);
	else
		return true;
	return false;
}

void rpc_net_vm_create_tap(struct request *rq, const struct rpc_net_vm_create_tap_params *p)
{
	struct tap_task *k;

	if (!params_fit(rq, p))
		return;
	k = task_new(sizeof(*k), "create_tap", rq, create_step);
	k->p = p;
	k->n = p->has_count ? (size_t)p->count : 1;
	k->names = arena_zalloc(rq->arena, k->n * sizeof(*k->names));
	if (!choose_names(k)) {
		fail(rq, FAIL_QUOTA_EXCEEDED, "no name is free for another tap");
		task_done(&k->t, false);
	} else if (p->has_name && cache_find_tap(p->name) != NULL && answered_by_row(k, cache_find_tap(p->name))) {
		task_done(&k->t, true);
	} else if (rq->dry_run) {
		if (net_dry_tap(rq, p->has_name ? p->name : NULL, p->has_bridge ? p->bridge : NULL))
			reply_net_vm_create_tap(rq, &(struct rpc_net_vm_create_tap_result){.changed = true});
		task_done(&k->t, true);
	} else
		commit_rows(k, PHASE_MAKING);
}

// ---- delete ----

static void deleted_some(struct tap_task *k)
{
	struct task *t = &k->t;

	if (task_repeat(t)) {
		ask_delete(k);
		return;
	}
	if (!priv_ok(t->reply)) {
		task_keep(t);
		t->step = 3;
		commit_rows(k, PHASE_DONE);
		return;
	}
	forget_rows(k);
}

static void delete_step(struct task *t)
{
	struct tap_task *k = (struct tap_task *)t;

	switch (t->step++) {
	case 0:
		for (size_t i = 0; t->err != 0 && i < k->n; i++)
			cache_find_tap(k->names[i])->phase = PHASE_DONE;
		if (!task_store_failed(t))
			ask_delete(k);
		return;
	case 1: deleted_some(k); return;
	case 2:
		if (task_store_failed(t))
			return;
		reply_net_vm_delete_tap(t->rq, &(struct rpc_net_vm_delete_tap_result){.changed = true, .removed = k->removed});
		task_done(t, true);
		return;
	case 3: task_fail(t); return;
	}
}

// Adds one name to the task; false after it has answered why not.
static bool add_victim(struct tap_task *k, const char *name)
{
	const struct row_tap *row = cache_find_tap(name);

	if (row == NULL || !tenant_sees(k->t.rq, row->tenant))
		return true; // there is none: nothing to remove
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->names[i], name) == 0)
			return true;
	if (row->phase != PHASE_DONE)
		fail(k->t.rq, FAIL_BUSY, "tap %s is just being made or deleted", name);
	else if (row->vm != NULL)
		fail_with(k->t.rq, &(struct failure){.kind = FAIL_BUSY,
		                                     .detail = arena_printf(k->t.rq->arena, "tap %s belongs to a VM", name),
		                                     .holder = row->vm,
		                                     .hint = "Stop the VM."});
	else {
		COPY_TEXT(k->names[k->n], name);
		k->n++;
		return true;
	}
	return false;
}

void rpc_net_vm_delete_tap(struct request *rq, const struct rpc_net_vm_delete_tap_params *p)
{
	struct tap_task *k;
	bool fine = true;

	if (p->has_name == p->has_names) {
		fail_params(rq, "name: give either name or names");
		return;
	}
	k = task_new(sizeof(*k), "delete_tap", rq, delete_step);
	k->names = arena_zalloc(rq->arena, TAPS_MAX * sizeof(*k->names));
	if (p->has_name)
		fine = add_victim(k, p->name);
	for (size_t i = 0; fine && p->has_names && i < p->names.n; i++)
		fine = add_victim(k, p->names.v[i]);
	if (fine && (k->n == 0 || rq->dry_run)) {
		reply_net_vm_delete_tap(rq, &(struct rpc_net_vm_delete_tap_result){.changed = k->n > 0, .removed = (int64_t)k->n});
		fine = false;
	}
	if (fine)
		commit_rows(k, PHASE_REMOVING);
	else
		task_done(&k->t, true);
}
