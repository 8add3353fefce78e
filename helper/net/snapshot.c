// See snapshot.h.  Dumps that the kernel marks as interrupted are made again; names of masters and peers are filled in from all links' names.
#include "helper/net/snapshot.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "helper/net/bag.h"
#include "helper/net/fw.h"

#define TRIES     5
#define NAMES_MAX 65536u

// The name of any link, ours or not.
struct name {
	uint32_t index;
	char name[16];
};

struct taking {
	struct bag links, addresses, names, routes, records;
	bool torn; // the kernel changed while it was dumped
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct snap_link *)a)->name, ((const struct snap_link *)b)->name);
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct snap_address));
}

static int by_route(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct snap_route));
}

static int by_record(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct fw_record));
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct name *)a)->index, y = ((const struct name *)b)->index;

	return (x > y) - (x < y);
}

static const char *name_of(const struct taking *t, uint32_t index)
{
	static const char none[16];
	const struct name key = {.index = index};
	const struct name *found = index == 0 ? NULL : bag_find(t->names.v, t->names.n, sizeof(key), &key, by_index);

	return found == NULL ? none : found->name;
}

static void each_link(struct nlmsghdr *h, void *arg)
{
	struct taking *t = arg;
	struct snap_link link;
	struct name n = {0};
	struct nlattr *a = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_IFNAME);

	t->torn = t->torn || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type != RTM_NEWLINK || a == NULL)
		return;
	n.index = (uint32_t)((const struct ifinfomsg *)nlmsg_data(h))->ifi_index;
	nla_strlcpy(n.name, a, sizeof(n.name));
	bag_add(&t->names, &n);
	if (snap_link_parse(h, &link))
		bag_add(&t->links, &link);
}

static int take_links(struct taking *t)
{
	int err = rtnl_dump(rtnl_link_msg(RTM_GETLINK, 0, 0), each_link, t);

	if (err == 0)
		err = t->links.err != 0 ? t->links.err : t->names.err;
	if (err != 0)
		return err;
	bag_sort(&t->names, by_index);
	for (uint32_t i = 0; i < t->links.n; i++) {
		struct snap_link *l = (struct snap_link *)(void *)t->links.v + i;

		memcpy(l->master, name_of(t, l->master_index), sizeof(l->master));
		memcpy(l->peer, name_of(t, l->peer_index), sizeof(l->peer));
	}
	bag_sort(&t->links, by_name);
	return 0;
}

// A leased address has our mark too, but its link hasn't: it comes and goes as its server says.
static bool on_our_link(const struct taking *t, const char *device)
{
	struct snap_link key = {0};

	memcpy(key.name, device, sizeof(key.name));
	return bag_find(t->links.v, t->links.n, sizeof(key), &key, by_name) != NULL;
}

static void each_address(struct nlmsghdr *h, void *arg)
{
	struct taking *t = arg;
	const struct ifaddrmsg *i = nlmsg_data(h);
	struct nlattr *a[IFA_MAX + 1], *addr;
	struct snap_address out = {.address = {.family = i->ifa_family == AF_INET ? 4 : 6, .prefix = i->ifa_prefixlen}};
	int len = i->ifa_family == AF_INET ? 4 : 16;

	t->torn = t->torn || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*i), a, IFA_MAX, NULL) != 0 || a[IFA_PROTO] == NULL || nla_len(a[IFA_PROTO]) != 1 ||
	    nla_get_u8(a[IFA_PROTO]) != OUR_PROTOCOL)
		return;
	addr = a[IFA_LOCAL] != NULL ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	if (addr == NULL || nla_len(addr) != len)
		return;
	memcpy(out.address.addr, nla_data(addr), (size_t)len);
	memcpy(out.device, name_of(t, i->ifa_index), sizeof(out.device));
	if (on_our_link(t, out.device))
		bag_add(&t->addresses, &out);
}

static int take_addresses(struct taking *t)
{
	const struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_REQUEST);
	int err;

	if (m != NULL && nlmsg_append(m, (void *)(uintptr_t)&any, sizeof(any), NLMSG_ALIGNTO) != 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	err = rtnl_dump(m, each_address, t);
	bag_sort(&t->addresses, by_address);
	return err != 0 ? err : t->addresses.err;
}

static void each_route(struct nlmsghdr *h, void *arg)
{
	struct taking *t = arg;
	struct snap_route r;
	uint32_t out;

	t->torn = t->torn || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (!snap_route_parse(h, &r, &out))
		return;
	memcpy(r.device, name_of(t, out), sizeof(r.device));
	bag_add(&t->routes, &r);
}

// The kernel sends those of our protocol alone; one without this family says so, and has none.
static int take_routes(struct taking *t, uint8_t family)
{
	const struct rtmsg ours = {.rtm_family = family, .rtm_protocol = OUR_PROTOCOL};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	int err;

	if (m != NULL && nlmsg_append(m, (void *)(uintptr_t)&ours, sizeof(ours), NLMSG_ALIGNTO) != 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	err = rtnl_dump(m, each_route, t);
	if (err == -EOPNOTSUPP || err == -EAFNOSUPPORT)
		err = 0;
	return err != 0 ? err : t->routes.err;
}

static void each_record(void *arg, const struct fw_record *r, uint64_t handle)
{
	struct taking *t = arg;

	(void)handle;
	bag_add(&t->records, r);
}

static int take_records(struct taking *t, const struct policy_net *net, bool *whole)
{
	struct fw_found f;
	int err = fw_read(net, &f, each_record, t);

	*whole = f.present ? f.foreign == 0 && f.missing == 0 : t->records.n == 0;
	bag_sort(&t->records, by_record);
	if (err == -EINTR) {
		t->torn = true;
		err = 0;
	}
	return err != 0 ? err : t->records.err;
}

// One try; what it read belongs to *s even where it failed.
static int take(const struct policy_net *net, struct snapshot *s, bool *torn)
{
	struct taking t = {
	    .links = {.size = sizeof(struct snap_link), .most = SNAP_LINKS_MAX},
	    .addresses = {.size = sizeof(struct snap_address), .most = SNAP_ADDRESSES_MAX},
	    .names = {.size = sizeof(struct name), .most = NAMES_MAX},
	    .routes = {.size = sizeof(struct snap_route), .most = SNAP_ROUTES_MAX},
	    .records = {.size = sizeof(struct fw_record), .most = SNAP_RECORDS_MAX},
	};
	bool whole = false;
	int err = take_links(&t);

	if (err == 0)
		err = take_addresses(&t);
	if (err == 0)
		err = take_routes(&t, AF_INET);
	if (err == 0)
		err = take_routes(&t, AF_INET6);
	bag_sort(&t.routes, by_route);
	if (err == 0)
		err = take_records(&t, net, &whole);
	free(t.names.v);
	*s = (struct snapshot){
	    .links = (void *)t.links.v,
	    .addresses = (void *)t.addresses.v,
	    .routes = (void *)t.routes.v,
	    .records = (void *)t.records.v,
	    .nlinks = t.links.n,
	    .naddresses = t.addresses.n,
	    .nroutes = t.routes.n,
	    .nrecords = t.records.n,
	    .table_whole = whole,
	};
	*torn = t.torn;
	return err;
}

int snapshot_take(const struct policy_net *net, struct snapshot *s)
{
	bool torn = true;
	int err = 0;

	memset(s, 0, sizeof(*s));
	for (int tries = 0; err == 0 && torn && tries < TRIES; tries++) {
		snapshot_free(s);
		err = take(net, s, &torn);
	}
	return err == 0 && torn ? -EBUSY : err;
}

void snapshot_free(struct snapshot *s)
{
	free(s->links);
	free(s->addresses);
	free(s->routes);
	free(s->records);
	memset(s, 0, sizeof(*s));
}

const struct snap_link *snapshot_link(const struct snapshot *s, const char *name)
{
	struct snap_link key = {0};

	memcpy(key.name, name, strnlen(name, sizeof(key.name) - 1));
	return bag_find(s->links, s->nlinks, sizeof(key), &key, by_name);
}

bool snapshot_has_address(const struct snapshot *s, const struct snap_address *a)
{
	return bag_find(s->addresses, s->naddresses, sizeof(*a), a, by_address) != NULL;
}

bool snapshot_has_route(const struct snapshot *s, const struct snap_route *r)
{
	return bag_find(s->routes, s->nroutes, sizeof(*r), r, by_route) != NULL;
}

bool snapshot_has_record(const struct snapshot *s, const struct fw_record *r)
{
	return bag_find(s->records, s->nrecords, sizeof(*r), r, by_record) != NULL;
}
