// See lease_sockets.h.
//
// Packet sockets stay without a protocol, and so without a packet, until the net cell binds each to its interface; what they then see is cut down by
// filters that can't be taken off again.  The socket on UDP port 68 only sends: answers come by the packet sockets, since the kernel drops what
// comes in for an interface without an address where rp_filter is set.  (It takes the port, too, so that a server's unicast isn't refused.)
#include "helper/launcher/lease_sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define PORT_DHCP4 68
#define PORT_DHCP6 546
#define BUFFER     65536 // bytes: a burst of answers
#define WHOLE      2048

#define COUNT(a) ((unsigned short)(sizeof(a) / sizeof((a)[0])))

// UDP to port 68, the first fragment or the only one.
static struct sock_filter dhcp4[] = {
    BPF_STMT(BPF_LD + BPF_B + BPF_ABS, 9),
    BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, IPPROTO_UDP, 0, 6),
    BPF_STMT(BPF_LD + BPF_H + BPF_ABS, 6),
    BPF_JUMP(BPF_JMP + BPF_JSET + BPF_K, 0x1fff, 4, 0),
    BPF_STMT(BPF_LDX + BPF_B + BPF_MSH, 0),
    BPF_STMT(BPF_LD + BPF_H + BPF_IND, 2),
    BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, PORT_DHCP4, 0, 1),
    BPF_STMT(BPF_RET + BPF_K, WHOLE),
    BPF_STMT(BPF_RET + BPF_K, 0),
};

// ARP for IPv4 over Ethernet: hardware 1, protocol 0x0800, lengths 6 and 4.
static struct sock_filter arp[] = {
    BPF_STMT(BPF_LD + BPF_W + BPF_ABS, 0), BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, 0x00010800, 0, 3),
    BPF_STMT(BPF_LD + BPF_H + BPF_ABS, 4), BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, 0x0604, 0, 1),
    BPF_STMT(BPF_RET + BPF_K, 28),         BPF_STMT(BPF_RET + BPF_K, 0),
};

static struct sock_filter nothing[] = {BPF_STMT(BPF_RET + BPF_K, 0)};

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool filtered(int fd, struct sock_filter *code, unsigned short n)
{
	const struct sock_fprog p = {.len = n, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) == 0 && set(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

static bool open_udp4(int *fd)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT_DHCP4)};

	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd >= 0 && filtered(*fd, nothing, COUNT(nothing)) && set(*fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	       bind(*fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

// A kernel without IPv6 has no such socket, and no such leases.
static bool open_udp6(int *fd)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT_DHCP6)};

	*fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return errno == EAFNOSUPPORT;
	return set(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(*fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) && set(*fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	       set(*fd, SOL_SOCKET, SO_RCVBUF, BUFFER) && bind(*fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

static bool open_packet(int *fd, struct sock_filter *code, unsigned short n)
{
	*fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd >= 0 && filtered(*fd, code, n) && set(*fd, SOL_PACKET, PACKET_AUXDATA, 1) && set(*fd, SOL_SOCKET, SO_RCVBUF, BUFFER);
}

const char *lease_sockets(const struct policy_net *n, int fds[NET_LEASE_FDS])
{
	for (unsigned i = 0; i < NET_LEASE_FDS; i++)
		fds[i] = -1;
	if (n->leases.n == 0)
		return NULL;
	if (!open_udp4(&fds[NET_LEASE_UDP4]))
		return "lease-interface: UDP port 68";
	if (!open_udp6(&fds[NET_LEASE_UDP6]))
		return "lease-interface: UDP port 546";
	for (unsigned i = 0; i < n->leases.n; i++)
		if (!open_packet(&fds[NET_LEASE_IP(i)], dhcp4, COUNT(dhcp4)) || !open_packet(&fds[NET_LEASE_ARP(i)], arp, COUNT(arp)))
			return "lease-interface: packet socket";
	return NULL;
}
