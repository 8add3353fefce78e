// net.conntrack.flush, net.conntrack.stats.
#include "unpriv/posternd/conntrack.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/stream.h"
#include "unpriv/posternd/task.h"

static void on_flushed(void *arg, uint64_t removed, const struct priv_reply *failed)
{
	struct request *rq = arg;

	if (failed != NULL)
		fail_priv(rq, failed);
	else
		reply_net_conntrack_flush(rq, &(struct rpc_net_conntrack_flush_result){.changed = removed > 0, .removed = (int64_t)removed});
}

void rpc_net_conntrack_flush(struct request *rq, const struct rpc_net_conntrack_flush_params *p)
{
	conntrack_flush(
	    &(struct op_conntrack_flush_args){
	        .has_zone = p->has_zone, .zone = (uint32_t)p->zone, .has_count_only = rq->dry_run, .count_only = rq->dry_run},
	    on_flushed, rq);
}

// ---- stats ----

struct stats {
	struct request *rq;
	struct text records; // struct ct_cpu
};

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct stats *k = arg;

	text_add(&k->records, bytes, len);
}

static struct obj_ct_cpu cpu(const char *record)
{
	struct ct_cpu c;

	memcpy(&c, record, sizeof(c));
	return (struct obj_ct_cpu){.cpu = c.cpu,
	                           .found = c.found,
	                           .invalid = c.invalid,
	                           .insert = c.insert,
	                           .insert_failed = c.insert_failed,
	                           .drop = c.drop,
	                           .early_drop = c.early_drop,
	                           .error = c.error,
	                           .search_restart = c.search_restart,
	                           .clash_resolve = c.clash_resolve,
	                           .chain_toolong = c.chain_toolong};
}

static void on_ended(void *arg, const struct priv_reply *failed, bool torn)
{
	struct stats *k = arg;
	struct request *rq = k->rq;
	size_t n = k->records.len / sizeof(struct ct_cpu);
	struct list_ct_cpu l = {.v = arena_alloc(rq->arena, (n + 1) * sizeof(*l.v))};

	(void)torn;
	for (; l.n < n; l.n++)
		l.v[l.n] = cpu(k->records.at + l.n * sizeof(struct ct_cpu));
	text_finish(&k->records);
	if (failed != NULL)
		fail_priv(rq, failed);
	else
		reply_net_conntrack_stats(rq, &(struct rpc_net_conntrack_stats_result){.count = conntrack_number("count"),
		                                                                       .max = conntrack_number("max"),
		                                                                       .buckets = conntrack_number("buckets"),
		                                                                       .per_cpu = l});
}

void rpc_net_conntrack_stats(struct request *rq, const struct rpc_net_conntrack_stats_params *p)
{
	static const struct stream_reader reader = {on_data, on_ended};
	struct stats *k;

	(void)p;
	if (conntrack_number("count") < 0) {
		fail_hint(rq, FAIL_UNSUPPORTED, "Load the module nf_conntrack.", "this kernel tracks no connections");
		return;
	}
	k = arena_zalloc(rq->arena, sizeof(*k));
	k->rq = rq;
	stream_start(OP_conntrack_stats, &(struct op_conntrack_stats_args){0}, &reader, k);
}
