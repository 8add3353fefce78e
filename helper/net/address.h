// Addresses of links: what is shared by those that a client asks for and those that a lease gives.
#ifndef HELPER_NET_ADDRESS_H
#define HELPER_NET_ADDRESS_H

#include <linux/if_addr.h>
#include <stdbool.h>

#include "proto/wire.h"

// False for what no host can be called, and for networks so large that they would win over the default route.
bool address_usable(const struct wire_addr *a);

// IFA_PROTO of addresses that a lease gave: others than a client asked for (OUR_PROTOCOL), for they come and go by the server's word.
#define LEASED_PROTOCOL 0x6cu // 'l'

// Adds (RTM_NEWADDR) or removes (RTM_DELADDR) an address; times NULL: for ever, and with our mark, else with that of leases.  Returns 0 or -errno.
int address_change(int type, int flags, const struct wire_addr *a, uint32_t index, const struct ifa_cacheinfo *times);

struct address_search {
	const struct wire_addr *want;
	uint32_t index;   // of the link
	uint8_t mark;     // IFA_PROTO that makes it ours
	bool found, ours; // the answer: it is there; it has the mark
};

// Looks for an address on a link.  Returns 0, found or not, or -errno.
int address_find(struct address_search *s);

#endif
