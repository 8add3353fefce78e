// Leases as other programs write them down, read into our own structs.
#ifndef POSTERN_POSTERND_LEASE_TEXT_H
#define POSTERN_POSTERND_LEASE_TEXT_H

#include "unpriv/posternd/dhcp4_msg.h"
#include "unpriv/posternd/dhcp6_msg.h"

// One lease.  What nobody says is 0, but for times of DHCPv4: those are 0 where they aren't written down.
struct lease_seen {
	bool six;
	char interface[16];                  // empty: the file's name says it
	int64_t obtained_unix, expires_unix; // 0: nobody says
	struct dhcp4_lease v4;
	struct dhcp6_lease v6;
};

// KEY=VALUE lines of systemd-networkd and NetworkManager.  False where no address is in it.
bool lease_text_pairs(const char *text, struct lease_seen *out);

// dhclient's lease and lease6 blocks: calls fn for each one that is whole, in the file's order; the last of an interface holds.
typedef void lease_seen_fn(const struct lease_seen *l, void *arg);
void lease_text_dhclient(const char *text, lease_seen_fn *fn, void *arg);

#endif
