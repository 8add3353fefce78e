// Leases as the objects that the methods answer with; their texts live in the arena.
#ifndef POSTERN_POSTERND_LEASE_OBJECT_H
#define POSTERN_POSTERND_LEASE_OBJECT_H

#include "unpriv/posternd/lease_port.h"
#include "unpriv/posternd/lease_seen.h"

// Postern's own, with or without an address.
struct obj_dhcp4_lease lease_object_own4(const struct lease_port *p, struct arena *a);
struct obj_dhcp6_lease lease_object_own6(const struct lease_port *p, struct arena *a);

// Others'; they borrow the interface's name and the source.
struct obj_dhcp4_lease lease_object_seen4(const struct lease_found *f, struct arena *a);
struct obj_dhcp6_lease lease_object_seen6(const struct lease_found *f, struct arena *a);

// The first prefix of a lease, which has one.
struct obj_delegated_prefix lease_object_prefix(const struct dhcp6_lease *l, const char *interface, int manager, int64_t obtained, struct arena *a);

struct obj_slaac_address lease_object_slaac(const struct rtnl_addr *r, const char *interface, struct arena *a);

#endif
