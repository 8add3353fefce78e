// DHCPv6 messages (RFC 8415, 3646) between bytes and structs: addresses (IA_NA) and delegated prefixes (IA_PD).
#ifndef POSTERN_POSTERND_DHCP6_MSG_H
#define POSTERN_POSTERND_DHCP6_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP6_EACH    4    // addresses, prefixes, name servers kept of each
#define DHCP6_DUID    130  // most bytes of an identity (RFC 8415, 11.1)
#define DHCP6_DOMAIN  256  // bytes of a domain name, with its NUL
#define DHCP6_MOST    1232 // bytes of a message: what every IPv6 link carries in one packet
#define DHCP6_FOREVER UINT32_MAX

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE,
	DHCP6_REQUEST,
	DHCP6_CONFIRM,
	DHCP6_RENEW,
	DHCP6_REBIND,
	DHCP6_REPLY,
	DHCP6_RELEASE,
	DHCP6_DECLINE
};

struct dhcp6_duid {
	uint8_t n; // 0: none
	uint8_t v[DHCP6_DUID];
};

// An address (length 128) or a prefix.
struct dhcp6_block {
	uint8_t addr[16], length;
	uint32_t preferred, valid; // seconds
};

struct dhcp6_lease {
	struct dhcp6_duid server;
	uint32_t iaid;
	uint32_t t1, t2, secs; // secs: the longest validity
	uint8_t n_addresses, n_prefixes, n_dns;
	struct dhcp6_block addresses[DHCP6_EACH], prefixes[DHCP6_EACH];
	uint8_t dns[DHCP6_EACH][16];
	char domain[DHCP6_DOMAIN]; // the first of the search list; empty: none
};

struct dhcp6_msg {
	enum dhcp6_type type; // ADVERTISE or REPLY
	uint32_t xid;         // 24 bits
	struct dhcp6_duid client;
	uint8_t preference;
	unsigned status; // of the message as a whole; 0: good
	bool refused;    // an IA says that there is nothing, or no such binding
	struct dhcp6_lease lease;
};

struct dhcp6_ask {
	enum dhcp6_type type;
	uint32_t xid;
	uint16_t elapsed;                         // hundredths of a second since the exchange began
	const struct dhcp6_duid *client, *server; // server NULL: any
	uint32_t iaid;
	bool addresses, prefixes;        // what is wanted
	const struct dhcp6_lease *lease; // what is asked for by value, or NULL
};

// False where it is no server's message, or malformed.
bool dhcp6_parse(const uint8_t *m, size_t n, struct dhcp6_msg *out);

// Returns the length written.
size_t dhcp6_build(const struct dhcp6_ask *ask, uint8_t out[DHCP6_MOST]);

// The identity that a hardware address gives (DUID-LL).
struct dhcp6_duid dhcp6_duid_of(const uint8_t mac[6]);
bool dhcp6_duid_same(const struct dhcp6_duid *a, const struct dhcp6_duid *b);

#endif
