// The system calls behind DHCP clients' messages; with sys.h the net cell's audit point.  `which` is one of helper/common/lease_fds.h's numbers.
// Failures are negative errno values.
#ifndef HELPER_NET_SYS_LEASE_H
#define HELPER_NET_SYS_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Binds an interface's packet sockets to IPv4 and to ARP on the link `index`.
int sys_lease_bind(unsigned ip, unsigned arp, uint32_t index);

// True where the kernel has IPv6, and so the launcher left a socket for it.
bool sys_lease_has6(void);

// A channel: both ends are SEQPACKET and don't block.
int sys_lease_pair(int *ours, int *theirs);
void sys_lease_close(int channel);

// One frame out of a channel (0: the other end is closed; -EAGAIN: none is there), or into it (-EPIPE; a full one loses the frame).
ssize_t sys_lease_take(int channel, void *buf, size_t cap);
int sys_lease_give(int channel, const void *buf, size_t len);

// Sends a packet to the link's broadcast address; which: the IPv4 socket or the ARP one.
int sys_lease_broadcast(unsigned which, uint32_t index, const void *buf, size_t len);

// Sends a datagram from port 68 of `from` to port 67 of `to`, over the link.
int sys_lease_unicast(uint32_t index, const uint8_t from[4], const uint8_t to[4], const void *buf, size_t len);

// Sends a datagram from port 546 to all DHCPv6 servers and relays on the link.
int sys_lease_multicast(uint32_t index, const void *buf, size_t len);

// Receives a packet; *summed: its UDP checksum is in it.
ssize_t sys_lease_packet(unsigned which, void *buf, size_t cap, bool *summed);

// Receives a DHCPv6 datagram: who sent it and which link it came by.
ssize_t sys_lease_datagram6(void *buf, size_t cap, uint8_t from[16], uint32_t *index);

#endif
