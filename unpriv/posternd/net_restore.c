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
#include "unpriv/posternd/bridge.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/connection.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/mounts.h"
#include "unpriv/posternd/net_plan.h"
#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/owned.h"
#include "unpriv/posternd/tap.h"
#include "unpriv/posternd/task.h"

#define SWEEP_S  60
#define SEEN_MAX 64

static void add_bridge(struct plan *p, const struct row_bridge *row)
{
	bridge_args(row, &plan_add(p, OP_link_add, OPS_EXISTS, row->name)->link_add);
	if (row->address != NULL) {
		struct op_address_add_args *d = &plan_add(p, OP_address_add, OPS_EXISTS, row->name)->address_add;
		COPY_TEXT(d->device, row->name);
		addr_parse(row->address, &d->address);
	}
	bridge_up_args(row, &plan_add(p, OP_link_set, OPS_OK, row->name)->link_set);
}

static void plan_links(struct plan *p, struct change *c)
{
	for (size_t i = cache_n_bridge(); i-- > 0;) {
		const struct row_bridge *row = cache_at_bridge(i);
		if (row->phase == PHASE_DONE) {
			add_bridge(p, row);
			continue;
		}
		plan_delete(p, row->name);
		change_del_bridge(c, row->name);
		cache_drop_bridge(row->name);
	}
	for (size_t i = cache_n_tap(); i-- > 0;) {
		const struct row_tap *row = cache_at_tap(i);
		if (row->vm != NULL) // the VM's own matter, whether it is adopted or taken down
			continue;
		if (row->phase == PHASE_DONE) {
			tap_args(row, &plan_add(p, OP_tap_create, OPS_OK, row->name)->tap_create);
			continue;
		}
		plan_delete(p, row->name);
		change_del_tap(c, row->name);
		cache_drop_tap(row->name);
	}
	for (size_t i = cache_n_port(); i-- > 0;) {
		const struct row_port *row = cache_at_port(i);
		if (row->phase == PHASE_DONE) {
			plan_join(p, row->name, row->bridge);
			continue;
		}
		change_del_port(c, row->name);
		cache_drop_port(row->name);
	}
}

static void plan_connections(struct plan *p, struct change *c)
{
	for (size_t i = cache_n_connection(); i-- > 0;) {
		const struct row_connection *row = cache_at_connection(i);
		if (row->phase == PHASE_DONE) {
			connection_add_args(row, &plan_add(p, OP_link_add, OPS_EXISTS, row->name)->link_add);
			plan_join(p, row->name, row->a);
			plan_join(p, row->peer, row->b);
			continue;
		}
		plan_delete(p, row->name);
		change_del_connection(c, row->name);
		cache_drop_connection(row->name);
	}
}

static void plan_mounts(struct plan *p, struct change *c)
{
	for (size_t i = cache_n_mount(); i-- > 0;) {
		const struct row_mount *row = cache_at_mount(i);
		if (row->phase == PHASE_DONE) {
			mount_args(row, &plan_add(p, OP_mount, OPS_EXISTS, row->target)->mount);
			continue;
		}
		COPY_TEXT(plan_add(p, OP_unmount, OPS_NOT_FOUND, row->target)->unmount.target, row->target);
		change_del_mount(c, row->target);
		cache_drop_mount(row->target);
	}
}

// Rows of the firewall that nobody was told the end of go; a VM's are the VM's own matter.
static void forget_rules(struct change *c)
{
	for (size_t i = cache_n_snat(); i-- > 0;) {
		const struct row_snat *row = cache_at_snat(i);
		if (row->vm == NULL && row->phase != PHASE_DONE) {
			change_del_snat(c, row->id);
			cache_drop_snat(row->id);
		}
	}
	for (size_t i = cache_n_dnat(); i-- > 0;) {
		const struct row_dnat *row = cache_at_dnat(i);
		if (row->phase != PHASE_DONE) {
			change_del_dnat(c, row->id);
			cache_drop_dnat(row->id);
		}
	}
	for (size_t i = cache_n_allow(); i-- > 0;) {
		const struct row_allow *row = cache_at_allow(i);
		if (row->phase != PHASE_DONE) {
			change_del_allow(c, row->id);
			cache_drop_allow(row->id);
		}
	}
}

static void plan_forwarding(struct plan *p)
{
	for (int family = 4; family <= 6; family += 2)
		if (fw_needs_forwarding(family)) {
			struct op_sysctl_set_args *a = &plan_add(p, OP_sysctl_set, OPS_OK, "forwarding")->sysctl_set;
			a->key = family == 4 ? SYSCTL_IP_FORWARD : SYSCTL_IP6_FORWARD;
			a->on = true;
		}
}

static size_t n_failed;
static char first_failed[64];

size_t net_restore_failures(const char **first)
{
	*first = first_failed;
	return n_failed;
}

// A mount whose device is gone for good can't come back: its row goes, so that the list tells the truth.
static void prune(const struct plan_item *i, const struct priv_reply *reply)
{
	struct change *c;

	if (n_failed++ == 0)
		COPY_TEXT(first_failed, i->what);
	if (i->op != OP_mount || reply->outcome != PRIV_ANSWERED || (reply->status != OPS_NOT_FOUND && reply->status != OPS_DENIED))
		return;
	c = change_new();
	change_del_mount(c, i->args.mount.target);
	cache_drop_mount(i->args.mount.target);
	store_commit(c, NULL, NULL);
}

struct end {
	void (*ended)(void *arg, bool ok);
	void *arg;
};

// The firewall's table comes last, as a whole.  One that should hold nothing is taken away.
static void planned(void *arg)
{
	struct end e = *(struct end *)arg;

	free(arg);
	fw_put_back(e.ended, e.arg);
}

static void start(void (*ended)(void *arg, bool ok), void *arg, bool again)
{
	struct end *e = xmalloc(sizeof(*e));
	struct plan p = {0};
	struct change *c = change_new();

	*e = (struct end){ended, arg};
	n_failed = 0;
	plan_links(&p, c);
	plan_connections(&p, c);
	plan_stray_routes(&p, c);
	plan_routes(&p);
	forget_rules(c);
	plan_forwarding(&p);
	if (!again)
		plan_mounts(&p, c);
	store_commit(c, NULL, NULL);
	plan_run(&p, prune, planned, e);
}

void net_restore(void (*ended)(void *arg, bool ok), void *arg)
{
	start(ended, arg, false);
}

void net_restore_again(void (*ended)(void *arg, bool ok), void *arg)
{
	start(ended, arg, true);
}

// ---- sweep ----

static struct event *sweep_event;
static char seen[SEEN_MAX][16];
static size_t nseen;

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
		if (!owned_stray(links.v[i].kind, links.v[i].alias, links.v[i].name))
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
