// LINK: unpriv/posternd/rtnl_route.o unpriv/posternd/lowest.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// Routes' messages made here and parsed, whole, cut and wrong.
#include "unpriv/posternd/rtnl_route.h"

#include <sys/socket.h>

#include "tests/lib/test.h"

static union {
	struct nlmsghdr h;
	char bytes[1024];
} msg;

static void *tail(void)
{
	return msg.bytes + NLMSG_ALIGN(msg.h.nlmsg_len);
}

static struct rtattr *put(unsigned short type, const void *data, size_t len)
{
	struct rtattr *r = tail();

	r->rta_type = type;
	r->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(r), data, len);
	msg.h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(msg.h.nlmsg_len) + RTA_ALIGN(r->rta_len));
	return r;
}

static void begin(uint8_t family, uint8_t prefix)
{
	memset(&msg, 0, sizeof(msg));
	msg.h.nlmsg_type = RTM_NEWROUTE;
	msg.h.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
	*(struct rtmsg *)NLMSG_DATA(&msg.h) = (struct rtmsg){
	    .rtm_family = family, .rtm_dst_len = prefix, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_COMPAT};
}

static void put_hop(int index, uint8_t weight, uint8_t last)
{
	struct rtnexthop *nh = tail();
	uint8_t gateway[] = {10, 0, 0, last};
	char *start = (char *)nh;

	*nh = (struct rtnexthop){.rtnh_ifindex = index, .rtnh_hops = (uint8_t)(weight - 1)};
	msg.h.nlmsg_len += (uint32_t)sizeof(*nh);
	put(RTA_GATEWAY, gateway, 4);
	nh->rtnh_len = (unsigned short)(msg.bytes + msg.h.nlmsg_len - start);
}

static void make_multipath(void)
{
	uint8_t dst[] = {10, 80, 0, 0};
	uint32_t table = 1007, metric = 50;

	begin(AF_INET, 16);
	put(RTA_DST, dst, 4);
	put(RTA_TABLE, &table, 4);
	put(RTA_PRIORITY, &metric, 4);
	struct rtattr *m = put(RTA_MULTIPATH, NULL, 0);
	put_hop(3, 2, 1);
	put_hop(4, 7, 9);
	m->rta_len = (unsigned short)((char *)tail() - (char *)m);
}

TEST("a route's message gives destination, table beyond 255, metric and each of its ways")
{
	struct rtnl_route r;
	struct rtnl_hop a, b, none;
	unsigned at = 0;

	make_multipath();
	CHECK(rtnl_parse_route(&msg.h, &r));
	CHECK(r.family == AF_INET && r.prefix == 16 && r.dst[1] == 80 && r.table == 1007 && r.metric == 50 && r.protocol == RTPROT_STATIC);
	CHECK(rtnl_next_hop(&r, &at, &a) && rtnl_next_hop(&r, &at, &b) && !rtnl_next_hop(&r, &at, &none));
	CHECK(a.index == 3 && a.weight == 2 && a.gateway_family == AF_INET && a.gateway[3] == 1);
	CHECK(b.index == 4 && b.weight == 7 && b.gateway[3] == 9);
}

TEST("a gateway may be of the other family, and one of a wrong length is none")
{
	struct rtnl_route r;
	struct {
		uint16_t family;
		uint8_t addr[16];
	} via = {AF_INET6, {0xfd, [15] = 9}};
	uint8_t six[16] = {0xfd};

	begin(AF_INET, 0);
	put(RTA_VIA, &via, sizeof(via));
	CHECK(rtnl_parse_route(&msg.h, &r));
	CHECK(r.hop.gateway_family == AF_INET6 && r.hop.gateway[0] == 0xfd && r.hop.gateway[15] == 9);
	begin(AF_INET, 0);
	put(RTA_GATEWAY, six, 16);
	put(RTA_PREFSRC, six, 16);
	put(RTA_VIA, &via, 9);
	CHECK(rtnl_parse_route(&msg.h, &r));
	CHECK(r.hop.gateway_family == 0 && !r.has_prefsrc);
}

TEST("a message cut at any length is refused or read without going beyond it")
{
	make_multipath();
	for (uint32_t n = msg.h.nlmsg_len; n-- > sizeof(struct nlmsghdr);) {
		static char exact[1024];
		struct rtnl_route r;
		struct rtnl_hop hop;
		unsigned at = 0, hops = 0;
		memset(exact, 0xff, sizeof(exact));
		memcpy(exact, msg.bytes, n);
		((struct nlmsghdr *)(void *)exact)->nlmsg_len = n;
		if (!rtnl_parse_route((struct nlmsghdr *)(void *)exact, &r))
			continue;
		while (rtnl_next_hop(&r, &at, &hop))
			hops++;
		CHECK(hops <= 2);
	}
}

TEST("ways of length 0, or longer than what holds them, end the list")
{
	struct rtnl_route r;
	struct rtnl_hop hop;
	struct rtnexthop nh = {.rtnh_len = 0};
	unsigned at = 0;

	begin(AF_INET, 0);
	put(RTA_MULTIPATH, &nh, sizeof(nh));
	CHECK(rtnl_parse_route(&msg.h, &r) && !rtnl_next_hop(&r, &at, &hop));
	nh.rtnh_len = 100;
	begin(AF_INET, 0);
	put(RTA_MULTIPATH, &nh, sizeof(nh));
	CHECK(rtnl_parse_route(&msg.h, &r) && !rtnl_next_hop(&r, &at, &hop));
}

TEST("cached entries, other families and other messages are no routes")
{
	struct rtnl_route r;

	begin(AF_INET, 0);
	((struct rtmsg *)NLMSG_DATA(&msg.h))->rtm_flags = RTM_F_CLONED;
	CHECK(!rtnl_parse_route(&msg.h, &r));
	begin(AF_PACKET, 0);
	CHECK(!rtnl_parse_route(&msg.h, &r));
	begin(AF_INET, 0);
	msg.h.nlmsg_type = RTM_DELROUTE;
	CHECK(!rtnl_parse_route(&msg.h, &r));
}

static void key_of(uint8_t family, uint32_t table, uint8_t first, uint8_t prefix, uint32_t metric, char key[LOWEST_KEY])
{
	struct rtnl_route r = {.family = family, .table = table, .dst = {first}, .prefix = prefix, .metric = metric};

	rtnl_route_key(&r, key);
}

TEST("keys sort as the kernel sends: by family, table, destination, the longest prefix first, and metric; and the longest key fits")
{
	char keys[10][LOWEST_KEY];

	key_of(AF_INET, 254, 0, 0, UINT32_MAX, keys[0]);
	key_of(AF_INET, 254, 10, 24, 0, keys[1]);
	key_of(AF_INET, 254, 10, 8, 10, keys[2]);
	key_of(AF_INET, 254, 10, 8, 9000, keys[3]);
	key_of(AF_INET, 254, 200, 8, 0, keys[4]);
	key_of(AF_INET, 1023, 1, 8, 0, keys[5]);     // in bucket 255
	key_of(AF_INET6, 1000, 0, 0, 1024, keys[6]); // in bucket 232
	key_of(AF_INET6, 254, 0x20, 32, 1024, keys[7]);
	key_of(AF_INET6, 254, 0x20, 16, 1024, keys[8]);
	key_of(AF_INET6, 254, 0, 0, 1024, keys[9]); // behind all that is in it
	for (int i = 1; i < 10; i++)
		CHECK(strcmp(keys[i - 1], keys[i]) < 0);
	CHECK(strlen(keys[9]) < LOWEST_KEY);
}

TEST("routes that differ in anything else have other keys, and a link that goes down changes none")
{
	struct rtnl_route r = {.family = AF_INET, .table = 254}, other;
	char a[LOWEST_KEY], b[LOWEST_KEY];

	rtnl_route_key(&r, a);
	other = r;
	other.flags = RTNH_F_DEAD | RTNH_F_LINKDOWN;
	rtnl_route_key(&other, b);
	CHECK_STR(b, a);
	other = r;
	other.protocol = RTPROT_DHCP;
	rtnl_route_key(&other, b);
	CHECK(strcmp(a, b) != 0);
	other = r;
	other.hop.index = 7;
	rtnl_route_key(&other, b);
	CHECK(strcmp(a, b) != 0);
	make_multipath();
	CHECK(rtnl_parse_route(&msg.h, &r));
	rtnl_route_key(&r, a);
	r.multipath = NULL;
	rtnl_route_key(&r, b);
	CHECK(strcmp(a, b) != 0);
}

int main(void)
{
	return test_main();
}
