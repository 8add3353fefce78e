// Requests and dumps.  See rtnl.h.
#include "unpriv/posternd/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/rtnl_route.h"

#define TRIES 8 // dumps that something changed under, one after the other

static int sock = -1;
static uint32_t next_seq;

// A request being built.
struct ask {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct netconfmsg netconf;
		struct rtmsg route;
	};
	char attrs[64];
};

// Elements being collected, of any kind.
struct collect {
	bool (*parse)(const struct nlmsghdr *h, void *element);          // a message that is one element
	void (*parse_many)(const struct nlmsghdr *h, struct collect *c); // one that holds several; NULL: parse
	size_t size;
	char *v;
	size_t n, room;
};

bool rtnl_start(void)
{
	int on = 1;

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	return sock >= 0 && setsockopt(sock, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) == 0;
}

void rtnl_stop(void)
{
	if (sock >= 0)
		close(sock);
	sock = -1;
}

static void add_attr(struct ask *q, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

// Room for one more.
static void *room(struct collect *c)
{
	if (c->n == c->room) {
		c->room = c->room != 0 ? 2 * c->room : 32;
		c->v = xrealloc(c->v, c->room * c->size);
	}
	return c->v + c->n * c->size;
}

// Takes one message: 1 = go on, 0 = that was the last, negative errno.
static int take(const struct nlmsghdr *h, bool dump, struct collect *c)
{
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		int err = 0;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
			memcpy(&err, NLMSG_DATA(h), sizeof(err));
		return err < 0 ? err : 0;
	}
	if (c->parse_many != NULL)
		c->parse_many(h, c);
	else if (c->parse(h, room(c)))
		c->n++;
	return dump ? 1 : 0;
}

// Reads answers until the last one.  Returns 0, -EINTR where the dump is inconsistent, or another negative errno.
static int answers(uint32_t seq, bool dump, struct collect *c)
{
	static union {
		struct nlmsghdr align;
		char bytes[65536];
	} buf;
	bool changed = false;
	int more = 1;

	while (more > 0) {
		ssize_t n = recv(sock, buf.bytes, sizeof(buf.bytes), MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || (size_t)n > sizeof(buf.bytes))
			return n < 0 ? -errno : -EIO;
		unsigned left = (unsigned)n;
		for (const struct nlmsghdr *h = &buf.align; more > 0 && NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_seq != seq)
				continue;
			changed = changed || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			more = take(h, dump, c);
		}
	}
	return more < 0 ? more : changed ? -EINTR : 0;
}

static int ask(struct ask *q, struct collect *c)
{
	bool dump = (q->h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int rc = -EINTR;

	for (int i = 0; i < TRIES && rc == -EINTR; i++) {
		c->n = 0;
		q->h.nlmsg_seq = ++next_seq;
		if (send(sock, q, q->h.nlmsg_len, 0) < 0)
			return errno;
		rc = answers(q->h.nlmsg_seq, dump, c);
	}
	return rc < 0 ? -rc : 0;
}

// Gives what was collected to the arena.
static void *hand_over(struct collect *c, struct arena *a)
{
	void *v = arena_alloc(a, c->n * c->size + 1);

	if (c->n > 0)
		memcpy(v, c->v, c->n * c->size);
	free(c->v);
	return v;
}

static bool parse_link(const struct nlmsghdr *h, void *element)
{
	return rtnl_parse_link(h, element);
}

static bool parse_netconf(const struct nlmsghdr *h, void *element)
{
	return rtnl_parse_netconf(h, element);
}

static bool parse_addr(const struct nlmsghdr *h, void *element)
{
	return rtnl_parse_addr(h, element);
}

int rtnl_read_links(const struct rtnl_filter *f, struct arena *a, struct rtnl_links *out)
{
	struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.link)), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST}};
	struct collect c = {.parse = parse_link, .size = sizeof(struct rtnl_link)};
	uint32_t master = (uint32_t)f->master, mask = RTEXT_FILTER_SKIP_STATS;
	int rc;

	q.link.ifi_index = f->index;
	if (f->name != NULL)
		add_attr(&q, IFLA_IFNAME, f->name, strnlen(f->name, 15) + 1);
	else if (f->index == 0)
		q.h.nlmsg_flags |= NLM_F_DUMP;
	if ((q.h.nlmsg_flags & NLM_F_DUMP) != 0 && f->master != 0)
		add_attr(&q, IFLA_MASTER, &master, sizeof(master));
	if (f->brief)
		add_attr(&q, IFLA_EXT_MASK, &mask, sizeof(mask));
	rc = ask(&q, &c);
	*out = (struct rtnl_links){.n = c.n, .v = hand_over(&c, a)};
	return rc;
}

static int by_link(const void *a, const void *b)
{
	const struct rtnl_addr *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

int rtnl_read_addrs(const struct rtnl_filter *f, struct arena *a, struct rtnl_addrs *out)
{
	struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.addr)), .nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	struct collect c = {.parse = parse_addr, .size = sizeof(struct rtnl_addr)};
	int rc;

	q.addr.ifa_index = (uint32_t)f->index;
	rc = ask(&q, &c);
	*out = (struct rtnl_addrs){.n = c.n, .v = hand_over(&c, a)};
	for (size_t i = 0; i < out->n; i++)
		out->v[i].place = i;
	qsort(out->v, out->n, sizeof(*out->v), by_link);
	return rc;
}

// The header of one byte counts with its padding: a strict socket takes what is missing for attributes.
int rtnl_read_netconf(uint8_t family, struct arena *a, struct rtnl_netconfs *out)
{
	struct ask q = {.h = {.nlmsg_len = NLMSG_SPACE(sizeof(q.netconf)), .nlmsg_type = RTM_GETNETCONF, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	                .netconf = {.ncm_family = family}};
	struct collect c = {.parse = parse_netconf, .size = sizeof(struct rtnl_netconf)};
	int rc = ask(&q, &c);

	*out = (struct rtnl_netconfs){.n = c.n, .v = hand_over(&c, a)};
	return rc == EOPNOTSUPP ? 0 : rc;
}

int rtnl_read_forwarding(uint8_t family, bool *on)
{
	struct ask q = {.h = {.nlmsg_len = NLMSG_SPACE(sizeof(q.netconf)), .nlmsg_type = RTM_GETNETCONF, .nlmsg_flags = NLM_F_REQUEST},
	                .netconf = {.ncm_family = family}};
	struct collect c = {.parse = parse_netconf, .size = sizeof(struct rtnl_netconf)};
	int32_t all = NETCONFA_IFINDEX_ALL;
	int rc;

	add_attr(&q, NETCONFA_IFINDEX, &all, sizeof(all));
	rc = ask(&q, &c);
	*on = rc == 0 && c.n == 1 && ((const struct rtnl_netconf *)(const void *)c.v)->forwarding;
	free(c.v);
	return rc == EOPNOTSUPP ? 0 : rc;
}

static bool parse_any(const struct nlmsghdr *h, void *element)
{
	*(uint16_t *)element = h->nlmsg_type;
	return h->nlmsg_type == RTM_NEWROUTE;
}

bool rtnl_reaches(uint8_t family, const uint8_t *addr)
{
	size_t len = family == AF_INET ? 4 : 16;
	struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.route)), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
	                .route = {.rtm_family = family, .rtm_dst_len = (uint8_t)(8 * len), .rtm_flags = RTM_F_LOOKUP_TABLE}};
	struct collect c = {.parse = parse_any, .size = sizeof(uint16_t)};
	int rc;

	add_attr(&q, RTA_DST, addr, len);
	rc = ask(&q, &c);
	free(c.v);
	return rc == 0 && c.n == 1;
}

static void add_vlan(const struct rtnl_vlan *v, void *arg)
{
	struct collect *c = arg;

	memcpy(room(c), v, sizeof(*v));
	c->n++;
}

static void parse_vlans(const struct nlmsghdr *h, struct collect *c)
{
	rtnl_each_vlan(h, add_vlan, c);
}

int rtnl_read_vlans(struct arena *a, struct rtnl_vlans *out)
{
	struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.link)), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	                .link = {.ifi_family = AF_BRIDGE}};
	struct collect c = {.parse_many = parse_vlans, .size = sizeof(struct rtnl_vlan)};
	uint32_t mask = RTEXT_FILTER_BRVLAN_COMPRESSED;
	int rc;

	add_attr(&q, IFLA_EXT_MASK, &mask, sizeof(mask));
	rc = ask(&q, &c);
	*out = (struct rtnl_vlans){.n = c.n, .v = hand_over(&c, a)};
	return rc;
}

// What lies in the message stays behind with it.
static bool parse_route(const struct nlmsghdr *h, void *element)
{
	struct rtnl_route *r = element;
	bool one = rtnl_parse_route(h, r);

	r->multipath = NULL;
	return one;
}

int rtnl_read_routes(uint8_t family, uint8_t protocol, struct arena *a, struct rtnl_routes *out)
{
	struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.route)), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	                .route = {.rtm_family = family, .rtm_protocol = protocol}};
	struct collect c = {.parse = parse_route, .size = sizeof(struct rtnl_route)};
	int rc = ask(&q, &c);

	*out = (struct rtnl_routes){.n = c.n, .v = hand_over(&c, a)};
	return rc;
}
