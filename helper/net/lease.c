// lease_apply, lease_drop, lease_route, lease_ra: what a lease gives, on interfaces of the policy's lease-interface.
//
// Such an interface is the host's and carries no mark; the address does (IFA_PROTO, a value of its own), and what others gave is left alone.
// Everything here ends by itself: the kernel counts the address down, and with it go its routes, for they name it as their source.  So nothing is
// left behind by a daemon that is gone, and a daemon that lies can at most misconfigure an interface that policy gave it.
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/address.h"
#include "helper/net/link.h"
#include "helper/net/sys.h"

static enum op_status find_link(struct cell *c, const char *name, uint32_t *index)
{
	struct rtnl_link_info link;
	int err = rtnl_find(name, &link);

	if (err != 0)
		return cell_fail_errno(c, "interface", -err);
	*index = link.index;
	return OPS_OK;
}

// Looks for the address, and fails where somebody else gave it.
static enum op_status find_address(struct cell *c, struct address_search *s)
{
	int err = address_find(s);

	if (err != 0)
		return cell_fail_errno(c, "address", -err);
	return s->found && !s->ours ? cell_fail(c, OPS_DENIED, "an address without the mark of leases", 0) : OPS_OK;
}

enum op_status op_lease_apply(struct cell *c, const struct op_lease_apply_args *a, const int *fds, struct op_lease_apply_res *r, int *out_fds)
{
	const struct ifa_cacheinfo times = {.ifa_valid = a->valid_secs, .ifa_prefered = a->preferred_secs};
	struct address_search s = {.want = &a->address, .mark = LEASED_PROTOCOL};
	enum op_status status;
	int err;

	(void)fds;
	(void)out_fds;
	if (!address_usable(&a->address) || a->preferred_secs > a->valid_secs)
		return cell_fail(c, OPS_INVALID, "not an address for an interface", 0);
	status = find_link(c, a->device, &s.index);
	if (status == OPS_OK)
		status = find_address(c, &s);
	if (status != OPS_OK)
		return status;
	err = address_change(RTM_NEWADDR, NLM_F_CREATE | (s.found ? NLM_F_REPLACE : NLM_F_EXCL), &a->address, s.index, &times);
	if (err != 0)
		return cell_fail_errno(c, "address", -err);
	r->changed = !s.found;
	return OPS_OK;
}

enum op_status op_lease_drop(struct cell *c, const struct op_lease_drop_args *a, const int *fds, struct op_lease_drop_res *r, int *out_fds)
{
	struct address_search s = {.want = &a->address, .mark = LEASED_PROTOCOL};
	enum op_status status = find_link(c, a->device, &s.index);
	int err = 0;

	(void)fds;
	(void)out_fds;
	if (status == OPS_OK)
		status = find_address(c, &s);
	if (status != OPS_OK)
		return status;
	if (s.found)
		err = address_change(RTM_DELADDR, 0, &a->address, s.index, NULL);
	if (err != 0 && err != -EADDRNOTAVAIL) // it ended meanwhile
		return cell_fail_errno(c, "address", -err);
	r->changed = s.found && err == 0;
	return OPS_OK;
}

static struct nl_msg *route(const struct op_lease_route_args *a, uint32_t index, int *broken)
{
	const bool remove = a->has_remove && a->remove;
	struct rtmsg t = {.rtm_family = AF_INET,
	                  .rtm_dst_len = a->destination.prefix,
	                  .rtm_table = RT_TABLE_MAIN,
	                  .rtm_protocol = RTPROT_DHCP,
	                  .rtm_scope = a->has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	                  .rtm_type = RTN_UNICAST,
	                  .rtm_flags = a->has_gateway ? RTNH_F_ONLINK : 0}; // routers may lie outside a /32 lease (RFC 3442)
	struct nl_msg *m = nlmsg_alloc_simple(remove ? RTM_DELROUTE : RTM_NEWROUTE, NLM_F_REQUEST | (remove ? 0 : NLM_F_CREATE | NLM_F_EXCL));

	*broken = m == NULL || nlmsg_append(m, &t, sizeof(t), NLMSG_ALIGNTO) != 0;
	if (*broken)
		return m;
	*broken |= nla_put(m, RTA_DST, 4, a->destination.addr) | nla_put_u32(m, RTA_OIF, index) | nla_put(m, RTA_PREFSRC, 4, a->source.addr) |
	           nla_put_u32(m, RTA_PRIORITY, a->metric);
	if (a->has_gateway)
		*broken |= nla_put(m, RTA_GATEWAY, 4, a->gateway.addr);
	return m;
}

enum op_status op_lease_route(struct cell *c, const struct op_lease_route_args *a, const int *fds, struct op_lease_route_res *r, int *out_fds)
{
	const bool remove = a->has_remove && a->remove;
	struct address_search s = {.want = &a->source, .mark = LEASED_PROTOCOL};
	enum op_status status = find_link(c, a->device, &s.index);
	struct nl_msg *m;
	int err, broken;

	(void)fds;
	(void)out_fds;
	if (a->source.family != 4 || a->destination.family != 4 || (a->has_gateway && (a->gateway.family != 4 || !address_usable(&a->gateway))))
		return cell_fail(c, OPS_INVALID, "not a route of IPv4", 0);
	if (status == OPS_OK)
		status = find_address(c, &s);
	if (status != OPS_OK)
		return status;
	if (!s.found && !remove)
		return cell_fail(c, OPS_NOT_FOUND, "the leased address", 0);
	m = route(a, s.index, &broken);
	err = rtnl_do(m, broken);
	if (err != 0 && err != (remove ? -ESRCH : -EEXIST))
		return cell_fail_errno(c, "route", -err);
	r->changed = err == 0;
	return OPS_OK;
}

enum op_status op_lease_ra(struct cell *c, const struct op_lease_ra_args *a, const int *fds, struct op_lease_ra_res *r, int *out_fds)
{
	int err = sys_accept_ra(a->device, &r->changed);

	(void)fds;
	(void)out_fds;
	if (err == -ENOENT)
		return cell_fail(c, OPS_UNSUPPORTED, "no such interface, or no IPv6 on it", ENOENT);
	return err == 0 ? OPS_OK : cell_fail_errno(c, "accept_ra", -err);
}
