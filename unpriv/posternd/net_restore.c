// See net_restore.h.
//
// The rows become a list of operations, each harmless where the kernel is right already (a bridge that is there: EXISTS).  Rows that aren't
// PHASE_DONE belong to operations that nobody was told the end of: what they name is removed, and they go.  A failure is logged and the next
// operation tried: one bad row must not keep the others from coming back.
#include "unpriv/posternd/net_restore.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/mounts.h"
#include "unpriv/posternd/nat.h"
#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/tap.h"
#include "unpriv/posternd/task.h"

#define SWEEP_S  60
#define OUR_MARK "postern:" // how the alias of a link of ours begins
#define SEEN_MAX 64
#define AGAIN_MAX 20

// One operation to come; `harmless` is the failure that means it was so already.
struct item {
	enum op_id op;
	union op_args args;
	enum op_status harmless;
	char what[64];
};

struct restore {
	struct task t;
	struct item *v;
	size_t n, room;
	unsigned again; // interrupted operations that were asked once more
	void (*ended)(void);
};

static union op_args *add(struct restore *r, enum op_id op, enum op_status harmless, const char *what)
{
	struct item *i;

	if (r->n == r->room) {
		r->room = r->room != 0 ? 2 * r->room : 32;
		r->v = xrealloc(r->v, r->room * sizeof(*r->v));
	}
	i = &r->v[r->n++];
	memset(i, 0, sizeof(*i));
	i->op = op;
	i->harmless = harmless;
	COPY_TEXT(i->what, what);
	return &i->args;
}

static void add_set(struct restore *r, const char *link, const char *master)
{
	struct op_link_set_args *a = &add(r, OP_link_set, OPS_OK, link)->link_set;

	COPY_TEXT(a->name, link);
	a->has_up = a->up = true;
	a->has_master = master != NULL;
	if (master != NULL)
		COPY_TEXT(a->master, master);
}

static void add_delete(struct restore *r, const char *link)
{
	struct op_links_del_args *a = &add(r, OP_links_del, OPS_NOT_FOUND, link)->links_del;

	a->names.n = 1;
	COPY_TEXT(a->names.v[0], link);
}

static void add_bridge(struct restore *r, const struct row_bridge *row)
{
	struct op_link_add_args *a = &add(r, OP_link_add, OPS_EXISTS, row->name)->link_add;

	a->kind = LINK_BRIDGE;
	COPY_TEXT(a->name, row->name);
	a->has_mac = row->mac != NULL && mac_parse(row->mac, a->mac);
	a->has_mtu = row->mtu != 0;
	a->mtu = (uint32_t)row->mtu;
	a->has_stp = a->has_vlan_filtering = true;
	a->stp = row->stp != 0;
	a->vlan_filtering = row->vlan_filtering != 0;
	if (row->address != NULL) {
		struct op_address_add_args *d = &add(r, OP_address_add, OPS_EXISTS, row->name)->address_add;
		COPY_TEXT(d->device, row->name);
		addr_parse(row->address, &d->address);
	}
	add_set(r, row->name, NULL);
}

static void plan_links(struct restore *r, struct change *c)
{
	for (size_t i = cache_n_bridge(); i-- > 0;) {
		const struct row_bridge *row = cache_at_bridge(i);
		if (row->phase == PHASE_DONE) {
			add_bridge(r, row);
			continue;
		}
		add_delete(r, row->name);
		change_del_bridge(c, row->name);
		cache_drop_bridge(row->name);
	}
	for (size_t i = cache_n_tap(); i-- > 0;) {
		const struct row_tap *row = cache_at_tap(i);
		if (row->vm != NULL) // the VM's own matter, whether it is adopted or taken down
			continue;
		if (row->phase == PHASE_DONE) {
			tap_args(row, &add(r, OP_tap_create, OPS_OK, row->name)->tap_create);
			continue;
		}
		add_delete(r, row->name);
		change_del_tap(c, row->name);
		cache_drop_tap(row->name);
	}
	for (size_t i = 0; i < cache_n_port(); i++)
		add_set(r, cache_at_port(i)->name, cache_at_port(i)->bridge);
}

static void plan_mounts(struct restore *r, struct change *c)
{
	for (size_t i = cache_n_mount(); i-- > 0;) {
		const struct row_mount *row = cache_at_mount(i);
		if (row->phase == PHASE_DONE) {
			mount_args(row, &add(r, OP_mount, OPS_EXISTS, row->target)->mount);
			continue;
		}
		COPY_TEXT(add(r, OP_unmount, OPS_NOT_FOUND, row->target)->unmount.target, row->target);
		change_del_mount(c, row->target);
		cache_drop_mount(row->target);
	}
}

static void plan_nat(struct restore *r, struct change *c)
{
	bool four = false, six = false;

	for (size_t i = cache_n_snat(); i-- > 0;) {
		const struct row_snat *row = cache_at_snat(i);
		if (row->vm == NULL && row->phase != PHASE_DONE) {
			change_del_snat(c, row->id);
			cache_drop_snat(row->id);
		} else if (strchr(row->source, ':') != NULL)
			six = true;
		else
			four = true;
	}
	for (int key = SYSCTL_IP_FORWARD; key <= SYSCTL_IP6_FORWARD; key++)
		if (key == SYSCTL_IP_FORWARD ? four : six) {
			struct op_sysctl_set_args *a = &add(r, OP_sysctl_set, OPS_OK, "forwarding")->sysctl_set;
			a->key = (uint32_t)key;
			a->on = true;
		}
}

// A mount whose device is gone for good can't come back: its row goes, so that the list tells the truth.
static void prune(const struct item *i, const struct priv_reply *reply)
{
	struct change *c;

	if (i->op != OP_mount || reply->outcome != PRIV_ANSWERED || (reply->status != OPS_NOT_FOUND && reply->status != OPS_DENIED))
		return;
	c = change_new();
	change_del_mount(c, i->args.mount.target);
	cache_drop_mount(i->args.mount.target);
	store_commit(c, NULL, NULL);
}

static void judge(const struct item *i, const struct priv_reply *reply)
{
	if (priv_ok(reply) || (reply->outcome == PRIV_ANSWERED && reply->status == i->harmless))
		return;
	log_warn("not restored", "what=%s why=%s", i->what, priv_error(reply));
	prune(i, reply);
}

// Steps 0 to n-1 ask, each after the answer to the one before; then the firewall's table as a whole.
static void restore_step(struct task *t)
{
	struct restore *r = (struct restore *)t;
	size_t at = (size_t)t->step++;
	void (*ended)(void) = r->ended;

	if (at > 0 && t->reply->outcome == PRIV_INTERRUPTED && r->again++ < AGAIN_MAX)
		t->step = (int)at--; // the helper died over it: the next one is asked the same
	else if (at > 0 && at <= r->n)
		judge(&r->v[at - 1], t->reply);
	if (at < r->n) {
		task_priv(t, r->v[at].op, &r->v[at].args, NULL);
	} else if (at == r->n && cache_n_snat() > 0) {
		nat_ask_commit(t);
	} else {
		if (at > r->n && !priv_ok(t->reply))
			log_warn("not restored", "what=%s why=%s", "source translation", priv_error(t->reply));
		free(r->v);
		task_done(t, true);
		ended();
	}
}

void net_restore(void (*ended)(void))
{
	struct restore *r = task_new(sizeof(*r), "restore", NULL, restore_step);
	struct change *c = change_new();

	r->ended = ended;
	plan_links(r, c);
	plan_nat(r, c);
	plan_mounts(r, c);
	store_commit(c, NULL, NULL);
	task_run(&r->t);
}

// ---- sweep ----

static struct event *sweep_event;
static char seen[SEEN_MAX][16];
static size_t nseen;

static bool is_stray(const struct rtnl_link *l)
{
	const char *prefix = daemon_config()->interface_prefix;
	bool tap = strcmp(l->kind, "tun") == 0, bridge = strcmp(l->kind, "bridge") == 0;

	return strncmp(l->alias, OUR_MARK, sizeof(OUR_MARK) - 1) == 0 && strncmp(l->name, prefix, strlen(prefix)) == 0 &&
	       ((tap && cache_find_tap(l->name) == NULL) || (bridge && cache_find_bridge(l->name) == NULL));
}

static bool was_seen(const char *name)
{
	for (size_t i = 0; i < nseen; i++)
		if (strcmp(seen[i], name) == 0)
			return true;
	return false;
}

static void swept(struct task *t)
{
	if (!task_refused(t))
		task_done(t, true);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct arena a = {0};
	struct rtnl_links links;
	struct op_links_del_args del = {0};
	char now[SEEN_MAX][16];
	size_t n = 0;

	(void)fd;
	(void)what;
	(void)arg;
	if (rtnl_read_links(&(struct rtnl_filter){0}, &a, &links) != 0)
		links.n = 0;
	for (size_t i = 0; i < links.n && n < SEEN_MAX; i++) {
		if (!is_stray(&links.v[i]))
			continue;
		if (was_seen(links.v[i].name) && del.names.n < WIRE_IFNAMES_MAX) {
			COPY_TEXT(del.names.v[del.names.n], links.v[i].name);
			del.names.n++;
		}
		COPY_TEXT(now[n], links.v[i].name);
		n++;
	}
	memcpy(seen, now, n * sizeof(*now));
	nseen = n;
	arena_finish(&a);
	if (del.names.n > 0) {
		log_info("links without a row are deleted", "n=%u first=%s", del.names.n, del.names.v[0]);
		task_priv(task_new(sizeof(struct task), "sweep of links", NULL, swept), OP_links_del, &del, NULL);
	}
}

void net_sweep_start(void)
{
	struct timeval every = {.tv_sec = SWEEP_S};

	sweep_event = event_new(daemon_base(), -1, EV_PERSIST, on_sweep, NULL);
	event_add(sweep_event, &every);
}

void net_sweep_stop(void)
{
	if (sweep_event != NULL)
		event_free(sweep_event);
	sweep_event = NULL;
}
