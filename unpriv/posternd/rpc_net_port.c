// net.bridge.add_port and remove_port.
//
// Which bridge a tap belongs to stands in the tap's own row; any other link gets a row in `port`.
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/connection.h"
#include "unpriv/posternd/net_dry.h"
#include "unpriv/posternd/ovs_patch.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/task.h"

struct port_task {
	struct task t;
	char bridge[16], port[16];
	bool join;
};

static void commit_port(struct port_task *b)
{
	struct change *c = change_new();
	struct row_tap *tap = cache_find_tap(b->port);

	if (tap != NULL) {
		struct row_tap now = *tap;
		now.bridge = b->join ? b->bridge : NULL;
		change_put_tap(c, cache_set_tap(&now));
	} else if (b->join) {
		struct row_port row = {.name = b->port, .phase = PHASE_DONE, .bridge = b->bridge, .tenant = b->t.rq->tenant};
		change_put_port(c, cache_set_port(&row));
	} else {
		change_del_port(c, b->port);
		cache_drop_port(b->port);
	}
	task_commit(&b->t, c);
}

static void ask_master(struct port_task *b)
{
	struct op_link_set_args a = {.has_master = b->join, .has_no_master = !b->join, .no_master = !b->join, .has_up = b->join, .up = true};

	COPY_TEXT(a.name, b->port);
	COPY_TEXT(a.master, b->bridge);
	task_priv(&b->t, OP_link_set, &a, NULL);
}

static void reply_port(struct port_task *b, bool changed)
{
	if (b->join)
		reply_net_bridge_add_port(b->t.rq, &(struct rpc_net_bridge_add_port_result){.changed = changed});
	else
		reply_net_bridge_remove_port(b->t.rq, &(struct rpc_net_bridge_remove_port_result){.changed = changed, .removed = changed});
	task_done(&b->t, true);
}

// A port that joined but isn't stored would be lost at the next start: nothing else is harmed, so the operation comes first here.
static void port_step(struct task *t)
{
	struct port_task *b = (struct port_task *)t;

	switch (t->step++) {
	case 0: ask_master(b); return;
	case 1:
		if (!task_refused(t))
			commit_port(b);
		return;
	case 2:
		if (!task_store_failed(t))
			reply_port(b, true);
		return;
	}
}

static bool hidden(const struct request *rq, const char *bridge, const char *port)
{
	const struct row_bridge *b = cache_find_bridge(bridge);
	const struct row_tap *t = cache_find_tap(port);

	return (b != NULL && !tenant_sees(rq, b->tenant)) || (t != NULL && !tenant_sees(rq, t->tenant));
}

// A port of a connection belongs to it: it leaves with the other one, and joins nothing else.  True when it has answered.
static bool answered_by_connection(struct request *rq, const struct row_connection *row, bool member, bool join)
{
	if (row == NULL || member == join)
		return false;
	if (!tenant_sees(rq, row->tenant))
		fail(rq, FAIL_NOT_FOUND, "there is no such port");
	else if (join)
		fail_with(rq, &(struct failure){.kind = FAIL_BUSY,
		                                .detail = "the interface belongs to a connection of two bridges",
		                                .holder = row->name,
		                                .hint = "net.bridge.connect puts it back."});
	else if (rq->dry_run)
		reply_net_bridge_remove_port(rq, &(struct rpc_net_bridge_remove_port_result){.changed = true, .removed = true});
	else
		connection_remove(rq, row);
	return true;
}

static void change_port(struct request *rq, const char *bridge, const char *port, bool join)
{
	struct net_view v;
	const struct rtnl_link *b, *l;
	struct port_task *task;

	if (!net_read_view(rq, &v))
		return;
	b = net_view_link(&v, bridge);
	l = net_view_link(&v, port);
	if (!join && (b == NULL || strcmp(b->kind, "bridge") != 0)) {
		ovs_patch_remove(rq, bridge, port);
		return;
	}
	if (b == NULL || l == NULL || hidden(rq, bridge, port) || strcmp(b->kind, "bridge") != 0) {
		bool no_bridge = b == NULL || strcmp(b->kind, "bridge") != 0 || l != NULL;
		fail(rq, FAIL_NOT_FOUND, "there is no %s %s", no_bridge ? "bridge" : "interface", no_bridge ? bridge : port);
		return;
	}
	if (join && l->master != 0 && l->master != b->index) {
		const struct rtnl_link *other = net_view_index(&v, l->master);
		fail_with(rq, &(struct failure){.kind = FAIL_BUSY,
		                                .detail = "the interface belongs to another bridge",
		                                .holder = other != NULL ? other->name : NULL,
		                                .hint = "Remove it there first."});
		return;
	}
	if (answered_by_connection(rq, connection_of(port), l->master == b->index, join))
		return;
	if (rq->dry_run && (l->master == b->index) != join && !net_dry_port(rq, l))
		return;
	task = task_new(sizeof(*task), join ? "bridge.add_port" : "bridge.remove_port", rq, port_step);
	COPY_TEXT(task->bridge, bridge);
	COPY_TEXT(task->port, port);
	task->join = join;
	if ((l->master == b->index) == join)
		reply_port(task, false);
	else if (rq->dry_run)
		reply_port(task, true);
	else
		task_run(&task->t);
}

void rpc_net_bridge_add_port(struct request *rq, const struct rpc_net_bridge_add_port_params *p)
{
	change_port(rq, p->bridge, p->port, true);
}

void rpc_net_bridge_remove_port(struct request *rq, const struct rpc_net_bridge_remove_port_params *p)
{
	change_port(rq, p->bridge, p->port, false);
}
