// The floor under reading one of the kernel's tables: strict dumps, received and thrown away.   dump_floor routes|links ROUNDS [TABLE]
// Prints the median time in microseconds, and how many routes, or links and addresses, there were.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "floor.h"

struct ask {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct {
			struct rtmsg m;
			struct rtattr a;
			uint32_t table;
		} route;
	};
};

#define ASK(size, type)                                                                                                                              \
	{                                                                                                                                            \
		.h = {.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = (type), .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP }                             \
	}

static struct ask routes = ASK(sizeof(routes.route), RTM_GETROUTE);
static const struct ask links = ASK(sizeof(links.link), RTM_GETLINK);
static const struct ask addrs = ASK(sizeof(addrs.addr), RTM_GETADDR);

// Counts the entries; -1 where the dump fails.
static long dump(int sock, const struct ask *ask)
{
	static union {
		struct nlmsghdr h;
		char bytes[65536];
	} buf;
	long entries = 0;

	if (send(sock, ask, ask->h.nlmsg_len, 0) < 0)
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
	size_t rounds = argc >= 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t *took = calloc(rounds + 1, sizeof(*took));
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), on = 1;
	bool of_links = argc >= 2 && strcmp(argv[1], "links") == 0;
	long entries = 0;

	if (rounds == 0 || took == NULL || argc != (of_links ? 3 : 4))
		return fprintf(stderr, "usage: dump_floor routes ROUNDS TABLE | links ROUNDS\n"), 2;
	routes.route.m.rtm_family = AF_INET;
	routes.route.a = (struct rtattr){.rta_len = 8, .rta_type = RTA_TABLE};
	routes.route.table = of_links ? 0 : (uint32_t)strtoul(argv[3], NULL, 10);
	if (setsockopt(sock, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) != 0)
		return perror("netlink"), 1;
	for (size_t i = 0; i < rounds && entries >= 0; i++) {
		uint64_t start = now_ns();
		entries = of_links ? dump(sock, &links) + dump(sock, &addrs) : dump(sock, &routes);
		took[i] = now_ns() - start;
	}
	printf("%.1f %ld\n", median_us(took, rounds), entries);
	return entries < 0;
}
