// See rtnl_route.h.
#include "unpriv/posternd/rtnl_route.h"

#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/rtnl_attr.h"

static size_t address_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static void get_gateway(const struct rtattr *a, uint8_t family, struct rtnl_hop *hop)
{
	if (RTA_PAYLOAD(a) != address_len(family))
		return;
	hop->gateway_family = family;
	memcpy(hop->gateway, RTA_DATA(a), RTA_PAYLOAD(a));
}

// A gateway of another family than the route's.
static void get_via(const struct rtattr *a, struct rtnl_hop *hop)
{
	const struct rtvia *via = RTA_DATA(a);
	size_t head = sizeof(via->rtvia_family);
	uint8_t family = 0;

	if (RTA_PAYLOAD(a) > head && (via->rtvia_family == AF_INET || via->rtvia_family == AF_INET6))
		family = (uint8_t)via->rtvia_family;
	if (family == 0 || RTA_PAYLOAD(a) - head != address_len(family))
		return;
	hop->gateway_family = family;
	memcpy(hop->gateway, via->rtvia_addr, address_len(family));
}

static void route_attr(const struct rtattr *a, void *out)
{
	struct rtnl_route *r = out;
	size_t n = RTA_PAYLOAD(a);

	switch (a->rta_type & NLA_TYPE_MASK) {
	case RTA_DST:
		if (n == address_len(r->family))
			memcpy(r->dst, RTA_DATA(a), n);
		break;
	case RTA_PREFSRC:
		r->has_prefsrc = n == address_len(r->family);
		if (r->has_prefsrc)
			memcpy(r->prefsrc, RTA_DATA(a), n);
		break;
	case RTA_GATEWAY: get_gateway(a, r->family, &r->hop); break;
	case RTA_VIA: get_via(a, &r->hop); break;
	case RTA_OIF: r->hop.index = (int)rtnl_get_u32(a); break;
	case RTA_PRIORITY: r->metric = rtnl_get_u32(a); break;
	case RTA_TABLE: r->table = rtnl_get_u32(a); break;
	case RTA_NH_ID: r->nexthop_id = rtnl_get_u32(a); break;
	case RTA_MULTIPATH: r->multipath = a; break;
	}
}

bool rtnl_parse_route(const struct nlmsghdr *h, struct rtnl_route *r)
{
	const struct rtmsg *m = NLMSG_DATA(h);

	memset(r, 0, sizeof(*r));
	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || (m->rtm_flags & RTM_F_CLONED) != 0)
		return false;
	r->family = m->rtm_family;
	r->prefix = m->rtm_dst_len;
	r->tos = m->rtm_tos;
	r->protocol = m->rtm_protocol;
	r->scope = m->rtm_scope;
	r->type = m->rtm_type;
	r->flags = m->rtm_flags;
	r->table = m->rtm_table;
	rtnl_each_attr(RTM_RTA(m), h->nlmsg_len - NLMSG_SPACE(sizeof(*m)), route_attr, r);
	return true;
}

struct hop_reader {
	uint8_t family;
	struct rtnl_hop *hop;
};

static void hop_attr(const struct rtattr *a, void *out)
{
	struct hop_reader *x = out;

	if ((a->rta_type & NLA_TYPE_MASK) == RTA_GATEWAY)
		get_gateway(a, x->family, x->hop);
	else if ((a->rta_type & NLA_TYPE_MASK) == RTA_VIA)
		get_via(a, x->hop);
}

bool rtnl_next_hop(const struct rtnl_route *r, unsigned *at, struct rtnl_hop *hop)
{
	size_t all = r->multipath != NULL ? RTA_PAYLOAD(r->multipath) : 0;
	const struct rtnexthop *nh;

	if (*at >= all || all - *at < sizeof(*nh))
		return false;
	nh = (const struct rtnexthop *)(const void *)((const char *)RTA_DATA(r->multipath) + *at);
	if (nh->rtnh_len < sizeof(*nh) || nh->rtnh_len > all - *at)
		return false;
	*hop = (struct rtnl_hop){.index = nh->rtnh_ifindex, .weight = (uint32_t)nh->rtnh_hops + 1, .flags = nh->rtnh_flags};
	rtnl_each_attr((const struct rtattr *)(const void *)(nh + 1), nh->rtnh_len - sizeof(*nh), hop_attr,
	               &(struct hop_reader){.family = r->family, .hop = hop});
	*at += (unsigned)RTNH_ALIGN(nh->rtnh_len);
	return true;
}

// FNV-1a, 32 bits.
static uint32_t mix(uint32_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash;
}

static uint32_t mix_hop(uint32_t hash, const struct rtnl_hop *hop)
{
	hash = mix(hash, &hop->index, sizeof(hop->index));
	hash = mix(hash, &hop->weight, sizeof(hop->weight));
	hash = mix(hash, &hop->gateway_family, 1);
	return mix(hash, hop->gateway, sizeof(hop->gateway));
}

static uint32_t rest_of(const struct rtnl_route *r)
{
	const uint8_t small[] = {r->protocol, r->scope, r->type, r->has_prefsrc};
	uint32_t hash = mix(2166136261u, small, sizeof(small));
	struct rtnl_hop hop;
	unsigned at = 0;

	hash = mix(hash, r->prefsrc, sizeof(r->prefsrc));
	hash = mix(hash, &r->nexthop_id, sizeof(r->nexthop_id));
	hash = mix_hop(hash, &r->hop);
	while (rtnl_next_hop(r, &at, &hop))
		hash = mix_hop(hash, &hop);
	return hash;
}

// The kernel walks IPv4's table from the lowest address up (net/ipv4/fib_trie.c) and IPv6's from the leaves of a tree (net/ipv6/ip6_fib.c), where
// a network comes behind all that is in it, which is the order of the networks' last addresses.
static void place_in_table(const struct rtnl_route *r, uint8_t place[16])
{
	memcpy(place, r->dst, 16);
	for (unsigned bit = r->prefix; r->family == AF_INET6 && bit < 128; bit++)
		place[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

void rtnl_route_key(const struct rtnl_route *r, char key[LOWEST_KEY])
{
	const uint8_t small[] = {(uint8_t)(128 - r->prefix), (uint8_t)(255 - r->tos)}; // both fall, as the kernel's do
	const uint8_t bucket = (uint8_t)r->table;                                      // of 256, FIB_TABLE_HASHSZ
	uint8_t place[16];
	char *p = key;

	place_in_table(r, place);
	*p++ = r->family == AF_INET ? '4' : '6';
	p = lowest_hex(p, &bucket, 1);
	p = lowest_u32(p, r->table);
	*p++ = '.';
	p = lowest_hex(p, place, address_len(r->family));
	*p++ = '.';
	p = lowest_hex(p, small, sizeof(small));
	p = lowest_u32(p, r->metric);
	*p++ = '.';
	p = lowest_u32(p, rest_of(r));
	*p = '\0'; // 1 + 10 + 1 + 32 + 1 + 12 + 1 + 8 + 1 = 67 bytes at most
}
