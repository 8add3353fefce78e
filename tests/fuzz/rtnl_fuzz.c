// LINK: unpriv/posternd/rtnl_parse.o unpriv/posternd/rtnl_route.o unpriv/posternd/rtnl_neigh.o unpriv/posternd/lowest.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// A message of the kernel, header and all: each reader stays within it, lists of ways and VLANs end, keys fit.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_neigh.h"
#include "unpriv/posternd/rtnl_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool holds)
{
	if (!holds)
		abort();
}

static void see_vlan(const struct rtnl_vlan *v, void *arg)
{
	size_t *left = arg;

	want(v->first != 0 && v->first <= v->last && (*left)-- > 0);
}

static void read_route(const struct nlmsghdr *h, size_t size)
{
	struct rtnl_route r;
	struct rtnl_hop hop;
	char key[LOWEST_KEY];
	unsigned at = 0;

	if (!rtnl_parse_route(h, &r))
		return;
	for (size_t left = size; rtnl_next_hop(&r, &at, &hop);)
		want(left-- > 0);
	rtnl_route_key(&r, key);
	want(memchr(key, '\0', sizeof(key)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *h;
	struct rtnl_link l;
	struct rtnl_addr a;
	struct rtnl_netconf c;
	struct rtnl_neigh n;
	char key[LOWEST_KEY];
	size_t left = size;

	if (size < sizeof(*h))
		return 0;
	h = malloc(size);
	memcpy(h, data, size);
	h->nlmsg_len = (uint32_t)size; // NLMSG_OK has seen to that
	if (rtnl_parse_link(h, &l))
		want(memchr(l.name, '\0', sizeof(l.name)) != NULL && memchr(l.alias, '\0', sizeof(l.alias)) != NULL && l.index > 0);
	if (rtnl_parse_addr(h, &a))
		want(a.family == 2 || a.family == 10);
	rtnl_parse_netconf(h, &c);
	if (rtnl_parse_neigh(h, &n)) {
		rtnl_neigh_key(&n, key);
		want(memchr(key, '\0', sizeof(key)) != NULL);
	}
	rtnl_each_vlan(h, see_vlan, &left);
	read_route(h, size);
	free(h);
	return 0;
}
