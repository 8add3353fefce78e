// Addresses of links: what is shared by those that a client asks for and those that a lease gives.
#ifndef HELPER_NET_ADDRESS_H
#define HELPER_NET_ADDRESS_H

#include <linux/if_addr.h>
#include <stdbool.h>

#include "proto/wire.h"

// False for what no host can be called, and for networks so large that they would win over the default route.
bool address_usable(const struct wire_addr *a);

// Adds (RTM_NEWADDR, with our mark) or removes (RTM_DELADDR) an address; times NULL: for ever.  Returns 0 or -errno.
int address_change(int type, int flags, const struct wire_addr *a, uint32_t index, const struct ifa_cacheinfo *times);

struct address_search {
	const struct wire_addr *want;
	uint32_t index;   // of the link
	bool found, ours; // the answer: it is there; it has our mark
};

// Looks for an address on a link.  Returns 0, found or not, or -errno.
int address_find(struct address_search *s);

#endif
