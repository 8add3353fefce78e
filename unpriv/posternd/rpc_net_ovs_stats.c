// net.ovs.conntrack.stats: how many connections Open vSwitch's datapaths track, and how many they may.
#include <string.h>

#include "unpriv/posternd/ovs_each.h"
#include "unpriv/posternd/ovs_refs.h"
#include "unpriv/posternd/ovs_text.h"
#include "unpriv/posternd/rpc_net.h"

#define PROTOCOLS_MAX 256
#define ZONES_MAX     65536

enum { COUNTS, MOST, LIMITS };

// What is asked for, while it is looked for; lives in the request's arena.
struct stats {
	struct request *rq;
	struct list_ovs_ct_stats all;
	size_t room, protocols_room, zones_room;
};

static struct obj_ovs_ct_stats *of_datapath(struct stats *k, const char *name)
{
	if (k->all.n > 0 && strcmp(k->all.v[k->all.n - 1].datapath, name) == 0)
		return &k->all.v[k->all.n - 1];
	k->all.v = ovs_grown(k->rq->arena, k->all.v, k->all.n, &k->room, sizeof(*k->all.v));
	k->all.v[k->all.n] = (struct obj_ovs_ct_stats){.datapath = name};
	k->protocols_room = k->zones_room = 0;
	return &k->all.v[k->all.n++];
}

static void on_count(struct stats *k, struct obj_ovs_ct_stats *s, char *line)
{
	const char *proto;
	uint64_t n;

	if (!ovs_text_count(line, &proto, &n))
		return;
	if (proto == NULL) {
		s->count = (int64_t)n;
	} else if (s->protocols.n < PROTOCOLS_MAX) {
		s->protocols.v = ovs_grown(k->rq->arena, s->protocols.v, s->protocols.n, &k->protocols_room, sizeof(*s->protocols.v));
		s->protocols.v[s->protocols.n++] = (struct obj_ovs_ct_count){.proto = arena_strdup(k->rq->arena, proto), .count = (int64_t)n};
	}
}

static void on_limit(struct stats *k, struct obj_ovs_ct_stats *s, char *line)
{
	uint64_t limit, n;
	int64_t zone;

	if (!ovs_text_limit(line, &zone, &limit, &n))
		return;
	if (zone < 0) {
		s->has_zone_limit = true;
		s->zone_limit = (int64_t)limit;
	} else if (s->zones.n < ZONES_MAX) {
		s->zones.v = ovs_grown(k->rq->arena, s->zones.v, s->zones.n, &k->zones_room, sizeof(*s->zones.v));
		s->zones.v[s->zones.n++] = (struct obj_ovs_ct_zone){.zone = zone, .limit = (int64_t)limit, .count = (int64_t)n};
	}
}

static void on_line(void *arg, const char *name, unsigned command, char *line)
{
	struct stats *k = arg;
	struct obj_ovs_ct_stats *s = of_datapath(k, name);
	uint64_t most;

	if (command == COUNTS)
		on_count(k, s, line);
	else if (command == LIMITS)
		on_limit(k, s, line);
	else if (ovs_text_number(line, &most))
		s->has_max = true, s->max = (int64_t)most;
}

static void done(void *arg)
{
	struct stats *k = arg;
	int64_t count = 0;

	for (size_t i = 0; i < k->all.n; i++)
		count += k->all.v[i].count;
	reply_net_ovs_conntrack_stats(k->rq, &(struct rpc_net_ovs_conntrack_stats_result){.count = count, .datapaths = k->all});
}

void rpc_net_ovs_conntrack_stats(struct request *rq, const struct rpc_net_ovs_conntrack_stats_params *p)
{
	static const struct ovs_each_command commands[] = {
	    [COUNTS] = {.command = "dpctl/ct-stats-show"},
	    [MOST] = {.command = "dpctl/ct-get-maxconns", .optional = true},
	    [LIMITS] = {.command = "dpctl/ct-get-limits", .optional = true},
	};
	struct stats *k = arena_zalloc(rq->arena, sizeof(*k));

	(void)p;
	k->rq = rq;
	ovs_each(&(struct ovs_each){
	    .rq = rq,
	    .list = "dpif/show",
	    .noun = "datapath",
	    .commands = commands,
	    .n_commands = 3,
	    .line = on_line,
	    .done = done,
	    .arg = k,
	});
}
