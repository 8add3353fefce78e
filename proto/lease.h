// Frames on a lease channel: the socket that lease_open answers, between the daemon's DHCP clients and the sockets that the net cell keeps.
//
// One SEQPACKET datagram is a struct lease_frame and what follows it.  The cell lets nothing through but a client's own messages from its own
// hardware address, and ARP probes; what comes in, it hands on unread.
#ifndef PROTO_LEASE_H
#define PROTO_LEASE_H

#include <stdint.h>

enum lease_kind {
	LEASE_DHCP4, // out: a DHCPv4 message, to addr or, where that is zero, to everybody.  In: an IPv4 packet to port 68
	LEASE_ARP,   // out: an ARP probe for addr, nothing behind it.  In: an ARP packet
	LEASE_DHCP6, // out: a DHCPv6 message, to all servers and relays.  In: the same, from addr
	LEASE_KINDS
};

struct lease_frame {
	uint32_t kind;
	uint32_t unsummed; // in, DHCPv4: 1 where the kernel left the UDP checksum out
	uint8_t addr[16];  // IPv4 in the first 4 bytes
};

#define LEASE_DATA_MAX 2048u // bytes behind a frame

#endif
