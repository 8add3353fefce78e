// net.routes: a page of the kernel's routing tables.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/helper.h"
#include "unpriv/posternd/route.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/rtnl_route.h"
#include "unpriv/posternd/rtnl_window.h"

// What is asked for, while it is looked for; lives in the request's arena.
struct routes {
	struct request *rq;
	uint32_t table; // 0: any
	struct link_names names;
	struct lowest page;
};

static const struct bit_name hop_flags[] = {
    {RTNH_F_DEAD, "dead"},       {RTNH_F_PERVASIVE, "pervasive"}, {RTNH_F_ONLINK, "onlink"},
    {RTNH_F_OFFLOAD, "offload"}, {RTNH_F_LINKDOWN, "linkdown"},   {RTNH_F_UNRESOLVED, "unresolved"},
    {RTNH_F_TRAP, "trap"},       {RTM_F_OFFLOAD, "rt_offload"},   {RTM_F_TRAP, "rt_trap"},
};

struct number_name {
	unsigned number;
	const char *name;
};

// Ours, then as in iproute2's rt_protos.
static const struct number_name protocols[] = {
    {OUR_PROTOCOL, "postern"},
    {RTPROT_UNSPEC, "unspec"},
    {RTPROT_REDIRECT, "redirect"},
    {RTPROT_KERNEL, "kernel"},
    {RTPROT_BOOT, "boot"},
    {RTPROT_STATIC, "static"},
    {RTPROT_GATED, "gated"},
    {RTPROT_RA, "ra"},
    {RTPROT_MRT, "mrt"},
    {RTPROT_ZEBRA, "zebra"},
    {RTPROT_BIRD, "bird"},
    {RTPROT_DHCP, "dhcp"},
    {RTPROT_KEEPALIVED, "keepalived"},
    {RTPROT_BABEL, "babel"},
    {RTPROT_OPENR, "openr"},
    {RTPROT_BGP, "bgp"},
    {RTPROT_ISIS, "isis"},
    {RTPROT_OSPF, "ospf"},
    {RTPROT_RIP, "rip"},
    {RTPROT_EIGRP, "eigrp"},
};

static const struct number_name scopes[] = {
    {RT_SCOPE_UNIVERSE, "global"}, {RT_SCOPE_SITE, "site"}, {RT_SCOPE_LINK, "link"}, {RT_SCOPE_HOST, "host"}, {RT_SCOPE_NOWHERE, "nowhere"},
};

static const struct number_name types[] = {
    {RTN_UNSPEC, "none"},
    {RTN_UNICAST, "unicast"},
    {RTN_LOCAL, "local"},
    {RTN_BROADCAST, "broadcast"},
    {RTN_ANYCAST, "anycast"},
    {RTN_MULTICAST, "multicast"},
    {RTN_BLACKHOLE, "blackhole"},
    {RTN_UNREACHABLE, "unreachable"},
    {RTN_PROHIBIT, "prohibit"},
    {RTN_THROW, "throw"},
    {RTN_NAT, "nat"},
    {RTN_XRESOLVE, "xresolve"},
};

#define NAME_OF(t, number, a) name_of(t, sizeof(t) / sizeof(*(t)), number, a)

static const char *name_of(const struct number_name *t, size_t n, unsigned number, struct arena *a)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].number == number)
			return t[i].name;
	return arena_printf(a, "%u", number);
}

const char *route_protocol(unsigned number, struct arena *a)
{
	return NAME_OF(protocols, number, a);
}

static bool key(const struct nlmsghdr *h, const void *arg, char out[LOWEST_KEY])
{
	const struct routes *k = arg;
	struct rtnl_route r;

	if (!rtnl_parse_route(h, &r) || (k->table != 0 && r.table != k->table))
		return false;
	rtnl_route_key(&r, out);
	return true;
}

static const char *gateway(const struct rtnl_hop *hop, struct arena *a)
{
	return hop->gateway_family != 0 ? net_ip_text(hop->gateway_family, hop->gateway, a) : NULL;
}

static const char *device(struct routes *k, const struct rtnl_hop *hop)
{
	return hop->index != 0 ? link_name(&k->names, hop->index, k->rq->arena) : NULL;
}

static struct list_nexthop hops(struct routes *k, const struct rtnl_route *r, struct arena *a)
{
	struct list_nexthop l = {0};
	struct rtnl_hop hop;
	unsigned at = 0;
	size_t n = 0;

	while (rtnl_next_hop(r, &at, &hop))
		n++;
	l.v = arena_alloc(a, (n + 1) * sizeof(*l.v));
	for (at = 0; rtnl_next_hop(r, &at, &hop);) {
		struct obj_nexthop *o = &l.v[l.n++];
		*o = (struct obj_nexthop){.gateway = gateway(&hop, a), .device = device(k, &hop), .weight = hop.weight};
		o->has_gateway = o->gateway != NULL;
		o->has_device = o->device != NULL;
		o->flags = NET_VIEW_BITS(hop_flags, hop.flags, a);
	}
	return l;
}

static bool fill(void *arg, size_t i, struct arena *a, void *element)
{
	struct routes *k = arg;
	const struct low *x = k->page.v[i];
	struct obj_route *o = element;
	struct rtnl_route r;

	rtnl_parse_route((const struct nlmsghdr *)(const void *)x->data, &r);
	*o = (struct obj_route){
	    .has_id = true,
	    .id = x->key,
	    .family = net_family_name(r.family),
	    .dst = net_ip_text(r.family, r.dst, a),
	    .prefix = r.prefix,
	    .gateway = gateway(&r.hop, a),
	    .device = device(k, &r.hop),
	    .metric = r.metric,
	    .table = r.table,
	    .protocol = route_protocol(r.protocol, a),
	    .scope = NAME_OF(scopes, r.scope, a),
	    .type = NAME_OF(types, r.type, a),
	    .has_tos = r.tos != 0,
	    .tos = r.tos,
	    .has_prefsrc = r.has_prefsrc,
	    .prefsrc = r.has_prefsrc ? net_ip_text(r.family, r.prefsrc, a) : NULL,
	    .has_nexthop_id = r.nexthop_id != 0,
	    .nexthop_id = r.nexthop_id,
	    .flags = NET_VIEW_BITS(hop_flags, r.flags, a),
	    .has_nexthops = r.multipath != NULL,
	    .nexthops = hops(k, &r, a),
	};
	o->has_gateway = o->gateway != NULL;
	o->has_device = o->device != NULL;
	return true;
}

static void done(struct lowest *page, int err, void *arg)
{
	struct routes *k = arg;

	if (err != 0) {
		net_page_failed(k->rq, err, "routes");
		return;
	}
	k->page = lowest_copy(page, k->rq->arena);
	request_reply_list(k->rq, &(struct rpc_net_routes_result){0}, &(struct reply_list){.n = k->page.n, .fill = fill, .arg = k});
}

// IPv4's dump goes on at an address (net/ipv4/fib_trie.c, fib_table_dump).  IPv6's counts its entries from the beginning again when the table
// has changed, so one would be listed twice when another came in front of it, or never when one went (net/ipv6/ip6_fib.c, fib6_walk_continue).
static void ask(struct rtnl_scan *s, uint8_t family, uint32_t table)
{
	struct rtnl_ask *q = &s->asks[s->n_asks++];

	rtnl_ask_begin(q, family == AF_INET ? '4' : '6', RTM_GETROUTE, &(struct rtmsg){.rtm_family = family}, sizeof(struct rtmsg));
	q->goes_on = family == AF_INET;
	if (table != 0)
		rtnl_ask_attr(q, RTA_TABLE, &table, sizeof(table));
}

void rpc_net_routes(struct request *rq, const struct rpc_net_routes_params *p)
{
	struct routes *k = arena_zalloc(rq->arena, sizeof(*k));
	struct rtnl_scan s = {.key = key, .key_arg = k, .keep = net_page_keep(rq), .after = rq->cursor, .arg = k, .done = done};

	k->rq = rq;
	k->table = p->has_table ? (uint32_t)p->table : 0;
	if (!p->has_family || p->family == ip_family_inet)
		ask(&s, AF_INET, k->table);
	if (!p->has_family || p->family == ip_family_inet6)
		ask(&s, AF_INET6, k->table);
	rtnl_window_page(&s, rq->arena);
}
