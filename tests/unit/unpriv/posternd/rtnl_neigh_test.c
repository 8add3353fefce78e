// LINK: unpriv/posternd/rtnl_neigh.o unpriv/posternd/lowest.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// Neighbours' messages made here and parsed, whole, cut and wrong.
#include "unpriv/posternd/rtnl_neigh.h"

#include <linux/neighbour.h>
#include <sys/socket.h>

#include "tests/lib/test.h"

static union {
	struct nlmsghdr h;
	char bytes[256];
} msg;

static void put(unsigned short type, const void *data, size_t len)
{
	struct rtattr *r = (struct rtattr *)(void *)(msg.bytes + NLMSG_ALIGN(msg.h.nlmsg_len));

	r->rta_type = type;
	r->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(r), data, len);
	msg.h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(msg.h.nlmsg_len) + RTA_ALIGN(r->rta_len));
}

static void make(uint8_t family, size_t addr_len)
{
	static const uint8_t addr[16] = {10, 0, 0, 7}, mac[6] = {2, 0, 0, 0, 0, 9};

	memset(&msg, 0, sizeof(msg));
	msg.h.nlmsg_type = RTM_NEWNEIGH;
	msg.h.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg));
	*(struct ndmsg *)NLMSG_DATA(&msg.h) = (struct ndmsg){.ndm_family = family, .ndm_ifindex = 5, .ndm_state = NUD_STALE, .ndm_flags = NTF_ROUTER};
	put(NDA_DST, addr, addr_len);
	put(NDA_LLADDR, mac, sizeof(mac));
}

TEST("a neighbour's message gives link, address, hardware address, state and flags")
{
	struct rtnl_neigh n;
	char key[LOWEST_KEY];

	make(AF_INET, 4);
	CHECK(rtnl_parse_neigh(&msg.h, &n));
	CHECK(n.index == 5 && n.addr[3] == 7 && n.has_mac && n.mac[5] == 9 && n.state == NUD_STALE && n.flags == NTF_ROUTER);
	rtnl_neigh_key(&n, key);
	CHECK_STR(key, "400000005.0a000007");
	make(AF_INET6, 16);
	CHECK(rtnl_parse_neigh(&msg.h, &n));
	rtnl_neigh_key(&n, key);
	CHECK_STR(key, "600000005.0a000007000000000000000000000000");
}

TEST("without an address of its family, of another family or of another type it is no neighbour")
{
	struct rtnl_neigh n;

	make(AF_INET, 16);
	CHECK(!rtnl_parse_neigh(&msg.h, &n));
	make(AF_BRIDGE, 4);
	CHECK(!rtnl_parse_neigh(&msg.h, &n));
	make(AF_INET, 4);
	msg.h.nlmsg_type = RTM_DELNEIGH;
	CHECK(!rtnl_parse_neigh(&msg.h, &n));
}

TEST("a message cut at any length is refused or read without going beyond it")
{
	make(AF_INET, 4);
	for (uint32_t len = msg.h.nlmsg_len; len-- > sizeof(struct nlmsghdr);) {
		static char exact[256];
		struct rtnl_neigh n;
		memset(exact, 0xff, sizeof(exact));
		memcpy(exact, msg.bytes, len);
		((struct nlmsghdr *)(void *)exact)->nlmsg_len = len;
		if (rtnl_parse_neigh((struct nlmsghdr *)(void *)exact, &n))
			CHECK_INT(n.addr[3], 7);
	}
}

int main(void)
{
	return test_main();
}
