// A DHCPv4 client as a state machine (RFC 2131, 4.4): it has no sockets, no clock and no memory of its own.  What happens is told to it with the time
// at which it happened; what it wants done it asks of its owner by struct dhcp4_io; when it wants to be called again stands in next_ms.
//
// Times are milliseconds of one clock that goes on while the machine sleeps (CLOCK_BOOTTIME): a lease ends by the server's clock.
#ifndef POSTERN_POSTERND_DHCP4_H
#define POSTERN_POSTERND_DHCP4_H

#include "unpriv/posternd/dhcp4_msg.h"

#define DHCP4_NEVER UINT64_MAX

enum dhcp4_state {
	DHCP4_OFF,        // no carrier, or not started: entered by dhcp4_off(), left by dhcp4_on()
	DHCP4_WAIT,       // before a new beginning, after a conflict or a NAK; left by time to SELECTING
	DHCP4_SELECTING,  // DISCOVER is sent; left by an OFFER to REQUESTING
	DHCP4_REQUESTING, // the offer is asked for; left by ACK to PROBING or BOUND, by NAK or silence to WAIT
	DHCP4_REBOOTING,  // a remembered address is asked for again; left by ACK to BOUND, by NAK to WAIT, by silence to BOUND: the lease still runs
	DHCP4_PROBING,    // does anybody else use the address?  Left by silence to BOUND, by an answer (DECLINE) to WAIT
	DHCP4_BOUND,      // until T1
	DHCP4_RENEWING,   // asks the server, until T2
	DHCP4_REBINDING,  // asks everybody, until the lease ends; then the address goes and all begins again
};

struct dhcp4_io {
	void (*send)(void *arg, uint32_t to, const uint8_t *m, size_t n);            // to 0: everybody
	void (*probe)(void *arg, uint32_t address);                                  // asks by ARP who has the address
	void (*bound)(void *arg, const struct dhcp4_lease *l, uint64_t obtained_ms); // a lease is given, or given again: make it so
	void (*lost)(void *arg, uint32_t address, const char *why);                  // the address must go, now; why is a constant
	uint32_t (*random)(void *arg);
};

struct dhcp4 {
	enum dhcp4_state state;
	const struct dhcp4_io *io;
	void *arg;
	uint8_t mac[6];
	uint32_t xid;
	unsigned tries;             // messages sent in this state
	uint64_t begun_ms, sent_ms; // of this exchange; of its last REQUEST
	uint64_t next_ms;           // when dhcp4_tick() is due; DHCP4_NEVER: not by itself
	struct dhcp4_lease offer;   // being asked for, or probed
	uint64_t offer_ms;          // when what became an ACK was asked for
	bool have;                  // lease is held: its address is on the interface
	struct dhcp4_lease lease;
	uint64_t obtained_ms;
};

void dhcp4_init(struct dhcp4 *d, const uint8_t mac[6], const struct dhcp4_io *io, void *arg);

// The carrier is there.  A held or remembered lease that hasn't ended is asked for again, else it begins anew.
void dhcp4_on(struct dhcp4 *d, uint64_t now);

// Remembers a lease of an earlier life, before dhcp4_on().  Where it has ended, it is lost.
void dhcp4_remember(struct dhcp4 *d, const struct dhcp4_lease *l, uint64_t obtained_ms);

// The carrier is gone: nothing is sent; a held lease stays, and ends when it ends.
void dhcp4_off(struct dhcp4 *d, uint64_t now);

// Begins anew with DISCOVER; what is held stays until something else is given.
void dhcp4_restart(struct dhcp4 *d, uint64_t now);

// Asks again for what is held: the machine slept, and may have woken elsewhere.
void dhcp4_confirm(struct dhcp4 *d, uint64_t now);

// A server's message; whoever it is from.  True where it is an ACK whose lease is taken, at once or when it has been probed.
bool dhcp4_input(struct dhcp4 *d, uint64_t now, const struct dhcp4_msg *m);

// Somebody else uses this address.
void dhcp4_conflict(struct dhcp4 *d, uint64_t now, uint32_t address);

// To be called at next_ms, or at any time.
void dhcp4_tick(struct dhcp4 *d, uint64_t now);

#endif
