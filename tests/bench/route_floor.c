// The floor under reading a routing table: one strict dump, received and thrown away.   route_floor TABLE ROUNDS
// Prints the median time of a dump in microseconds, and how many routes it had.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static struct {
	struct nlmsghdr h;
	struct rtmsg m;
	struct rtattr a;
	uint32_t table;
} ask = {.h = {.nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
         .m = {.rtm_family = AF_INET},
         .a = {.rta_len = 8, .rta_type = RTA_TABLE}};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

// Counts the routes; -1 where the dump fails.
static long dump(int sock)
{
	static union {
		struct nlmsghdr h;
		char bytes[65536];
	} buf;
	long routes = 0;

	if (send(sock, &ask, sizeof(ask), 0) < 0)
		return -1;
	for (;;) {
		ssize_t n = recv(sock, &buf, sizeof(buf), 0);
		if (n <= 0)
			return -1;
		for (struct nlmsghdr *h = &buf.h; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return routes;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -1;
			routes++;
		}
	}
}

int main(int argc, char **argv)
{
	size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t *took = calloc(rounds + 1, sizeof(*took));
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), on = 1;
	long routes = 0;

	if (rounds == 0 || took == NULL)
		return fprintf(stderr, "usage: route_floor TABLE ROUNDS\n"), 2;
	ask.table = (uint32_t)strtoul(argv[1], NULL, 10);
	if (setsockopt(sock, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) != 0)
		return perror("netlink"), 1;
	for (size_t i = 0; i < rounds && routes >= 0; i++) {
		uint64_t start = now_ns();
		routes = dump(sock);
		took[i] = now_ns() - start;
	}
	qsort(took, rounds, sizeof(*took), by_value);
	printf("%.1f %ld\n", (double)took[rounds / 2] / 1e3, routes);
	return routes < 0;
}
