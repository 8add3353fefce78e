// The floor under net.verify: a dump of each kind of thing that it compares, received and thrown away.   verify_floor ROUNDS
// Prints the median time in microseconds, and how many links there were.
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "floor.h"

#define INET 1 // NFPROTO_INET

struct ask {
	struct nlmsghdr h;
	char payload[128];
};

static const char *const sets[] = {"dnat4", "dnat6", "masq4_any", "masq4", "snat4", "allow"};

static struct ask begin(uint16_t type, const void *header, size_t len)
{
	struct ask q = {.h = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

	memcpy(q.payload, header, len);
	q.h.nlmsg_len = (uint32_t)NLMSG_SPACE(len);
	return q;
}

static void attribute(struct ask *q, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	char *at = (char *)q + q->h.nlmsg_len;

	memcpy(at, &a, sizeof(a));
	memcpy(at + NLA_HDRLEN, data, len);
	q->h.nlmsg_len += (uint32_t)NLA_ALIGN(a.nla_len);
}

// Counts the messages; what isn't there has none.
static long dump(int sock, const struct ask *q)
{
	static union {
		struct nlmsghdr h;
		char bytes[65536];
	} buf;
	long n = 0;

	if (send(sock, q, q->h.nlmsg_len, 0) < 0)
		exit(1);
	for (;;) {
		ssize_t got = recv(sock, buf.bytes, sizeof(buf.bytes), 0);
		unsigned left = got > 0 ? (unsigned)got : 0;
		if (got <= 0)
			exit(1);
		for (const struct nlmsghdr *h = &buf.h; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return n;
			n++;
		}
	}
}

static long all(int route, int nft)
{
	const struct ifinfomsg links = {0};
	const struct ifaddrmsg addrs = {0};
	const struct nfgenmsg inet = {.nfgen_family = INET};
	const uint32_t brief = RTEXT_FILTER_SKIP_STATS;
	struct ask q = begin(RTM_GETLINK, &links, sizeof(links));
	long n;

	attribute(&q, IFLA_EXT_MASK, &brief, sizeof(brief));
	n = dump(route, &q);
	q = begin(RTM_GETADDR, &addrs, sizeof(addrs));
	dump(route, &q);
	for (int family = 0; family < 2; family++) {
		const struct rtmsg r = {.rtm_family = family == 0 ? AF_INET : AF_INET6, .rtm_protocol = 0x70};
		q = begin(RTM_GETROUTE, &r, sizeof(r));
		dump(route, &q);
	}
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		q = begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, &inet, sizeof(inet));
		attribute(&q, NFTA_SET_ELEM_LIST_TABLE, "postern", sizeof("postern"));
		attribute(&q, NFTA_SET_ELEM_LIST_SET, sets[i], strlen(sets[i]) + 1);
		dump(nft, &q);
	}
	return n;
}

int main(int argc, char **argv)
{
	int rounds = argc == 2 ? atoi(argv[1]) : 0, on = 1;
	int route = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), nft = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	uint64_t *ns = rounds > 0 ? calloc((size_t)rounds, sizeof(*ns)) : NULL;
	long links = 0;

	if (ns == NULL || route < 0 || nft < 0 || setsockopt(route, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) != 0)
		return 1;
	for (int i = 0; i < rounds; i++) {
		uint64_t start = now_ns();
		links = all(route, nft);
		ns[i] = now_ns() - start;
	}
	printf("%.1f %ld\n", median_us(ns, (size_t)rounds), links);
	free(ns);
	return 0;
}
