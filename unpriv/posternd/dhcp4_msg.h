// DHCPv4 messages (RFC 2131, 2132, 3396, 3442) between bytes and structs, and the IP and UDP headers before them.
//
// What comes from a network is hostile: a message whose options run over their field, or whose lease no host could use, is refused whole.
// Addresses are in host order here, so that masks and comparisons read as arithmetic.
#ifndef POSTERN_POSTERND_DHCP4_MSG_H
#define POSTERN_POSTERND_DHCP4_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP4_SERVERS 4          // routers, name servers kept of each
#define DHCP4_ROUTES  16         // classless static routes kept
#define DHCP4_DOMAIN  256        // bytes of a domain name, with its NUL
#define DHCP4_MOST    1472       // bytes of a message: what an Ethernet frame holds behind IP and UDP headers
#define DHCP4_FOREVER UINT32_MAX // seconds of a lease that doesn't end

enum dhcp4_type { DHCP4_DISCOVER = 1, DHCP4_OFFER, DHCP4_REQUEST, DHCP4_DECLINE, DHCP4_ACK, DHCP4_NAK, DHCP4_RELEASE };

struct dhcp4_route {
	uint32_t destination, gateway; // gateway 0: on the link
	uint8_t prefix;
};

// What a server gives: everything that is kept of a lease.
struct dhcp4_lease {
	uint32_t address, server; // server 0: it didn't say
	uint8_t prefix;
	uint32_t secs, t1, t2; // of the lease, from when it was asked for
	uint8_t n_routers, n_dns, n_routes;
	uint32_t routers[DHCP4_SERVERS], dns[DHCP4_SERVERS];
	struct dhcp4_route routes[DHCP4_ROUTES];
	char domain[DHCP4_DOMAIN]; // printable ASCII; empty: none
};

// A server's message.
struct dhcp4_msg {
	enum dhcp4_type type;
	uint32_t xid;
	uint8_t mac[6];           // whom it is for
	bool whole;               // lease below is one that a host can use
	struct dhcp4_lease lease; // of an OFFER or ACK
};

// A client's message; a number that is 0 is left out.
struct dhcp4_ask {
	enum dhcp4_type type;
	uint32_t xid;
	uint16_t secs; // since the client began
	uint8_t mac[6];
	uint32_t ciaddr, requested, server;
};

// Finds the message behind an IPv4 header and a UDP one, ports 67 to 68.  summed: the UDP checksum is in the packet (the kernel leaves it out on the
// way between local interfaces).  NULL where it is anything else, a fragment, cut short or damaged; *source is who sent it.
const uint8_t *dhcp4_unwrap(const uint8_t *packet, size_t n, bool summed, size_t *len, uint32_t *source);

// False where it is no server's message, or malformed.
bool dhcp4_parse(const uint8_t *m, size_t n, struct dhcp4_msg *out);

// Writes a client's message into out; returns its length, at least the 300 bytes that old relays want.
size_t dhcp4_build(const struct dhcp4_ask *ask, uint8_t out[DHCP4_MOST]);

// The prefix length of a netmask; -1 where its bits aren't together.
int dhcp4_prefix(uint32_t mask);

// True for what a host can be called: not 0.x, 127.x, nor a group or beyond.
bool dhcp4_unicast(uint32_t address);

// Fills what the server left open (T1, T2, prefix) and says whether the lease is one that a host can use.
bool dhcp4_lease_ok(struct dhcp4_lease *l);

#endif
