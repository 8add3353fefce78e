// What the kernel shows, as the objects that the methods answer with.
#ifndef POSTERN_POSTERND_NET_VIEW_H
#define POSTERN_POSTERND_NET_VIEW_H

#include "proto/rpc.h"
#include "proto/wire.h"
#include "unpriv/posternd/rtnl.h"

// Everything at one moment; lives in an arena.
struct net_view {
	struct rtnl_links links;
	struct rtnl_addrs addrs; // by link
};

// Reads all links and addresses.  0 or an errno.
int net_view_read(struct net_view *v, struct arena *a);

const struct rtnl_link *net_view_link(const struct net_view *v, const char *name);
const struct rtnl_link *net_view_index(const struct net_view *v, int index);

// Names of links, asked for one by one and remembered for one answer.  Zeroed is empty.
struct link_names {
	size_t n, room;
	struct link_name {
		int index;
		const char *name;
	} * v; // in the arena
};

// NULL where there is no such link.
const char *link_name(struct link_names *m, int index, struct arena *a);

// The names of those bits that are set.
struct bit_name {
	uint32_t bit;
	const char *name;
};
struct list_str net_view_bits(const struct bit_name *t, size_t n, uint32_t bits, struct arena *a);
#define NET_VIEW_BITS(t, bits, a) net_view_bits(t, sizeof(t) / sizeof(*(t)), bits, a)

// Fill one object from one link.  `master`: the name of the link that it belongs to, or NULL; outlives the object.
void net_view_interface(const struct net_view *v, const struct rtnl_link *l, const char *master, struct arena *a, struct obj_interface *out);
void net_view_bridge(const struct net_view *v, const struct rtnl_link *l, struct arena *a, struct obj_bridge *out);

// The host's global addresses.
struct list_ip net_view_global(const struct net_view *v, struct arena *a);

// The network (host bits cleared) of an interface's first global IPv4 address, else of its first global IPv6 one; false if it has none.
bool net_view_network(const struct net_view *v, const char *name, struct wire_addr *out);

#endif
