// See rtnl_neigh.h.
#include "unpriv/posternd/rtnl_neigh.h"

#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/rtnl_attr.h"

struct reader {
	struct rtnl_neigh *n;
	bool has_addr;
};

static size_t address_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static void neigh_attr(const struct rtattr *a, void *out)
{
	struct reader *x = out;
	struct rtnl_neigh *n = x->n;
	size_t len = RTA_PAYLOAD(a);

	if ((a->rta_type & NLA_TYPE_MASK) == NDA_DST && len == address_len(n->family)) {
		x->has_addr = true;
		memcpy(n->addr, RTA_DATA(a), len);
	} else if ((a->rta_type & NLA_TYPE_MASK) == NDA_LLADDR && len == sizeof(n->mac)) {
		n->has_mac = true;
		memcpy(n->mac, RTA_DATA(a), len);
	}
}

bool rtnl_parse_neigh(const struct nlmsghdr *h, struct rtnl_neigh *n)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	struct reader x = {.n = n};

	memset(n, 0, sizeof(*n));
	if (h->nlmsg_type != RTM_NEWNEIGH || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	if (m->ndm_family != AF_INET && m->ndm_family != AF_INET6)
		return false;
	n->family = m->ndm_family;
	n->index = m->ndm_ifindex;
	n->state = m->ndm_state;
	n->flags = m->ndm_flags;
	rtnl_each_attr((const struct rtattr *)(const void *)((const char *)m + NLMSG_ALIGN(sizeof(*m))), h->nlmsg_len - NLMSG_SPACE(sizeof(*m)),
	               neigh_attr, &x);
	return x.has_addr;
}

void rtnl_neigh_key(const struct rtnl_neigh *n, char key[LOWEST_KEY])
{
	char *p = key;

	*p++ = n->family == AF_INET ? '4' : '6';
	p = lowest_u32(p, (uint32_t)n->index);
	*p++ = '.';
	p = lowest_hex(p, n->addr, address_len(n->family));
	*p = '\0';
}
