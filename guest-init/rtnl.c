// A netlink request is built in a fixed buffer and answered by one error message; see rtnetlink(7), netlink(7).
#include "guest-init/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-init/text.h"

struct request {
	struct nlmsghdr h;
	char body[252]; // the largest, a route with two IPv6 addresses, takes 60
};

// Reads four decimal numbers with dots between.  The C library's inet_pton() would bring in half of stdio.
static bool parse_v4(const char *s, uint8_t out[4])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned v = 0;
		unsigned digits = 0;

		for (; *s >= '0' && *s <= '9' && digits < 3; s++, digits++)
			v = v * 10 + (unsigned)(*s - '0');
		if (digits == 0 || v > 255 || (digits > 1 && s[-(int)digits] == '0') || *s != (i < 3 ? '.' : '\0'))
			return false;
		out[i] = (uint8_t)v;
		s++;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Reads up to eight groups of hex digits (RFC 4291 2.2, without the dotted tail); "::" stands for the zeros that are missing.
static bool parse_v6(const char *s, uint8_t out[16])
{
	size_t n = 0;
	size_t gap = 17; // where "::" stood

	if (s[0] == ':' && s[1] == ':' && s[2] == '\0')
		return true;
	if (s[0] == ':' && *++s != ':')
		return false;
	for (;;) {
		unsigned v = 0;
		unsigned digits = 0;

		if (*s == ':') {
			if (gap != 17)
				return false;
			gap = n;
			s++;
			if (*s == '\0')
				break;
		}
		for (; hex_digit(*s) >= 0 && digits < 4; s++, digits++)
			v = v << 4 | (unsigned)hex_digit(*s);
		if (digits == 0 || n == 16)
			return false;
		out[n++] = (uint8_t)(v >> 8);
		out[n++] = (uint8_t)v;
		if (*s == '\0')
			break;
		if (*s++ != ':' || *s == '\0')
			return false;
	}
	if (gap == 17)
		return n == 16;
	if (n > 14)
		return false;
	memmove(out + 16 - (n - gap), out + gap, n - gap);
	memset(out + gap, 0, 16 - n);
	return true;
}

bool ip_parse(const char *s, struct ip *ip)
{
	char addr[48];
	const char *slash = strchr(s, '/');
	size_t n = slash != NULL ? (size_t)(slash - s) : strlen(s);
	uint64_t prefix;

	if (n == 0 || n >= sizeof(addr))
		return false;
	memcpy(addr, s, n);
	addr[n] = '\0';
	*ip = (struct ip){.family = AF_INET, .len = 4};
	if (strchr(addr, ':') != NULL)
		*ip = (struct ip){.family = AF_INET6, .len = 16};
	if (ip->len == 4 ? !parse_v4(addr, ip->addr) : !parse_v6(addr, ip->addr))
		return false;
	prefix = ip->len * 8u;
	if (slash != NULL && !text_number(slash + 1, prefix, &prefix))
		return false;
	ip->prefix = (uint8_t)prefix;
	return true;
}

int rtnl_open(void)
{
	struct timeval limit = {.tv_sec = 2}; // the kernel answers at once or never
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void *begin(struct request *r, uint16_t type, uint16_t flags, uint32_t head)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = NLMSG_LENGTH(head);
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return r->body;
}

static void attr(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct rtattr a = {.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len)};
	char *at = (char *)r + NLMSG_ALIGN(r->h.nlmsg_len);

	memcpy(at, &a, sizeof(a));
	memcpy(at + RTA_LENGTH(0), data, len);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_LENGTH(len));
}

// Sends the request and waits for its acknowledgement.
static int ask(int fd, const struct request *r)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512]; // the kernel adds the request and a text
	} reply;
	ssize_t n;

	if (send(fd, r, r->h.nlmsg_len, 0) < 0)
		return errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return errno;
	if ((size_t)n < sizeof(reply.h) + sizeof(reply.e.error) || reply.h.nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	return -reply.e.error;
}

int rtnl_link_up(int fd, uint32_t ifindex, uint32_t mtu)
{
	struct request r;
	struct ifinfomsg *i = begin(&r, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = (int)ifindex;
	i->ifi_flags = IFF_UP;
	i->ifi_change = IFF_UP;
	if (mtu != 0)
		attr(&r, IFLA_MTU, &mtu, sizeof(mtu));
	return ask(fd, &r);
}

int rtnl_addr_add(int fd, uint32_t ifindex, const struct ip *ip)
{
	struct request r;
	struct ifaddrmsg *a = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*a));

	a->ifa_family = ip->family;
	a->ifa_prefixlen = ip->prefix;
	// The host has given this address to this guest alone: no second of waiting for duplicate address detection.
	a->ifa_flags = ip->family == AF_INET6 ? IFA_F_NODAD : 0;
	a->ifa_index = ifindex;
	attr(&r, IFA_LOCAL, ip->addr, ip->len);
	attr(&r, IFA_ADDRESS, ip->addr, ip->len);
	return ask(fd, &r);
}

int rtnl_route_add(int fd, const struct ip *to, const struct ip *via, uint32_t ifindex)
{
	const struct ip *any = to != NULL ? to : via;
	struct request r;
	struct rtmsg *m = begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m));

	if (any == NULL)
		return EINVAL;
	m->rtm_family = any->family;
	m->rtm_dst_len = to != NULL ? to->prefix : 0;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = via != NULL ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	if (to != NULL)
		attr(&r, RTA_DST, to->addr, to->len);
	if (via != NULL)
		attr(&r, RTA_GATEWAY, via->addr, via->len);
	if (ifindex != 0)
		attr(&r, RTA_OIF, &ifindex, sizeof(ifindex));
	return ask(fd, &r);
}
