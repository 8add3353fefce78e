// net.ovs.conntrack and its flush: the connections that Open vSwitch's datapaths track.
#include <stdio.h>
#include <string.h>

#include "unpriv/posternd/ovs_each.h"
#include "unpriv/posternd/ovs_text.h"
#include "unpriv/posternd/rpc_net.h"

// What is asked for, while it is looked for; lives in the request's arena.
struct tracked {
	struct request *rq;
	struct lowest page;
	int64_t n; // connections seen
	char zone[16];
	struct ovs_each_command commands[2];
};

// "zone=N", an argument of each command; NULL: all zones.
static const char *zone_argument(struct tracked *k, bool has, int64_t zone)
{
	if (!has)
		return NULL;
	snprintf(k->zone, sizeof(k->zone), "zone=%d", (int)zone);
	return k->zone;
}

static void walk(struct tracked *k, unsigned n_commands, void (*line)(void *, const char *, unsigned, char *), void (*done)(void *))
{
	ovs_each(&(struct ovs_each){
	    .rq = k->rq,
	    .list = "dpif/show",
	    .noun = "datapath",
	    .commands = k->commands,
	    .n_commands = n_commands,
	    .line = line,
	    .page = &k->page,
	    .done = done,
	    .arg = k,
	});
}

// ---- the list ----

// By datapath, zone and protocol; what the connection was opened with tells it from the others there.
static void entry_key(const struct ovs_conn_line *c, const char *datapath, char key[LOWEST_KEY])
{
	const uint8_t zone[] = {(uint8_t)(c->zone >> 8), (uint8_t)c->zone};
	const struct ovs_tuple *t = &c->orig;
	char tuple[256], *at = ovs_key_name(key, datapath);
	size_t n = strnlen(c->proto, 8);

	at = lowest_hex(at, zone, 2);
	*at++ = ':';
	memcpy(at, c->proto, n);
	at += n;
	*at++ = ':';
	snprintf(tuple, sizeof(tuple), "%s %s %lu %lu %lu %lu %lu", t->src, t->dst, t->sport, t->dport, t->id, t->type, t->code);
	ovs_key_end(at, datapath, c->proto, tuple);
}

static void on_entry(void *arg, const char *datapath, unsigned command, char *line)
{
	struct tracked *k = arg;
	char key[LOWEST_KEY], *read = ovs_copy(line);
	struct ovs_conn_line c;

	(void)command;
	if (!ovs_text_conn(read, &c))
		return;
	k->n++;
	entry_key(&c, datapath, key);
	ovs_keep(&k->page, key, datapath, line);
}

static struct obj_ovs_ct_tuple tuple_of(const struct ovs_tuple *t)
{
	return (struct obj_ovs_ct_tuple){
	    .src = t->src,
	    .dst = t->dst,
	    .has_sport = t->has_sport,
	    .sport = (int64_t)t->sport,
	    .has_dport = t->has_dport,
	    .dport = (int64_t)t->dport,
	    .has_icmp_id = t->has_id,
	    .icmp_id = (int64_t)t->id,
	    .has_icmp_type = t->has_type,
	    .icmp_type = (int64_t)t->type,
	    .has_icmp_code = t->has_code,
	    .icmp_code = (int64_t)t->code,
	    .has_packets = t->has_packets,
	    .packets = (int64_t)t->packets,
	    .has_bytes = t->has_bytes,
	    .bytes = (int64_t)t->bytes,
	};
}

static void fill_entry(struct low *x, struct obj_ovs_ct_entry *o)
{
	struct ovs_conn_line c;

	ovs_text_conn(ovs_kept_line(x), &c);
	*o = (struct obj_ovs_ct_entry){
	    .datapath = ovs_kept_name(x),
	    .proto = c.proto,
	    .has_state = c.state[0] != '\0',
	    .state = c.state,
	    .has_timeout = c.has_timeout,
	    .timeout = (int64_t)c.timeout,
	    .zone = (int64_t)c.zone,
	    .mark = (int64_t)c.mark,
	    .has_labels = c.labels[0] != '\0',
	    .labels = c.labels,
	    .has_helper = c.helper[0] != '\0',
	    .helper = c.helper,
	    .orig = tuple_of(&c.orig),
	    .reply = tuple_of(&c.reply),
	    .id = x->key,
	};
}

static void listed(void *arg)
{
	struct tracked *k = arg;
	struct lowest page = k->page;
	struct list_ovs_ct_entry l = {.v = arena_alloc(k->rq->arena, (page.n + 1) * sizeof(*l.v))};

	lowest_sort(&page);
	for (; l.n < page.n; l.n++)
		fill_entry(page.v[l.n], &l.v[l.n]);
	reply_net_ovs_conntrack(k->rq, &(struct rpc_net_ovs_conntrack_result){.count = k->n, .entries = l});
	lowest_clear(&page);
}

void rpc_net_ovs_conntrack(struct request *rq, const struct rpc_net_ovs_conntrack_params *p)
{
	struct tracked *k = arena_zalloc(rq->arena, sizeof(*k));

	k->rq = rq;
	k->page = (struct lowest){.keep = net_page_keep(rq), .after = rq->cursor};
	k->commands[0] =
	    (struct ovs_each_command){.command = "dpctl/dump-conntrack", .before = "-s", .behind = zone_argument(k, p->has_zone, p->zone)};
	walk(k, 1, on_entry, listed);
}

// ---- the flush ----

static void on_counted(void *arg, const char *datapath, unsigned command, char *line)
{
	struct tracked *k = arg;
	struct ovs_conn_line c;

	(void)datapath;
	k->n += command == 0 && ovs_text_conn(line, &c);
}

static void flushed(void *arg)
{
	struct tracked *k = arg;

	reply_net_ovs_conntrack_flush(k->rq, &(struct rpc_net_ovs_conntrack_flush_result){.changed = k->n > 0, .flushed = k->n});
}

// A dry run counts, and leaves the second command out, which in Open vSwitch 3.1.0 takes a datapath's name for a connection: where there is one
// datapath, as nearly everywhere, it does without.
void rpc_net_ovs_conntrack_flush(struct request *rq, const struct rpc_net_ovs_conntrack_flush_params *p)
{
	struct tracked *k = arena_zalloc(rq->arena, sizeof(*k));
	const char *zone = zone_argument(k, p->has_zone, p->zone);

	k->rq = rq;
	k->commands[0] = (struct ovs_each_command){.command = "dpctl/dump-conntrack", .behind = zone};
	k->commands[1] = (struct ovs_each_command){.command = "dpctl/flush-conntrack", .behind = zone, .alone = true};
	walk(k, rq->dry_run ? 1 : 2, on_counted, flushed);
}
