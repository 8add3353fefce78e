// See watch.h.
#include "unpriv/posternd/watch.h"

#include <netinet/in.h> // before linux/netfilter.h, which would bring the kernel's own

#include <errno.h>
#include <event2/event.h>
#include <linux/filter.h>
#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/guard.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/owned.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_attr.h"

#define AT_ONCE 32 // datagrams, then others have the loop

static int route_sock = -1, nft_sock = -1;
static struct event *route_event, *nft_event;

// ---- what concerns us ----

static void name_attr(const struct rtattr *a, void *out)
{
	struct rtnl_link *l = out;

	if (a->rta_type == IFLA_IFNAME)
		rtnl_get_text(a, l->name, sizeof(l->name));
	else if (a->rta_type == IFLA_IFALIAS)
		rtnl_get_text(a, l->alias, sizeof(l->alias));
}

static bool link_concerns(const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct rtnl_link l = {0};

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return false;
	rtnl_each_attr(IFLA_RTA(i), h->nlmsg_len - NLMSG_SPACE(sizeof(*i)), name_attr, &l);
	return cache_n_route() > 0 || owned_marked(l.alias) || cache_find_bridge(l.name) != NULL || cache_find_tap(l.name) != NULL ||
	       cache_find_port(l.name) != NULL;
}

static bool addr_concerns(struct nlmsghdr *h)
{
	struct rtnl_addr a;

	h->nlmsg_type = RTM_NEWADDR; // one that goes looks the same
	return rtnl_parse_addr(h, &a) && a.proto == OUR_PROTOCOL;
}

static bool switch_concerns(const struct nlmsghdr *h)
{
	struct rtnl_netconf c;

	return rtnl_parse_netconf(h, &c) && c.index == NETCONFA_IFINDEX_ALL;
}

static bool concerns(struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: return link_concerns(h);
	case RTM_NEWADDR:
	case RTM_DELADDR: return addr_concerns(h);
	case RTM_NEWROUTE:
	case RTM_DELROUTE: return true; // ours: see pass_ours
	case RTM_NEWNETCONF: return switch_concerns(h);
	default: return false;
	}
}

// A change of nftables that names our table; its name is the first attribute of every kind of object's message.
static bool table_concerns(struct nlmsghdr *h)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	const struct rtattr *a = (const struct rtattr *)(const void *)((const char *)g + NLMSG_ALIGN(sizeof(*g)));
	char name[32] = "";

	if (h->nlmsg_len < NLMSG_SPACE(sizeof(*g)) + sizeof(*a) || NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    g->nfgen_family != NFPROTO_INET)
		return false;
	if (a->rta_len <= h->nlmsg_len - NLMSG_SPACE(sizeof(*g)) && a->rta_len > RTA_LENGTH(0) && a->rta_type == NFTA_TABLE_NAME)
		rtnl_get_text(a, name, sizeof(name));
	return strcmp(name, "postern") == 0;
}

// ---- sockets ----

// Takes what there is, up to a bound; true where any of it concerns us.
static bool hear(int sock, bool (*fn)(struct nlmsghdr *h))
{
	static union {
		struct nlmsghdr align;
		char bytes[65536];
	} buf;
	bool any = false;

	for (int i = 0; i < AT_ONCE; i++) {
		ssize_t n = recv(sock, buf.bytes, sizeof(buf.bytes), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS) {
			any = true;
			continue;
		}
		if (n <= 0)
			break;
		unsigned left = (unsigned)n;
		for (struct nlmsghdr *h = &buf.align; !any && NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			any = fn(h);
	}
	return any;
}

static void on_route(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (hear(fd, concerns))
		guard_poke();
}

static bool join(int sock, unsigned group)
{
	return setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0;
}

// Lets no route pass but those of our protocol: a routing daemon's thousands don't wake us.
static bool pass_ours(int sock)
{
	// Of a message's type, which is below 256, the byte that holds it; a filter's own two-byte load would read the wrong way round.
	const unsigned type = offsetof(struct nlmsghdr, nlmsg_type) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 1 : 0);
	const unsigned protocol = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol);
	struct sock_filter f[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, type),
	    BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, RTM_NEWROUTE, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, RTM_DELROUTE, 0, 2),
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, protocol),
	    BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, OUR_PROTOCOL, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {.len = sizeof(f) / sizeof(*f), .filter = f};

	return setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

// A kernel without IPv6 has its groups all the same.
static bool open_route(void)
{
	static const unsigned groups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR,  RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
	                                  RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF};
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};

	route_sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	// A socket that isn't bound hears nothing, whatever groups it is in.
	if (route_sock < 0 || !pass_ours(route_sock) || bind(route_sock, (const struct sockaddr *)&any, sizeof(any)) != 0)
		return false;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (!join(route_sock, groups[i]))
			return false;
	route_event = event_new(daemon_base(), route_sock, EV_READ | EV_PERSIST, on_route, NULL);
	return route_event != NULL && event_add(route_event, NULL) == 0;
}

static void on_nft(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (hear(fd, table_concerns))
		guard_poke();
}

static void close_nft(void)
{
	if (nft_event != NULL)
		event_free(nft_event);
	if (nft_sock >= 0)
		close(nft_sock);
	nft_event = NULL;
	nft_sock = -1;
}

// What happened before it, nobody has told: so all is compared.
static void on_nft_socket(void *arg, const struct priv_reply *r)
{
	int fd = priv_ok(r) ? priv_take(r, RESFD_event_socket_socket) : -1;

	(void)arg;
	if (fd < 0) {
		log_warn("nftables' changes can't be heard", "why=%s", priv_error(r));
		return;
	}
	close_nft();
	nft_sock = fd;
	nft_event = event_new(daemon_base(), fd, EV_READ | EV_PERSIST, on_nft, NULL);
	event_add(nft_event, NULL);
	guard_poke();
}

void watch_helper(void)
{
	const struct op_event_socket_args a = {0};

	priv_event_socket(&a, NULL, on_nft_socket, NULL);
}

bool watch_start(void)
{
	bool ok = open_route();

	if (!ok)
		log_error("the kernel's changes can't be heard", "error=%s", strerror(errno));
	return ok;
}

void watch_stop(void)
{
	close_nft();
	if (route_event != NULL)
		event_free(route_event);
	if (route_sock >= 0)
		close(route_sock);
	route_event = NULL;
	route_sock = -1;
}
