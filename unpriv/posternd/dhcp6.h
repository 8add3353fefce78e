// A DHCPv6 client as a state machine (RFC 8415, 18), built like dhcp4.h's: told what happens and when, asking its owner for what it wants done.
#ifndef POSTERN_POSTERND_DHCP6_H
#define POSTERN_POSTERND_DHCP6_H

#include "unpriv/posternd/dhcp6_msg.h"

#define DHCP6_NEVER UINT64_MAX

enum dhcp6_state {
	DHCP6_OFF,        // no carrier, or not started
	DHCP6_SOLICITING, // SOLICIT is sent; left by the best ADVERTISE of the first second to REQUESTING
	DHCP6_REQUESTING, // left by a REPLY to BOUND, by silence to SOLICITING
	DHCP6_REBOOTING,  // what is remembered is asked for again by REBIND; left by a REPLY, or by silence to BOUND: the lease still runs
	DHCP6_BOUND,      // until T1
	DHCP6_RENEWING,   // asks the server, until T2
	DHCP6_REBINDING,  // asks everybody, until the last of it ends
};

struct dhcp6_io {
	void (*send)(void *arg, const uint8_t *m, size_t n);
	// now: what is held, and replaces what was; before NULL: nothing was.
	void (*bound)(void *arg, const struct dhcp6_lease *now, const struct dhcp6_lease *before, uint64_t obtained_ms);
	void (*lost)(void *arg, const struct dhcp6_lease *l, const char *why);
	uint32_t (*random)(void *arg);
};

struct dhcp6 {
	enum dhcp6_state state;
	const struct dhcp6_io *io;
	void *arg;
	struct dhcp6_duid duid;
	uint32_t iaid, xid;
	bool addresses, prefixes; // what is wanted
	unsigned tries;
	uint64_t wait_ms; // the last wait between two messages
	uint64_t begun_ms, sent_ms, next_ms;
	bool offered; // offer is an ADVERTISE's
	uint8_t preference;
	struct dhcp6_lease offer;
	bool have;
	struct dhcp6_lease lease;
	uint64_t obtained_ms;
};

void dhcp6_init(struct dhcp6 *d, const uint8_t mac[6], bool addresses, bool prefixes, const struct dhcp6_io *io, void *arg);
void dhcp6_on(struct dhcp6 *d, uint64_t now);
void dhcp6_off(struct dhcp6 *d, uint64_t now);
void dhcp6_remember(struct dhcp6 *d, const struct dhcp6_lease *l, uint64_t obtained_ms);
void dhcp6_restart(struct dhcp6 *d, uint64_t now);
void dhcp6_confirm(struct dhcp6 *d, uint64_t now);
// True where it is a REPLY whose lease is taken.
bool dhcp6_input(struct dhcp6 *d, uint64_t now, const struct dhcp6_msg *m);
void dhcp6_tick(struct dhcp6 *d, uint64_t now);

#endif
