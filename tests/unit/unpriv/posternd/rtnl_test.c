// LINK: unpriv/posternd/rtnl.o unpriv/posternd/rtnl_route.o unpriv/posternd/lowest.o unpriv/posternd/rtnl_parse.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// Messages made here and parsed, and the running kernel asked.
#include "unpriv/posternd/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/lib/test.h"

static union {
	struct nlmsghdr h;
	char bytes[1024];
} msg;
static struct arena a;

static void begin(uint16_t type, size_t head)
{
	memset(&msg, 0, sizeof(msg));
	msg.h.nlmsg_type = type;
	msg.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(head);
}

static struct rtattr *put(unsigned short type, const void *data, size_t len)
{
	struct rtattr *r = (struct rtattr *)(void *)(msg.bytes + NLMSG_ALIGN(msg.h.nlmsg_len));

	r->rta_type = type;
	r->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(r), data, len);
	msg.h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(msg.h.nlmsg_len) + RTA_ALIGN(r->rta_len));
	return r;
}

static void close_nest(struct rtattr *r)
{
	r->rta_len = (unsigned short)(msg.bytes + msg.h.nlmsg_len - (char *)r);
}

static void make_bridge(void)
{
	struct ifinfomsg *i = NLMSG_DATA(&msg.h);
	uint32_t one = 1;
	uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, yes = 1;

	begin(RTM_NEWLINK, sizeof(*i));
	i->ifi_index = 7;
	i->ifi_flags = IFF_UP;
	put(IFLA_IFNAME, "pt-br0", 7);
	put(IFLA_ADDRESS, mac, sizeof(mac));
	put(IFLA_CARRIER, &yes, 1);
	struct rtattr *info = put(IFLA_LINKINFO, NULL, 0);
	put(IFLA_INFO_KIND, "bridge", 7);
	struct rtattr *data = put(IFLA_INFO_DATA, NULL, 0);
	put(IFLA_BR_STP_STATE, &one, 4);
	put(IFLA_BR_VLAN_FILTERING, &yes, 1);
	close_nest(data);
	close_nest(info);
}

TEST("a bridge's message gives name, address, flags and what is nested in it")
{
	struct rtnl_link l;

	make_bridge();
	CHECK(rtnl_parse_link(&msg.h, &l));
	CHECK_STR(l.name, "pt-br0");
	CHECK_STR(l.kind, "bridge");
	CHECK(l.index == 7 && l.has_mac && l.mac[5] == 1 && l.carrier && l.stp && l.vlan_filtering);
}

TEST("a message cut at any length is refused or read without going beyond it")
{
	struct rtnl_link l;

	make_bridge();
	for (uint32_t n = msg.h.nlmsg_len; n-- > 0;) {
		static char exact[1024];
		memset(exact, 0xff, sizeof(exact));
		memcpy(exact, msg.bytes, n);
		if (n >= sizeof(struct nlmsghdr)) {
			((struct nlmsghdr *)(void *)exact)->nlmsg_len = n;
			if (rtnl_parse_link((struct nlmsghdr *)(void *)exact, &l))
				CHECK_STR(l.name, "pt-br0");
		}
	}
}

TEST("a name that fills its attribute without a NUL is cut to fit")
{
	struct rtnl_link l;
	struct ifinfomsg *i = NLMSG_DATA(&msg.h);

	begin(RTM_NEWLINK, sizeof(*i));
	i->ifi_index = 1;
	put(IFLA_IFNAME, "0123456789abcdefghij", 20);
	CHECK(rtnl_parse_link(&msg.h, &l));
	CHECK_STR(l.name, "0123456789abcde");
}

TEST("an address is IFA_LOCAL where there is one, else IFA_ADDRESS")
{
	struct rtnl_addr r;
	struct ifaddrmsg *i = NLMSG_DATA(&msg.h);
	uint8_t peer[4] = {10, 0, 0, 2}, local[4] = {10, 0, 0, 1}, six[16] = {0xfd, [15] = 1};
	uint32_t flags = IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE;

	begin(RTM_NEWADDR, sizeof(*i));
	i->ifa_family = AF_INET;
	i->ifa_prefixlen = 24;
	put(IFA_ADDRESS, peer, 4);
	put(IFA_LOCAL, local, 4);
	put(IFA_FLAGS, &flags, 4);
	CHECK(rtnl_parse_addr(&msg.h, &r));
	CHECK(r.addr[3] == 1 && r.prefix == 24 && r.flags == flags);
	begin(RTM_NEWADDR, sizeof(*i));
	i->ifa_family = AF_INET6;
	put(IFA_ADDRESS, six, 16);
	put(IFA_LOCAL, local, 4);
	CHECK(rtnl_parse_addr(&msg.h, &r));
	CHECK(r.addr[0] == 0xfd && r.addr[15] == 1);
}

TEST("an interface's switches are read behind a header of one byte, at any length")
{
	struct rtnl_netconf c;
	uint32_t one = 1, index = 9;

	begin(RTM_NEWNETCONF, sizeof(struct netconfmsg));
	put(NETCONFA_IFINDEX, &index, 4);
	put(NETCONFA_FORWARDING, &one, 4);
	put(NETCONFA_PROXY_NEIGH, &one, 4);
	CHECK(rtnl_parse_netconf(&msg.h, &c));
	CHECK(c.index == 9 && c.forwarding && c.proxy);
	while (msg.h.nlmsg_len-- > sizeof(struct nlmsghdr))
		if (rtnl_parse_netconf(&msg.h, &c))
			CHECK_INT(c.index, 9);
}

static struct rtnl_vlan seen[8];
static int n_seen;

static void see(const struct rtnl_vlan *v, void *arg)
{
	(void)arg;
	if (n_seen < 8)
		seen[n_seen++] = *v;
}

static void put_vlan(uint16_t flags, uint16_t vid)
{
	struct bridge_vlan_info i = {.flags = flags, .vid = vid};

	put(IFLA_BRIDGE_VLAN_INFO, &i, sizeof(i));
}

static void make_port(void)
{
	struct ifinfomsg *i = NLMSG_DATA(&msg.h);

	begin(RTM_NEWLINK, sizeof(*i));
	i->ifi_family = AF_BRIDGE;
	i->ifi_index = 4;
	struct rtattr *spec = put(IFLA_AF_SPEC, NULL, 0);
	put_vlan(BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, 1);
	put_vlan(BRIDGE_VLAN_INFO_RANGE_BEGIN, 10);
	put_vlan(BRIDGE_VLAN_INFO_RANGE_END, 20);
	put_vlan(BRIDGE_VLAN_INFO_UNTAGGED, 4094);
	close_nest(spec);
	n_seen = 0;
}

TEST("a port's VLANs are read one by one and as ranges")
{
	make_port();
	rtnl_each_vlan(&msg.h, see, NULL);
	CHECK_INT(n_seen, 3);
	CHECK(seen[0].index == 4 && seen[0].first == 1 && seen[0].last == 1);
	CHECK_INT(seen[0].flags, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
	CHECK(seen[1].first == 10 && seen[1].last == 20 && seen[1].flags == 0);
	CHECK(seen[2].first == 4094 && seen[2].last == 4094 && seen[2].flags == BRIDGE_VLAN_INFO_UNTAGGED);
}

TEST("ranges that end before they begin, or never began, are none; so is what is cut off or of another family")
{
	make_port();
	while (--msg.h.nlmsg_len > sizeof(struct nlmsghdr)) {
		n_seen = 0;
		rtnl_each_vlan(&msg.h, see, NULL);
		CHECK(n_seen <= 3);
	}
	begin(RTM_NEWLINK, sizeof(struct ifinfomsg));
	((struct ifinfomsg *)NLMSG_DATA(&msg.h))->ifi_family = AF_BRIDGE;
	struct rtattr *spec = put(IFLA_AF_SPEC, NULL, 0);
	put_vlan(BRIDGE_VLAN_INFO_RANGE_END, 20);
	put_vlan(BRIDGE_VLAN_INFO_RANGE_BEGIN, 30);
	put_vlan(BRIDGE_VLAN_INFO_RANGE_END, 29);
	close_nest(spec);
	n_seen = 0;
	rtnl_each_vlan(&msg.h, see, NULL);
	CHECK_INT(n_seen, 0);
	make_port();
	((struct ifinfomsg *)NLMSG_DATA(&msg.h))->ifi_family = AF_UNSPEC;
	rtnl_each_vlan(&msg.h, see, NULL);
	CHECK_INT(n_seen, 0);
}

TEST("messages of another type are not taken for links or addresses")
{
	struct rtnl_link l;
	struct rtnl_addr r;

	make_bridge();
	CHECK(!rtnl_parse_addr(&msg.h, &r));
	msg.h.nlmsg_type = RTM_DELLINK;
	CHECK(!rtnl_parse_link(&msg.h, &l));
}

TEST("the kernel shows the loopback link and its address, and says ENODEV for a link that isn't there")
{
	struct rtnl_links links;
	struct rtnl_addrs addrs;

	CHECK(rtnl_start());
	CHECK_INT(rtnl_read_links(&(struct rtnl_filter){0}, &a, &links), 0);
	CHECK(links.n >= 1);
	CHECK_INT(rtnl_read_links(&(struct rtnl_filter){.name = "lo"}, &a, &links), 0);
	CHECK(links.n == 1 && (links.v[0].flags & IFF_LOOPBACK) != 0);
	CHECK_INT(rtnl_read_addrs(&(struct rtnl_filter){.index = links.v[0].index}, &a, &addrs), 0);
	for (size_t i = 0; i < addrs.n; i++)
		CHECK_INT(addrs.v[i].index, links.v[0].index);
	CHECK_INT(rtnl_read_links(&(struct rtnl_filter){.index = 1, .brief = true}, &a, &links), 0);
	CHECK_INT(links.n, 1);
	CHECK_INT(rtnl_read_links(&(struct rtnl_filter){.name = "pt-not-there"}, &a, &links), ENODEV);
	rtnl_stop();
	arena_finish(&a);
}

int main(void)
{
	return test_main();
}
