// net.datapath: what ovs-vswitchd says of its datapaths, and a page of their flows.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/ovs_each.h"
#include "unpriv/posternd/ovs_refs.h"
#include "unpriv/posternd/ovs_text.h"
#include "unpriv/posternd/rpc_net.h"

#define PORTS_MAX 65536 // of a datapath: DP_MAX_PORTS of the kernel's

enum { SHOW, DUMP };

// What is asked for, while it is looked for; lives in the request's arena.
struct datapath {
	struct request *rq;
	struct list_ovs_datapath all;
	size_t room;        // for datapaths
	size_t ports_room;  // for ports of the last one
	const char *thread; // whose flows are being read
	struct lowest page;
};

static void begin(struct datapath *k, const char *name)
{
	k->all.v = ovs_grown(k->rq->arena, k->all.v, k->all.n, &k->room, sizeof(*k->all.v));
	k->all.v[k->all.n++] = (struct obj_ovs_datapath){.name = arena_strdup(k->rq->arena, name)};
	k->ports_room = 0;
	k->thread = "main";
}

static void add_port(struct datapath *k, const struct ovs_show_line *s)
{
	struct arena *a = k->rq->arena;
	struct list_ovs_dp_port *l = &k->all.v[k->all.n - 1].ports;

	if (l->n == PORTS_MAX)
		return;
	l->v = ovs_grown(a, l->v, l->n, &k->ports_room, sizeof(*l->v));
	l->v[l->n++] = (struct obj_ovs_dp_port){
	    .number = (int64_t)s->number,
	    .name = arena_strdup(a, s->name),
	    .has_type = s->type[0] != '\0',
	    .type = arena_strdup(a, s->type),
	};
}

static void on_show(struct datapath *k, char *line)
{
	struct ovs_show_line s;
	enum ovs_show kind = ovs_text_show(line, &s);
	struct obj_ovs_datapath *d;

	if (kind == OVS_SHOW_NAME)
		begin(k, s.name);
	if (k->all.n == 0)
		return;
	d = &k->all.v[k->all.n - 1];
	if (kind == OVS_SHOW_LOOKUPS) {
		d->hits = (int64_t)s.hit;
		d->missed = (int64_t)s.missed;
		d->lost = (int64_t)s.lost;
	} else if (kind == OVS_SHOW_FLOWS) {
		d->flows = (int64_t)s.number;
	} else if (kind == OVS_SHOW_PORT) {
		add_port(k, &s);
	}
}

// "name thread" is what the line is kept under: two threads may have the same flow.
static void on_flow(struct datapath *k, const char *name, char *line)
{
	char key[LOWEST_KEY], owner[64 + 40], *read = ovs_copy(line);
	struct ovs_dp_flow f;
	const char *thread;

	if (!ovs_text_dp_flow(read, &f)) {
		thread = ovs_text_thread(line);
		if (thread != NULL)
			k->thread = arena_strndup(k->rq->arena, thread, 32);
		return;
	}
	ovs_key_end(ovs_key_name(key, name), name, k->thread, f.match);
	snprintf(owner, sizeof(owner), "%.64s %s", name, k->thread);
	ovs_keep(&k->page, key, owner, line);
}

static void on_line(void *arg, const char *name, unsigned command, char *line)
{
	if (command == SHOW)
		on_show(arg, line);
	else
		on_flow(arg, name, line);
}

static void fill_flow(struct low *x, struct obj_ovs_dp_flow *o)
{
	char *thread = strchr(ovs_kept_name(x), ' ');
	struct ovs_dp_flow f;

	ovs_text_dp_flow(ovs_kept_line(x), &f); // found by the name's end
	*thread++ = '\0';
	*o = (struct obj_ovs_dp_flow){
	    .datapath = ovs_kept_name(x),
	    .thread = thread,
	    .match = f.match,
	    .actions = f.actions,
	    .packets = (int64_t)f.packets,
	    .bytes = (int64_t)f.bytes,
	    .has_used_secs = f.used,
	    .used_secs = f.used_secs,
	    .id = x->key,
	};
}

static int by_number(const void *a, const void *b)
{
	const struct obj_ovs_dp_port *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void done(void *arg)
{
	struct datapath *k = arg;
	struct lowest page = k->page;
	struct list_ovs_dp_flow l = {.v = arena_alloc(k->rq->arena, (page.n + 1) * sizeof(*l.v))};

	for (size_t i = 0; i < k->all.n; i++)
		if (k->all.v[i].ports.n > 0)
			qsort(k->all.v[i].ports.v, k->all.v[i].ports.n, sizeof(*k->all.v[i].ports.v), by_number);
	lowest_sort(&page);
	for (; l.n < page.n; l.n++)
		fill_flow(page.v[l.n], &l.v[l.n]);
	reply_net_datapath(k->rq, &(struct rpc_net_datapath_result){.datapaths = k->all, .flows = l});
	lowest_clear(&page);
}

void rpc_net_datapath(struct request *rq, const struct rpc_net_datapath_params *p)
{
	static const struct ovs_each_command commands[] = {[SHOW] = {.command = "dpctl/show"}, [DUMP] = {.command = "dpctl/dump-flows"}};
	struct datapath *k = arena_zalloc(rq->arena, sizeof(*k));

	k->rq = rq;
	k->page = (struct lowest){.keep = net_page_keep(rq), .after = rq->cursor};
	ovs_each(&(struct ovs_each){
	    .rq = rq,
	    .list = "dpif/show",
	    .only = p->has_name ? p->name : NULL,
	    .noun = "datapath",
	    .commands = commands,
	    .n_commands = 2,
	    .line = on_line,
	    .page = &k->page,
	    .done = done,
	    .arg = k,
	});
}
