// The floor under one forward more: one element put into map `ip bench forwards` and taken out again, each as one transaction.   fw_floor ROUNDS
// Prints the median time of an addition and of a removal in microseconds.
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "floor.h"

#define BEGIN 0x10 // NFNL_MSG_BATCH_BEGIN
#define END   0x11

static char buf[1024];
static size_t len;

static struct nlmsghdr *message(uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(buf + len);
	struct nfgenmsg *g = (struct nfgenmsg *)(void *)(h + 1);

	*h = (struct nlmsghdr){.nlmsg_len = sizeof(*h) + sizeof(*g), .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
	*g = (struct nfgenmsg){.nfgen_family = family, .res_id = htons(res_id)};
	len += h->nlmsg_len;
	return h;
}

// Appends an attribute; without data it is a nest, whose end closes it.
static struct nlattr *attribute(uint16_t type, const void *data, size_t n)
{
	struct nlattr *a = (struct nlattr *)(void *)(buf + len);

	a->nla_type = data == NULL ? type | NLA_F_NESTED : type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + n);
	memset(buf + len + NLA_HDRLEN, 0, NLA_ALIGN(n));
	if (data != NULL)
		memcpy(buf + len + NLA_HDRLEN, data, n);
	len += NLA_HDRLEN + NLA_ALIGN(n);
	return a;
}

static void close_nest(struct nlattr *a)
{
	a->nla_len = (uint16_t)(buf + len - (char *)a);
}

static void value(uint16_t type, const void *data, size_t n)
{
	struct nlattr *a = attribute(type, NULL, 0);

	attribute(NFTA_DATA_VALUE, data, n);
	close_nest(a);
}

static void build(uint16_t type, uint16_t flags)
{
	static const uint8_t key[8] = {6, 0, 0, 0, 0xff, 0xf0}, target[8] = {10, 0, 0, 9, 0, 80};
	struct nlmsghdr *h;
	struct nlattr *list, *one;

	len = 0;
	message(BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	h = message((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), (uint16_t)(NLM_F_ACK | flags), AF_INET, 0);
	attribute(NFTA_SET_ELEM_LIST_TABLE, "bench", 6);
	attribute(NFTA_SET_ELEM_LIST_SET, "forwards", 9);
	list = attribute(NFTA_SET_ELEM_LIST_ELEMENTS, NULL, 0);
	one = attribute(NFTA_LIST_ELEM, NULL, 0);
	value(NFTA_SET_ELEM_KEY, key, sizeof(key));
	if (type == NFT_MSG_NEWSETELEM)
		value(NFTA_SET_ELEM_DATA, target, sizeof(target));
	close_nest(one);
	close_nest(list);
	h->nlmsg_len = (uint32_t)(buf + len - (char *)h);
	message(END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

// Sends the transaction and waits for its acknowledgement; the nanoseconds that took, 0 where it failed.
static uint64_t commit(int sock)
{
	union {
		struct nlmsghdr h;
		char bytes[4096];
	} in;
	uint64_t start = now_ns();

	if (send(sock, buf, len, 0) != (ssize_t)len || recv(sock, &in, sizeof(in), 0) <= 0 || in.h.nlmsg_type != NLMSG_ERROR ||
	    ((struct nlmsgerr *)NLMSG_DATA(&in.h))->error != 0)
		return 0;
	return now_ns() - start;
}

int main(int argc, char **argv)
{
	size_t rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t *add = calloc(rounds + 1, sizeof(*add)), *del = calloc(rounds + 1, sizeof(*del));
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

	if (rounds == 0 || add == NULL || del == NULL)
		return fprintf(stderr, "usage: fw_floor ROUNDS\n"), 2;
	for (size_t i = 0; i < rounds; i++) {
		build(NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		add[i] = commit(sock);
		build(NFT_MSG_DELSETELEM, 0);
		del[i] = commit(sock);
		if (add[i] == 0 || del[i] == 0)
			return fprintf(stderr, "fw_floor: the transaction failed\n"), 1;
	}
	printf("%.1f %.1f\n", median_us(add, rounds), median_us(del, rounds));
	return 0;
}
