// net.sysctl: from the kernel's dump of what /proc/sys/net/…/conf holds, which is two questions for a host of any size, where the files would be
// four for each interface.
#include <linux/netconf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/rpc_net.h"

static int by_index(const void *a, const void *b)
{
	const struct rtnl_netconf *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

// Sorted, for find().
static bool read_family(struct request *rq, uint8_t family, struct rtnl_netconfs *out)
{
	int err = rtnl_read_netconf(family, rq->arena, out);

	if (err != 0)
		fail_errno(rq, FAIL_IO, err, "the kernel's switches can't be read");
	else if (out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), by_index);
	return err == 0;
}

static const struct rtnl_netconf *find(const struct rtnl_netconfs *l, int index)
{
	const struct rtnl_netconf want = {.index = index};

	return l->n > 0 ? bsearch(&want, l->v, l->n, sizeof(*l->v), by_index) : NULL;
}

static bool forwards(const struct rtnl_netconfs *l)
{
	const struct rtnl_netconf *all = find(l, NETCONFA_IFINDEX_ALL);

	return all != NULL && all->forwarding;
}

static void fill(const struct rtnl_link *l, const struct rtnl_netconf *four, const struct rtnl_netconf *six, struct obj_link_sysctl *o)
{
	*o = (struct obj_link_sysctl){
	    .name = l->name,
	    .has_forwarding4 = four != NULL,
	    .forwarding4 = four != NULL && four->forwarding,
	    .has_forwarding6 = six != NULL,
	    .forwarding6 = six != NULL && six->forwarding,
	    .has_proxy_arp = four != NULL,
	    .proxy_arp = four != NULL && four->proxy,
	    .has_proxy_ndp = six != NULL,
	    .proxy_ndp = six != NULL && six->proxy,
	};
}

void rpc_net_sysctl(struct request *rq, const struct rpc_net_sysctl_params *p)
{
	struct rtnl_netconfs four, six;
	struct rtnl_links links;
	struct list_link_sysctl l = {0};
	int err = rtnl_read_links(&(struct rtnl_filter){.brief = true}, rq->arena, &links);

	if (err != 0) {
		fail_errno(rq, FAIL_IO, err, "the kernel's interfaces can't be read");
		return;
	}
	if (!read_family(rq, AF_INET, &four) || !read_family(rq, AF_INET6, &six))
		return;
	l.v = arena_alloc(rq->arena, (links.n + 1) * sizeof(*l.v));
	for (size_t i = 0; i < links.n; i++) {
		const struct rtnl_link *k = &links.v[i];
		if (!p->has_interface || strcmp(k->name, p->interface) == 0)
			fill(k, find(&four, k->index), find(&six, k->index), &l.v[l.n++]);
	}
	if (p->has_interface && l.n == 0)
		fail(rq, FAIL_NOT_FOUND, "there is no interface %s", p->interface);
	else
		reply_net_sysctl(rq, &(struct rpc_net_sysctl_result){.global = {.ipv4_forward = forwards(&four), .ipv6_forward = forwards(&six)},
		                                                     .interfaces = l});
}
