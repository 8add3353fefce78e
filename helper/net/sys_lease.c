// See sys_lease.h.
#include "helper/net/sys_lease.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/common/lease_fds.h"

// Room for one control message of either kind.
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static uint16_t protocol_of(unsigned which)
{
	return htons((which & 1) == 0 ? ETH_P_IP : ETH_P_ARP);
}

static int bind_one(unsigned which, uint32_t index)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = protocol_of(which), .sll_ifindex = (int)index};

	return bind((int)(NET_FD_LEASE + which), (const struct sockaddr *)&a, sizeof(a)) == 0 ? 0 : -errno;
}

int sys_lease_bind(unsigned ip, unsigned arp, uint32_t index)
{
	int err = bind_one(ip, index);

	return err == 0 ? bind_one(arp, index) : err;
}

int sys_lease_pair(int *ours, int *theirs)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) != 0)
		return -errno;
	*ours = s[0];
	*theirs = s[1];
	return 0;
}

bool sys_lease_has6(void)
{
	return fcntl(NET_FD_LEASE + NET_LEASE_UDP6, F_GETFL) >= 0;
}

void sys_lease_close(int channel)
{
	close(channel);
}

static int send_it(int fd, const struct msghdr *m)
{
	ssize_t n;

	do
		n = sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int send_to(int fd, void *name, size_t name_len, const void *buf, size_t len)
{
	struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr m = {.msg_name = name, .msg_namelen = (socklen_t)name_len, .msg_iov = &v, .msg_iovlen = 1};

	return send_it(fd, &m);
}

ssize_t sys_lease_take(int channel, void *buf, size_t cap)
{
	struct iovec v = {.iov_base = buf, .iov_len = cap};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t n = recvmsg(channel, &m, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? -EMSGSIZE : n;
}

int sys_lease_give(int channel, const void *buf, size_t len)
{
	return send_to(channel, NULL, 0, buf, len);
}

int sys_lease_broadcast(unsigned which, uint32_t index, const void *buf, size_t len)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = protocol_of(which), .sll_ifindex = (int)index, .sll_halen = ETH_ALEN};

	memset(to.sll_addr, 0xff, ETH_ALEN);
	return send_to((int)(NET_FD_LEASE + which), &to, sizeof(to), buf, len);
}

int sys_lease_unicast(uint32_t index, const uint8_t from[4], const uint8_t to[4], const void *buf, size_t len)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(67)};
	struct in_pktinfo info = {.ipi_ifindex = (int)index};
	struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	union control room = {0};
	struct msghdr m = {.msg_name = &name,
	                   .msg_namelen = sizeof(name),
	                   .msg_iov = &v,
	                   .msg_iovlen = 1,
	                   .msg_control = room.bytes,
	                   .msg_controllen = CMSG_SPACE(sizeof(info))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	memcpy(&name.sin_addr, to, 4);
	memcpy(&info.ipi_spec_dst, from, 4);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return send_it(NET_FD_LEASE + NET_LEASE_UDP4, &m);
}

int sys_lease_multicast(uint32_t index, const void *buf, size_t len)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(547), .sin6_scope_id = index};
	static const uint8_t all[16] = {0xff, 0x02, [13] = 1, [15] = 2}; // ff02::1:2 (RFC 8415, 7.1)

	memcpy(&to.sin6_addr, all, sizeof(all));
	return send_to(NET_FD_LEASE + NET_LEASE_UDP6, &to, sizeof(to), buf, len);
}

ssize_t sys_lease_packet(unsigned which, void *buf, size_t cap, bool *summed)
{
	struct iovec v = {.iov_base = buf, .iov_len = cap};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} room;
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof(room)};
	ssize_t n = recvmsg((int)(NET_FD_LEASE + which), &m, MSG_DONTWAIT);
	struct tpacket_auxdata aux;

	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA && c->cmsg_len == CMSG_LEN(sizeof(aux))) {
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
			*summed = (aux.tp_status & TP_STATUS_CSUMNOTREADY) == 0;
		}
	return n;
}

ssize_t sys_lease_datagram6(void *buf, size_t cap, uint8_t from[16], uint32_t *index)
{
	struct sockaddr_in6 name = {0};
	struct iovec v = {.iov_base = buf, .iov_len = cap};
	union control room;
	struct msghdr m = {.msg_name = &name,
	                   .msg_namelen = sizeof(name),
	                   .msg_iov = &v,
	                   .msg_iovlen = 1,
	                   .msg_control = room.bytes,
	                   .msg_controllen = sizeof(room)};
	ssize_t n = recvmsg(NET_FD_LEASE + NET_LEASE_UDP6, &m, MSG_DONTWAIT);
	struct in6_pktinfo info;

	if (n < 0)
		return -errno;
	memcpy(from, &name.sin6_addr, 16);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO && c->cmsg_len == CMSG_LEN(sizeof(info))) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*index = info.ipi6_ifindex;
		}
	return n;
}
