// An interface that postern leases addresses for: its DHCP clients, their channel to the network, and what came of it.
//
// lease_port.c takes messages and time, lease_io.c sends, lease_apply.c makes the host as the leases say, lease_keep.c remembers them over a restart,
// lease_links.c watches carriers.  Each change goes one way: a state machine notes what it wants (dirty), and lease_settle() starts what is due.
#ifndef POSTERN_POSTERND_LEASE_PORT_H
#define POSTERN_POSTERND_LEASE_PORT_H

#include "unpriv/posternd/dhcp4.h"
#include "unpriv/posternd/dhcp6.h"
#include "unpriv/posternd/rtnl.h"

#define LEASE_PORTS 8 // as many as the policy takes

struct event;

// The message that gave a lease, as it came.
struct lease_raw {
	size_t n;
	uint8_t v[DHCP4_MOST];
};

struct lease_port {
	char name[16];
	int index; // of the link; 0: there is none
	uint8_t mac[6];
	bool carrier;
	bool opening;  // lease_open is on its way
	int channel;   // -1: none
	char why[160]; // why there is none; empty: nobody knows yet
	struct event *reader, *timer;
	bool use4, use6;
	struct dhcp4 v4;
	struct dhcp6 v6;
	struct lease_raw raw4, raw6;
	struct lease_raw offered4; // the ACK whose address is being probed
	bool dirty, applying;      // to be made so; being made so
	bool has_applied4, has_applied6;
	struct dhcp4_lease applied4; // what the host has
	struct dhcp6_lease applied6;
};

// Milliseconds of CLOCK_BOOTTIME, and of the calendar.
uint64_t lease_now(void);
int64_t lease_unix_ms(void);

// The calendar's time of a moment of CLOCK_BOOTTIME.
int64_t lease_at_unix_ms(uint64_t boot_ms);

// Makes the ports of the configuration; watches their links.  False where that can't be.
bool lease_start(void);
void lease_stop(void);

// A helper serves: channels are opened.
void lease_helper_ready(void);

// The port of an interface, or NULL; all of them are lease_ports()[0..*n).
struct lease_port *lease_port(const char *name);
struct lease_port *lease_ports(size_t *n);

// Begins anew.
void lease_port_restart(struct lease_port *p);

// After anything has happened to a port: applies, and sets the timer.
void lease_settle(struct lease_port *p);

// The link of a port as it is now; NULL: it is gone.
void lease_port_link(struct lease_port *p, const struct rtnl_link *l);

// lease_io.c
extern const struct dhcp4_io lease_io4;
extern const struct dhcp6_io lease_io6;

// lease_links.c
bool lease_links_start(void);
void lease_links_stop(void);

// lease_apply.c: makes the host as the leases say; calls lease_applied() at the end.
void lease_apply(struct lease_port *p);

// rpc_net_lease_restart.c: a port's leases have been applied.
void lease_applied(struct lease_port *p);

// lease_keep.c: hands the leases to the store with a change; gives those that are kept to the state machines.
struct change;
void lease_keep(const struct lease_port *p, struct change *c);
void lease_recall(struct lease_port *p);

#endif
