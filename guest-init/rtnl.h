// The four rtnetlink(7) requests a guest's network takes.  Each returns 0 or an errno; one socket, used by one process.
#ifndef POSTERN_GUEST_INIT_RTNL_H
#define POSTERN_GUEST_INIT_RTNL_H

#include <stdbool.h>
#include <stdint.h>

// An address with its prefix length.
struct ip {
	uint8_t family; // AF_INET or AF_INET6
	uint8_t prefix;
	uint8_t len; // bytes of addr: 4 or 16
	uint8_t addr[16];
};

// Reads "10.0.0.2/24", "fd00::2/64", or without prefix an address alone (/32, /128).
bool ip_parse(const char *s, struct ip *ip);

// Opens the socket; a descriptor, or -1 with errno.
int rtnl_open(void);

// Sets link ifindex up, with its MTU in bytes where mtu isn't 0.
int rtnl_link_up(int fd, uint32_t ifindex, uint32_t mtu);

// Gives the link an address; one that is there already is no error.
int rtnl_addr_add(int fd, uint32_t ifindex, const struct ip *ip);

// Adds or replaces a route.  to NULL: the default route; via NULL: on link ifindex; ifindex 0: the kernel picks the link by via.
int rtnl_route_add(int fd, const struct ip *to, const struct ip *via, uint32_t ifindex);

#endif
