// Kernel messages to structs.  Attributes that are shorter than their type are passed over, so a newer or older kernel's message is read as far
// as it goes.
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_attr.h"

static void bridge_attr(const struct rtattr *a, void *out)
{
	struct rtnl_link *l = out;

	if (a->rta_type == IFLA_BR_STP_STATE)
		l->stp = rtnl_get_u32(a) != 0;
	else if (a->rta_type == IFLA_BR_VLAN_FILTERING)
		l->vlan_filtering = rtnl_get_u8(a) != 0;
	else if (a->rta_type == IFLA_BR_VLAN_DEFAULT_PVID)
		l->default_pvid = (uint16_t)rtnl_get_u32(a);
}

static void tun_attr(const struct rtattr *a, void *out)
{
	struct rtnl_link *l = out;

	if (a->rta_type != IFLA_TUN_OWNER)
		return;
	l->has_owner = true;
	l->owner = rtnl_get_u32(a);
}

static void port_attr(const struct rtattr *a, void *out)
{
	struct rtnl_link *l = out;

	if (a->rta_type == IFLA_BRPORT_STATE)
		l->port_state = rtnl_get_u8(a);
}

// The kinds come before the data that they explain (net/core/rtnetlink.c, rtnl_link_fill).
static void info_attr(const struct rtattr *a, void *out)
{
	struct rtnl_link *l = out;

	switch (a->rta_type & NLA_TYPE_MASK) {
	case IFLA_INFO_KIND: rtnl_get_text(a, l->kind, sizeof(l->kind)); break;
	case IFLA_INFO_SLAVE_KIND: rtnl_get_text(a, l->slave_kind, sizeof(l->slave_kind)); break;
	case IFLA_INFO_DATA:
		if (strcmp(l->kind, "bridge") == 0)
			rtnl_nested(a, bridge_attr, l);
		else if (strcmp(l->kind, "tun") == 0)
			rtnl_nested(a, tun_attr, l);
		break;
	case IFLA_INFO_SLAVE_DATA:
		if (strcmp(l->slave_kind, "bridge") == 0)
			rtnl_nested(a, port_attr, l);
		break;
	}
}

static void link_attr(const struct rtattr *a, void *out)
{
	struct rtnl_link *l = out;
	size_t n = RTA_PAYLOAD(a);

	switch (a->rta_type & NLA_TYPE_MASK) {
	case IFLA_IFNAME: rtnl_get_text(a, l->name, sizeof(l->name)); break;
	case IFLA_IFALIAS: rtnl_get_text(a, l->alias, sizeof(l->alias)); break;
	case IFLA_MTU: l->mtu = rtnl_get_u32(a); break;
	case IFLA_MASTER: l->master = (int)rtnl_get_u32(a); break;
	case IFLA_OPERSTATE: l->operstate = rtnl_get_u8(a); break;
	case IFLA_CARRIER: l->carrier = rtnl_get_u8(a) != 0; break;
	case IFLA_LINKINFO: rtnl_nested(a, info_attr, l); break;
	case IFLA_STATS64: memcpy(&l->stats, RTA_DATA(a), n < sizeof(l->stats) ? n : sizeof(l->stats)); break;
	case IFLA_ADDRESS:
		l->has_mac = n == sizeof(l->mac);
		if (l->has_mac)
			memcpy(l->mac, RTA_DATA(a), sizeof(l->mac));
		break;
	}
}

bool rtnl_parse_link(const struct nlmsghdr *h, struct rtnl_link *l)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);

	memset(l, 0, sizeof(*l));
	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return false;
	l->index = i->ifi_index;
	l->type = i->ifi_type;
	l->flags = i->ifi_flags;
	rtnl_each_attr(IFLA_RTA(i), h->nlmsg_len - NLMSG_SPACE(sizeof(*i)), link_attr, l);
	return l->index > 0 && l->name[0] != '\0';
}

static void times_of(const struct rtattr *a, struct rtnl_addr *r)
{
	struct ifa_cacheinfo times;

	if (RTA_PAYLOAD(a) < sizeof(times))
		return;
	memcpy(&times, RTA_DATA(a), sizeof(times));
	r->valid = times.ifa_valid;
	r->preferred = times.ifa_prefered;
}

// The peer's address is IFA_ADDRESS where there is one; IFA_LOCAL, which IPv6 leaves out otherwise, is ours.
static void addr_attr(const struct rtattr *a, void *out)
{
	struct rtnl_addr *r = out;
	size_t want = r->family == AF_INET ? 4 : 16;
	static const uint8_t none[16];

	if (a->rta_type == IFA_FLAGS)
		r->flags = rtnl_get_u32(a);
	else if (a->rta_type == IFA_PROTO)
		r->proto = rtnl_get_u8(a);
	else if (a->rta_type == IFA_CACHEINFO)
		times_of(a, r);
	if (RTA_PAYLOAD(a) != want)
		return;
	if (a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && memcmp(r->addr, none, want) == 0))
		memcpy(r->addr, RTA_DATA(a), want);
}

bool rtnl_parse_addr(const struct nlmsghdr *h, struct rtnl_addr *r)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);

	memset(r, 0, sizeof(*r));
	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return false;
	if (i->ifa_family != AF_INET && i->ifa_family != AF_INET6)
		return false;
	r->index = (int)i->ifa_index;
	r->family = i->ifa_family;
	r->prefix = i->ifa_prefixlen;
	r->scope = i->ifa_scope;
	r->flags = i->ifa_flags;
	r->valid = r->preferred = UINT32_MAX;
	rtnl_each_attr(IFA_RTA(i), h->nlmsg_len - NLMSG_SPACE(sizeof(*i)), addr_attr, r);
	return true;
}

static void netconf_attr(const struct rtattr *a, void *out)
{
	struct rtnl_netconf *c = out;

	switch (a->rta_type & NLA_TYPE_MASK) {
	case NETCONFA_IFINDEX: c->index = (int)rtnl_get_u32(a); break;
	case NETCONFA_FORWARDING: c->forwarding = rtnl_get_u32(a) != 0; break;
	case NETCONFA_PROXY_NEIGH: c->proxy = rtnl_get_u32(a) != 0; break;
	}
}

// Its fixed header, one byte, is followed by padding.
bool rtnl_parse_netconf(const struct nlmsghdr *h, struct rtnl_netconf *c)
{
	size_t head = NLMSG_SPACE(sizeof(struct netconfmsg));

	memset(c, 0, sizeof(*c));
	if (h->nlmsg_type != RTM_NEWNETCONF || h->nlmsg_len < head)
		return false;
	rtnl_each_attr((const struct rtattr *)(const void *)((const char *)h + head), h->nlmsg_len - head, netconf_attr, c);
	return c->index != 0;
}

struct vlan_reader {
	struct rtnl_vlan vlan; // its first is 0 until a range begins
	rtnl_vlan_fn *fn;
	void *arg;
};

// One VLAN, or the first or last of a range (net/bridge/br_netlink.c, br_fill_ifvlaninfo_range).
static void vlan_attr(const struct rtattr *a, void *out)
{
	struct vlan_reader *x = out;
	struct bridge_vlan_info i;

	if ((a->rta_type & NLA_TYPE_MASK) != IFLA_BRIDGE_VLAN_INFO || RTA_PAYLOAD(a) < sizeof(i))
		return;
	memcpy(&i, RTA_DATA(a), sizeof(i));
	if ((i.flags & BRIDGE_VLAN_INFO_RANGE_END) == 0)
		x->vlan.first = i.vid;
	x->vlan.last = i.vid;
	x->vlan.flags = i.flags & (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
	if ((i.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) == 0 && x->vlan.first != 0 && x->vlan.first <= x->vlan.last)
		x->fn(&x->vlan, x->arg);
}

static void spec_attr(const struct rtattr *a, void *out)
{
	if ((a->rta_type & NLA_TYPE_MASK) == IFLA_AF_SPEC)
		rtnl_nested(a, vlan_attr, out);
}

void rtnl_each_vlan(const struct nlmsghdr *h, rtnl_vlan_fn *fn, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct vlan_reader x = {.fn = fn, .arg = arg};

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)) || i->ifi_family != AF_BRIDGE)
		return;
	x.vlan.index = i->ifi_index;
	rtnl_each_attr(IFLA_RTA(i), h->nlmsg_len - NLMSG_SPACE(sizeof(*i)), spec_attr, &x);
}
