// The net cell's part in leases that isn't a request: moving messages between channels and the network.
#ifndef HELPER_NET_LEASE_RELAY_H
#define HELPER_NET_LEASE_RELAY_H

#include <poll.h>

#include "helper/common/cell.h"

// For struct cell's watch and watched.
unsigned lease_watch(struct cell *c, struct pollfd *fds);
void lease_watched(struct cell *c, const struct pollfd *fds, unsigned n);

#endif
