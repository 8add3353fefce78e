// Sockets of DHCP clients, opened while the launcher may, for the net cell alone.
#ifndef HELPER_LAUNCHER_LEASE_SOCKETS_H
#define HELPER_LAUNCHER_LEASE_SOCKETS_H

#include "helper/common/lease_fds.h"

// Opens them for each lease-interface of the policy: fds[i] is to become descriptor NET_FD_LEASE + i, -1 where there is none.  A policy without
// such an interface opens nothing.  Needs CAP_NET_RAW and CAP_NET_BIND_SERVICE.  Returns NULL, or the step that failed with errno.
const char *lease_sockets(const struct policy_net *n, int fds[NET_LEASE_FDS]);

#endif
