// A route as the kernel sends it (rtnetlink(7), RTM_NEWROUTE).
#ifndef POSTERN_POSTERND_RTNL_ROUTE_H
#define POSTERN_POSTERND_RTNL_ROUTE_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "unpriv/posternd/lowest.h"
#include "unpriv/posternd/mem.h"

struct rtnl_hop {
	int index;              // of the link; 0: none
	uint8_t gateway_family; // AF_…; 0: no gateway
	uint8_t gateway[16];
	uint32_t weight; // of several
	uint32_t flags;  // RTNH_F_…
};

struct rtnl_route {
	uint8_t family, prefix, tos, protocol, scope, type; // AF_…, length, RTPROT_…, RT_SCOPE_…, RTN_…
	uint32_t flags;                                     // RTM_F_…, and RTNH_F_… of a single hop
	uint32_t table, metric, nexthop_id;                 // nexthop_id 0: none
	uint8_t dst[16], prefsrc[16];                       // network byte order
	bool has_prefsrc;
	struct rtnl_hop hop;            // of a route that has one
	const struct rtattr *multipath; // in the message; NULL: not several
};

struct rtnl_routes {
	struct rtnl_route *v;
	size_t n;
};

// Reads the routes of one family and protocol, of all tables, into the arena, without their several hops.  Returns 0 or an errno.  In rtnl.c.
int rtnl_read_routes(uint8_t family, uint8_t protocol, struct arena *a, struct rtnl_routes *out);

// False where the message is no route, or an entry of the route cache.
bool rtnl_parse_route(const struct nlmsghdr *h, struct rtnl_route *r);

// One hop of several; *at begins at 0.  False after the last.
bool rtnl_next_hop(const struct rtnl_route *r, unsigned *at, struct rtnl_hop *hop);

// What tells a route from every other, as a text of hex fields that sorts as the kernel lists them: by family, table (its low byte first),
// destination, prefix length (the longest first), type of service (the highest first) and metric.  The destination of IPv6 is told by its
// network's last address.  What the kernel changes by itself (a link that goes down) isn't in it.
void rtnl_route_key(const struct rtnl_route *r, char key[LOWEST_KEY]);

#endif
