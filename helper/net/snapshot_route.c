// One route message of the kernel, as a snap_route.  See snapshot.h.
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/snapshot.h"

static uint32_t number_of(struct nlattr *a)
{
	return a != NULL && nla_len(a) == sizeof(uint32_t) ? nla_get_u32(a) : 0;
}

// False where the attribute isn't an address of this family; without one, *to stays as it is.
static bool read_addr(struct nlattr *a, uint8_t family, uint8_t prefix, struct wire_addr *to)
{
	int len = family == 4 ? 4 : 16;

	if (a == NULL)
		return true;
	if (nla_len(a) != len)
		return false;
	to->family = family;
	to->prefix = prefix;
	memcpy(to->addr, nla_data(a), (size_t)len);
	return true;
}

bool snap_route_parse(struct nlmsghdr *h, struct snap_route *r, uint32_t *out)
{
	const struct rtmsg *m = nlmsg_data(h);
	struct nlattr *a[RTA_MAX + 1];
	uint8_t family, host;

	memset(r, 0, sizeof(*r));
	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*m), a, RTA_MAX, NULL) != 0 || m->rtm_protocol != OUR_PROTOCOL ||
	    (m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || a[RTA_OIF] == NULL)
		return false;
	family = m->rtm_family == AF_INET ? 4 : 6;
	host = family == 4 ? 32 : 128;
	r->destination = (struct wire_addr){.family = family};
	r->table = number_of(a[RTA_TABLE]);
	r->metric = number_of(a[RTA_PRIORITY]);
	*out = number_of(a[RTA_OIF]);
	return read_addr(a[RTA_DST], family, m->rtm_dst_len, &r->destination) && read_addr(a[RTA_GATEWAY], family, host, &r->gateway) &&
	       read_addr(a[RTA_PREFSRC], family, host, &r->source);
}
