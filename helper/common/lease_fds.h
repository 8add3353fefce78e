// Numbers of the net cell's descriptors for DHCP clients: what the launcher opens, the cell finds there.
#ifndef HELPER_COMMON_LEASE_FDS_H
#define HELPER_COMMON_LEASE_FDS_H

#include "helper/common/policy.h"

// NET_FD_LEASE + one of these; i is the interface's place in the policy's list.
#define NET_FD_LEASE     40
#define NET_LEASE_UDP4   0
#define NET_LEASE_UDP6   1
#define NET_LEASE_IP(i)  (2 + 2 * (i))
#define NET_LEASE_ARP(i) (3 + 2 * (i))
#define NET_LEASE_FDS    (2 + 2 * POLICY_LEASES)

#endif
