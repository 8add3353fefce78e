// The floor under reading connection tracking: one dump of the table, received and thrown away.   ct_floor ROUNDS
// Prints the median time of a dump in microseconds, and how many entries it had.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "floor.h"

static const struct {
	struct nlmsghdr h;
	struct nfgenmsg g;
} ask = {.h = {.nlmsg_len = sizeof(ask), .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

// Counts the entries; -1 where the dump fails.
static long dump(int sock)
{
	static union {
		struct nlmsghdr h;
		char bytes[65536];
	} buf;
	long entries = 0;

	if (send(sock, &ask, sizeof(ask), 0) < 0)
		return -1;
	for (;;) {
		ssize_t n = recv(sock, &buf, sizeof(buf), 0);
		if (n <= 0)
			return -1;
		for (struct nlmsghdr *h = &buf.h; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return entries;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -1;
			entries++;
		}
	}
}

int main(int argc, char **argv)
{
	size_t rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t *took = calloc(rounds + 1, sizeof(*took));
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	long entries = 0;

	if (rounds == 0 || took == NULL)
		return fprintf(stderr, "usage: ct_floor ROUNDS\n"), 2;
	if (sock < 0)
		return perror("netlink"), 1;
	for (size_t i = 0; i < rounds && entries >= 0; i++) {
		uint64_t start = now_ns();
		entries = dump(sock);
		took[i] = now_ns() - start;
	}
	printf("%.1f %ld\n", median_us(took, rounds), entries);
	return entries < 0;
}
