// See route.h.
#include "unpriv/posternd/route.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_route.h"
#include "unpriv/posternd/rtnl_scan.h"

static bool read_destination(const struct obj_route_spec *s, struct wire_addr *to)
{
	const char *like = s->has_gateway ? s->gateway : s->has_source ? s->source : "0.0.0.0";

	if (strcmp(s->destination, "default") != 0)
		return addr_parse(s->destination, to);
	*to = (struct wire_addr){.family = strchr(like, ':') != NULL ? 6 : 4};
	return true;
}

// An address of the destination's family, as it is stored.
static bool read_host(struct request *rq, const char *text, const struct wire_addr *to, const char *where, const char *name, const char **out)
{
	struct wire_addr a;
	char *stored;

	if (!addr_parse(text, &a) || a.family != to->family) {
		fail_params(rq, "parameter \"%s%s\": \"%s\" was given, allowed is an address of the destination's family", where, name, text);
		return false;
	}
	stored = arena_alloc(rq->arena, CIDR_TEXT);
	addr_text(&a, false, stored);
	*out = stored;
	return true;
}

bool route_read(struct request *rq, const struct obj_route_spec *s, const char *where, struct route_item *out)
{
	struct row_route *r = &out->row;
	char *destination = arena_alloc(rq->arena, CIDR_TEXT);

	*out = (struct route_item){.row = {.phase = PHASE_MAKING, .tenant = rq->tenant}};
	if (!read_destination(s, &out->to)) {
		fail_params(rq, "parameter \"%sdestination\": \"%s\" is no network", where, s->destination);
		return false;
	}
	addr_network(&out->to);
	addr_text(&out->to, true, destination);
	r->destination = destination;
	r->device = s->has_device ? s->device : NULL;
	r->table = s->has_table ? s->table : ROUTE_MAIN;
	r->metric = s->has_metric ? s->metric : 0;
	if (r->metric == 0 && out->to.family == 6)
		r->metric = ROUTE_METRIC6;
	r->id = arena_printf(rq->arena, "%" PRId64 "|%s|%" PRId64, r->table, r->destination, r->metric);
	return (!s->has_gateway || read_host(rq, s->gateway, &out->to, where, "gateway", &r->gateway)) &&
	       (!s->has_source || read_host(rq, s->source, &out->to, where, "source", &r->source));
}

void route_id(const struct rtnl_route *r, char out[ROUTE_ID])
{
	struct wire_addr to = {.family = r->family == AF_INET ? 4 : 6, .prefix = r->prefix};
	char text[CIDR_TEXT];

	memcpy(to.addr, r->dst, sizeof(to.addr));
	addr_text(&to, true, text);
	snprintf(out, ROUTE_ID, "%" PRIu32 "|%s|%" PRIu32, r->table, text, r->metric);
}

void route_add_args(const struct row_route *row, struct op_route_add_args *a)
{
	*a = (struct op_route_add_args){
	    .table = (uint32_t)row->table,
	    .has_metric = row->metric != 0,
	    .metric = (uint32_t)row->metric,
	    .has_device = row->device != NULL,
	};
	addr_parse(row->destination, &a->destination);
	a->has_gateway = row->gateway != NULL && addr_parse(row->gateway, &a->gateway);
	a->has_source = row->source != NULL && addr_parse(row->source, &a->source);
	if (row->device != NULL)
		COPY_TEXT(a->device, row->device);
}

void route_del_args(const struct row_route *row, struct op_route_del_args *a)
{
	*a = (struct op_route_del_args){.table = (uint32_t)row->table, .has_metric = row->metric != 0, .metric = (uint32_t)row->metric};
	addr_parse(row->destination, &a->destination);
}

// ---- as the kernel has them ----

// What two routes of one place have in common.
struct place {
	uint32_t table, metric;
	uint8_t family, prefix, dst[16];
	uint8_t none[2]; // padding: places are compared by their bytes
};

struct wanted {
	struct place at;
	struct route_item *item;
};

struct look {
	struct request *rq;
	struct wanted *v; // sorted by place
	size_t n;
	void (*done)(void *arg, int err);
	void *arg;
};

static int by_place(const void *a, const void *b)
{
	return memcmp(&((const struct wanted *)a)->at, &((const struct wanted *)b)->at, sizeof(struct place));
}

static struct wanted *find(const struct look *k, const struct rtnl_route *r)
{
	struct wanted sought = {.at = {.table = r->table, .metric = r->metric, .family = r->family == AF_INET ? 4 : 6, .prefix = r->prefix}};

	memcpy(sought.at.dst, r->dst, sizeof(sought.at.dst));
	return r->tos != 0 ? NULL : bsearch(&sought, k->v, k->n, sizeof(*k->v), by_place);
}

static bool key(const struct nlmsghdr *h, const void *arg, char out[LOWEST_KEY])
{
	struct rtnl_route r;

	if (!rtnl_parse_route(h, &r) || find(arg, &r) == NULL)
		return false;
	rtnl_route_key(&r, out);
	return true;
}

static bool same_host(bool has, const uint8_t *have, const char *want, size_t len)
{
	struct wire_addr a;

	if (!has || want == NULL)
		return !has && want == NULL;
	return addr_parse(want, &a) && memcmp(a.addr, have, len) == 0;
}

static bool same_device(struct request *rq, const char *want, int have)
{
	struct rtnl_links l;

	return want == NULL ||
	       (rtnl_read_links(&(struct rtnl_filter){.name = want, .brief = true}, rq->arena, &l) == 0 && l.n == 1 && l.v[0].index == have);
}

// Of several in one place, a foreign one is what counts.
static void compare(struct request *rq, const struct rtnl_route *r, struct route_item *i)
{
	size_t len = r->family == AF_INET ? 4 : 16;
	bool ours = r->protocol == OUR_PROTOCOL;

	if (i->held && ours)
		return;
	i->held = true;
	i->holder = r->protocol;
	i->same = ours && r->multipath == NULL && same_host(r->hop.gateway_family != 0, r->hop.gateway, i->row.gateway, len) &&
	          same_host(r->has_prefsrc, r->prefsrc, i->row.source, len) && same_device(rq, i->row.device, r->hop.index);
}

static void looked(struct lowest *page, int err, void *arg)
{
	struct look *k = arg;
	struct rtnl_route r;

	for (size_t i = 0; err == 0 && i < page->n; i++)
		if (rtnl_parse_route((const struct nlmsghdr *)(const void *)page->v[i]->data, &r))
			compare(k->rq, &r, find(k, &r)->item);
	k->done(k->arg, err);
}

static void ask(struct rtnl_scan *s, uint8_t family, uint32_t table)
{
	struct rtnl_ask *q = &s->asks[s->n_asks++];

	rtnl_ask_begin(q, family == AF_INET ? '4' : '6', RTM_GETROUTE, &(struct rtmsg){.rtm_family = family}, sizeof(struct rtmsg));
	if (table != 0)
		rtnl_ask_attr(q, RTA_TABLE, &table, sizeof(table));
}

void route_look(struct request *rq, struct route_item *v, size_t n, void (*done)(void *arg, int err), void *arg)
{
	struct look *k = arena_zalloc(rq->arena, sizeof(*k));
	struct rtnl_scan s = {.key = key, .key_arg = k, .keep = 4 * n + 8, .arg = k, .done = looked};
	uint32_t table = n > 0 ? (uint32_t)v[0].row.table : 0;
	bool four = false, six = false;

	*k = (struct look){.rq = rq, .v = arena_zalloc(rq->arena, (n + 1) * sizeof(*k->v)), .n = n, .done = done, .arg = arg};
	for (size_t i = 0; i < n; i++) {
		const struct route_item *x = &v[i];
		k->v[i] = (struct wanted){
		    .at = {.table = (uint32_t)x->row.table, .metric = (uint32_t)x->row.metric, .family = x->to.family, .prefix = x->to.prefix},
		    .item = &v[i]};
		memcpy(k->v[i].at.dst, x->to.addr, sizeof(x->to.addr));
		*(x->to.family == 4 ? &four : &six) = true;
		if (x->row.table != table)
			table = 0; // several: all are read
	}
	qsort(k->v, n, sizeof(*k->v), by_place);
	if (four)
		ask(&s, AF_INET, table);
	if (six)
		ask(&s, AF_INET6, table);
	rtnl_scan_start(&s);
}
