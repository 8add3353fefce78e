// A neighbour as the kernel sends it (rtnetlink(7), RTM_NEWNEIGH).
#ifndef POSTERN_POSTERND_RTNL_NEIGH_H
#define POSTERN_POSTERND_RTNL_NEIGH_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "unpriv/posternd/lowest.h"

struct rtnl_neigh {
	uint8_t family; // AF_…
	int index;      // of the link
	uint16_t state; // NUD_…
	uint8_t flags;  // NTF_…
	uint8_t addr[16];
	uint8_t mac[6];
	bool has_mac;
};

// False where the message is no neighbour's, or has no address.
bool rtnl_parse_neigh(const struct nlmsghdr *h, struct rtnl_neigh *n);

// What tells a neighbour from every other and sorts it by family, link and address: a text of hex fields.
void rtnl_neigh_key(const struct rtnl_neigh *n, char key[LOWEST_KEY]);

#endif
