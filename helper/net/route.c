// route_add, route_del: routes of ours, known by their rtm_protocol.
//
// A route is created or it isn't (NLM_F_CREATE | NLM_F_EXCL): one that stands in its place already, of the same table, network and metric, is never
// replaced, whoever made it, for NLM_F_REPLACE takes the first that it finds.  A deletion names our protocol, and the kernel passes over what has
// another (fib_table_delete, ip6_route_del): the mark is compared where the route is deleted, and nothing can come between.
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/link.h"

#define TRIES 4 // dumps that something changed under

struct route {
	const struct wire_addr *to, *gateway, *source; // gateway, source: NULL where there is none
	uint32_t table, metric, device;                // device 0: any
};

static size_t addr_len(const struct wire_addr *a)
{
	return a->family == 4 ? 4 : 16;
}

static uint32_t metric_of(const struct wire_addr *to, bool has_metric, uint32_t metric)
{
	if (has_metric && metric != 0)
		return metric;
	return to->family == 6 ? ROUTE_METRIC6 : 0;
}

static bool host_bits_zero(const struct wire_addr *a)
{
	for (unsigned i = a->prefix; i < 8 * addr_len(a); i++)
		if ((a->addr[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

// Nothing, this machine and groups are no destinations; the default route is 0.0.0.0/0.
static bool usable(const struct wire_addr *a)
{
	static const uint8_t zero[16], loopback6[16] = {[15] = 1};
	const uint8_t *p = a->addr;

	if (!host_bits_zero(a))
		return false;
	if (memcmp(p, zero, sizeof(zero)) == 0)
		return a->prefix == 0 || (a->family == 4 && a->prefix < 8) || (a->family == 6 && a->prefix < 96);
	if (a->family == 4)
		return p[0] != 0 && p[0] != 127 && p[0] < 224;
	return p[0] != 0xff && memcmp(p, loopback6, sizeof(loopback6)) != 0;
}

// One host's address of the destination's family.
static bool host_of(const struct wire_addr *a, const struct wire_addr *to)
{
	return a->family == to->family && a->prefix == 8 * addr_len(a);
}

static struct nl_msg *message(int type, int flags, const struct rtmsg *h)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (m != NULL && nlmsg_append(m, (void *)(uintptr_t)h, sizeof(*h), NLMSG_ALIGNTO) != 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static uint8_t af_of(const struct wire_addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static int change(int type, int flags, const struct route *r)
{
	struct rtmsg h = {
	    .rtm_family = af_of(r->to),
	    .rtm_dst_len = r->to->prefix,
	    .rtm_protocol = OUR_PROTOCOL,
	    .rtm_scope = type == RTM_DELROUTE                       ? RT_SCOPE_NOWHERE
	                 : r->gateway != NULL || r->to->family == 6 ? RT_SCOPE_UNIVERSE
	                                                            : RT_SCOPE_LINK,
	    .rtm_type = RTN_UNICAST,
	};
	struct nl_msg *m = message(type, flags, &h);
	int broken = 0;

	if (m == NULL)
		return -ENOMEM;
	if (r->to->prefix > 0)
		broken |= nla_put(m, RTA_DST, (int)addr_len(r->to), r->to->addr);
	broken |= nla_put_u32(m, RTA_TABLE, r->table);
	if (r->metric != 0)
		broken |= nla_put_u32(m, RTA_PRIORITY, r->metric);
	if (r->gateway != NULL)
		broken |= nla_put(m, RTA_GATEWAY, (int)addr_len(r->gateway), r->gateway->addr);
	if (r->device != 0)
		broken |= nla_put_u32(m, RTA_OIF, r->device);
	if (r->source != NULL)
		broken |= nla_put(m, RTA_PREFSRC, (int)addr_len(r->source), r->source->addr);
	return rtnl_do(m, broken);
}

struct search {
	const struct route *want;
	bool found, same, changed;
};

static bool is_addr(struct nlattr *a, const struct wire_addr *want)
{
	if (a == NULL || want == NULL)
		return a == NULL && want == NULL;
	return (size_t)nla_len(a) == addr_len(want) && memcmp(nla_data(a), want->addr, addr_len(want)) == 0;
}

static uint32_t u32_of(struct nlattr *a)
{
	return a != NULL && nla_len(a) == sizeof(uint32_t) ? nla_get_u32(a) : 0;
}

static void look(struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;
	const struct route *w = s->want;
	const struct rtmsg *r = nlmsg_data(h);
	struct nlattr *a[RTA_MAX + 1];

	s->changed = s->changed || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*r), a, RTA_MAX, NULL) != 0)
		return;
	if (r->rtm_protocol != OUR_PROTOCOL || r->rtm_dst_len != w->to->prefix || u32_of(a[RTA_TABLE]) != w->table ||
	    u32_of(a[RTA_PRIORITY]) != w->metric || !is_addr(a[RTA_DST], w->to->prefix > 0 ? w->to : NULL))
		return;
	s->found = true;
	s->same = is_addr(a[RTA_GATEWAY], w->gateway) && is_addr(a[RTA_PREFSRC], w->source) && u32_of(a[RTA_OIF]) == w->device;
}

// Is there a route of ours of this table, network and metric, and is it the very same?  The kernel sends those of our protocol and table alone.
static int find(const struct route *want, struct search *s)
{
	const struct rtmsg h = {.rtm_family = af_of(want->to), .rtm_protocol = OUR_PROTOCOL};
	int err = 0;

	*s = (struct search){.want = want, .changed = true};
	for (int tries = 0; err == 0 && s->changed && tries < TRIES; tries++) {
		struct nl_msg *m = message(RTM_GETROUTE, NLM_F_REQUEST, &h);

		*s = (struct search){.want = want};
		if (m != NULL && nla_put_u32(m, RTA_TABLE, want->table) != 0) {
			nlmsg_free(m);
			return -ENOMEM;
		}
		err = rtnl_dump(m, look, s);
	}
	return err == -ENOENT ? 0 : err; // no such table
}

// The link that leads to a gateway.
static int towards(const struct wire_addr *gateway, uint32_t *device)
{
	const struct rtmsg h = {.rtm_family = af_of(gateway), .rtm_dst_len = gateway->prefix};
	struct nl_msg *m = message(RTM_GETROUTE, 0, &h);
	struct nlmsghdr *answer = NULL;
	struct nlattr *a[RTA_MAX + 1];
	int err = rtnl_get(m, m == NULL ? 1 : nla_put(m, RTA_DST, (int)addr_len(gateway), gateway->addr), &answer);

	if (err != 0)
		return err;
	if (answer->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(answer, sizeof(h), a, RTA_MAX, NULL) != 0)
		return -EPROTO;
	*device = u32_of(a[RTA_OIF]);
	return *device != 0 ? 0 : -ENETUNREACH;
}

// The link that the route leads out of: an uplink of the policy, or one of ours.
static enum op_status way_out(struct cell *c, const struct op_route_add_args *a, uint32_t *device)
{
	struct rtnl_link_info link;
	int err = 0;

	if (!a->has_device)
		err = towards(&a->gateway, device);
	if (err != 0)
		return cell_fail_errno(c, "no way to the gateway", -err);
	err = a->has_device ? rtnl_find(a->device, &link) : rtnl_find_index(*device, &link);
	if (err != 0)
		return cell_fail_errno(c, "device", -err);
	*device = link.index;
	if (policy_uplink(&c->policy.net, link.name))
		return OPS_OK;
	if (!policy_link_ours(&c->policy.net, link.name))
		return cell_fail(c, OPS_DENIED, "uplink", 0);
	return rtnl_marked(&link) ? OPS_OK : cell_fail(c, OPS_DENIED, "a link without our mark", 0);
}

static const char *wrong(const struct op_route_add_args *a)
{
	if (!usable(&a->destination))
		return "not a network that a route leads to";
	if ((a->has_gateway && !host_of(&a->gateway, &a->destination)) || (a->has_source && !host_of(&a->source, &a->destination)))
		return "not an address of the destination's family";
	return a->has_gateway || a->has_device ? NULL : "neither gateway nor device";
}

enum op_status op_route_add(struct cell *c, const struct op_route_add_args *a, const int *fds, struct op_route_add_res *r, int *out_fds)
{
	struct route want = {
	    .to = &a->destination,
	    .gateway = a->has_gateway ? &a->gateway : NULL,
	    .source = a->has_source ? &a->source : NULL,
	    .table = a->table,
	    .metric = metric_of(&a->destination, a->has_metric, a->metric),
	};
	struct search s;
	enum op_status status;
	int err;

	(void)fds;
	(void)out_fds;
	if (wrong(a) != NULL)
		return cell_fail(c, OPS_INVALID, wrong(a), 0);
	status = way_out(c, a, &want.device);
	if (status != OPS_OK)
		return status;
	err = change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &want);
	r->changed = err == 0;
	if (err != -EEXIST)
		return err == 0 ? OPS_OK : cell_fail_errno(c, "route", -err);
	err = find(&want, &s);
	if (err != 0)
		return cell_fail_errno(c, "routes", -err);
	return s.found && s.same ? OPS_OK : cell_fail(c, OPS_EXISTS, s.found ? "another route of ours" : "a route without our mark", EEXIST);
}

// The kernel takes an IPv4 metric of 0 for any, and might delete a neighbour of the one that is meant: so that is looked for first.
enum op_status op_route_del(struct cell *c, const struct op_route_del_args *a, const int *fds, struct op_route_del_res *r, int *out_fds)
{
	const struct route want = {.to = &a->destination, .table = a->table, .metric = metric_of(&a->destination, a->has_metric, a->metric)};
	struct search s = {.found = true};
	int err = want.metric == 0 ? find(&want, &s) : 0;

	(void)fds;
	(void)out_fds;
	if (err == 0 && s.found)
		err = change(RTM_DELROUTE, 0, &want);
	r->changed = err == 0 && s.found;
	return err == 0 || err == -ESRCH ? OPS_OK : cell_fail_errno(c, "route", -err);
}
