// Links, addresses and our routes as the kernel's dumps showed them, to be looked up: what verify compares the rows with.
#ifndef POSTERN_POSTERND_LIVE_H
#define POSTERN_POSTERND_LIVE_H

#include "proto/wire.h"
#include "unpriv/posternd/route.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_route.h"

enum live_kind { LIVE_OTHER, LIVE_BRIDGE, LIVE_TAP, LIVE_VETH };

struct live_link {
	int index, master;
	uint32_t mtu, owner;
	unsigned ports; // counted by live_count_port()
	enum live_kind kind;
	char name[16];
	uint8_t mac[6];
	bool ours;  // its alias begins with our mark
	bool stray; // and no row explained it when it was seen
	bool up, stp, vlan_filtering, has_owner;
};

struct live_addr {
	int index;
	struct wire_addr addr;
	bool ours; // we gave it
};

struct live_route {
	char id[ROUTE_ID]; // as the key of its row would be
	int index;         // of its link; 0: several, or none
	bool has_gateway, has_source;
	struct wire_addr gateway, source;
};

// Elements found by a hash of their key; zeroed is empty.
struct live_table {
	char *v;
	size_t n, room;
	uint32_t *slots; // number of the element, from 1; 0: none
	size_t n_slots;
};

struct live {
	struct live_table by_name, addrs; // of struct live_link, struct live_addr
	struct live_table routes;         // of struct live_route: ours alone
	struct live_table by_index;       // where in by_name an index stands
};

// Take one; the first of a key stays.
void live_add_link(struct live *l, const struct rtnl_link *link);
void live_add_addr(struct live *l, const struct rtnl_addr *addr);

void live_add_route(struct live *l, const struct rtnl_route *route);

const struct live_link *live_link(const struct live *l, const char *name);
const struct live_link *live_index(const struct live *l, int index);
const struct live_addr *live_addr(const struct live *l, int index, const struct wire_addr *addr);
const struct live_route *live_route(const struct live *l, const char *id);

// All of them, in no order.
const struct live_link *live_link_at(const struct live *l, size_t i);
const struct live_addr *live_addr_at(const struct live *l, size_t i);
const struct live_route *live_route_at(const struct live *l, size_t i);

// Counts a link in as a port of its bridge; returns the bridge, or NULL.
const struct live_link *live_count_port(struct live *l, const struct live_link *port);

void live_forget_ports(struct live *l);

// Empties it, and keeps its memory for the next dump.
void live_clear(struct live *l);
void live_finish(struct live *l);

#endif
