// net.flows: a page of the lines that ovs-vswitchd prints of its bridges' OpenFlow tables, of which no more than the page is held.
#include <string.h>

#include "unpriv/posternd/ovs_each.h"
#include "unpriv/posternd/ovs_text.h"
#include "unpriv/posternd/rpc_net.h"

// What is asked for, while it is looked for; lives in the request's arena.
struct flows {
	struct request *rq;
	struct lowest page;
	int64_t table;       // -1: any
	const char *scanned; // the last bridge that was begun
};

// By bridge, table and falling priority.
static void flow_key(const struct ovs_flow *f, const char *bridge, char key[LOWEST_KEY])
{
	const uint8_t table = (uint8_t)f->table;
	char *at = ovs_key_name(key, bridge);

	at = lowest_hex(at, &table, 1);
	*at++ = ':';
	at = lowest_u32(at, UINT32_MAX - f->priority);
	*at++ = ':';
	ovs_key_end(at, bridge, f->match, "");
}

static void on_flow(void *arg, const char *bridge, unsigned command, char *line)
{
	struct flows *k = arg;
	char key[LOWEST_KEY], *read = ovs_copy(line);
	struct ovs_flow f;

	(void)command;
	if (!ovs_text_flow(read, &f) || (k->table >= 0 && f.table != k->table))
		return;
	flow_key(&f, bridge, key);
	ovs_keep(&k->page, key, bridge, line);
}

// Once the page is full, what sorts behind all of it needn't be asked for: bridges come in order, but for those with one long beginning.
static bool flows_wanted(void *arg, const char *bridge)
{
	struct flows *k = arg;
	bool full = k->page.n == k->page.keep && k->scanned != NULL && strncmp(k->scanned, bridge, OVS_KEY_NAME) != 0;

	k->scanned = bridge;
	return !full;
}

static void fill_flow(struct low *x, struct obj_ovs_flow *o)
{
	struct ovs_flow f;

	ovs_text_flow(ovs_kept_line(x), &f);
	*o = (struct obj_ovs_flow){
	    .bridge = ovs_kept_name(x),
	    .table = f.table,
	    .priority = f.priority,
	    .packets = (int64_t)f.packets,
	    .bytes = (int64_t)f.bytes,
	    .duration_secs = (int64_t)f.duration,
	    .match = f.match,
	    .actions = f.actions,
	    .hidden = ovs_flow_hidden(&f),
	    .id = x->key,
	};
}

static void flows_done(void *arg)
{
	struct flows *k = arg;
	struct lowest page = k->page;
	struct list_ovs_flow l = {.v = arena_alloc(k->rq->arena, (page.n + 1) * sizeof(*l.v))};

	lowest_sort(&page);
	for (; l.n < page.n; l.n++)
		fill_flow(page.v[l.n], &l.v[l.n]);
	reply_net_flows(k->rq, &(struct rpc_net_flows_result){.flows = l});
	lowest_clear(&page);
}

void rpc_net_flows(struct request *rq, const struct rpc_net_flows_params *p)
{
	static const struct ovs_each_command command = {.command = "bridge/dump-flows"};
	struct flows *k = arena_zalloc(rq->arena, sizeof(*k));

	k->rq = rq;
	k->page = (struct lowest){.keep = net_page_keep(rq), .after = rq->cursor};
	k->table = p->has_table ? p->table : -1;
	ovs_each(&(struct ovs_each){
	    .rq = rq,
	    .list = "ofproto/list",
	    .only = p->has_bridge ? p->bridge : NULL,
	    .noun = "bridge",
	    .commands = &command,
	    .n_commands = 1,
	    .line = on_flow,
	    .wanted = flows_wanted,
	    .page = &k->page,
	    .done = flows_done,
	    .arg = k,
	});
}
