// The floor under one route: RTM_NEWROUTE that creates or fails, acknowledged, and RTM_DELROUTE.     route_add_floor DEVICE ROUNDS
// Prints the median time of an addition and of a deletion in microseconds.
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "floor.h"

static int sock;

struct ask {
	struct nlmsghdr h;
	struct rtmsg r;
	char attrs[64];
};

static void put(struct ask *q, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static uint64_t ask(uint16_t type, uint16_t flags, size_t i, uint32_t device)
{
	struct ask q = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.r)), .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags)},
	    .r = {.rtm_family = AF_INET,
	          .rtm_dst_len = 32,
	          .rtm_table = RT_TABLE_MAIN,
	          .rtm_protocol = RTPROT_STATIC,
	          .rtm_scope = RT_SCOPE_LINK,
	          .rtm_type = RTN_UNICAST}};
	const uint8_t to[4] = {20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
	char answer[4096];
	uint64_t start;

	put(&q, RTA_DST, to, sizeof(to));
	put(&q, RTA_OIF, &device, sizeof(device));
	start = now_ns();
	if (send(sock, &q, q.h.nlmsg_len, 0) < 0 || recv(sock, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)) ||
	    *(const int *)NLMSG_DATA((const struct nlmsghdr *)(const void *)answer) != 0) {
		perror("rtnetlink");
		exit(1);
	}
	return now_ns() - start;
}

int main(int argc, char **argv)
{
	size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint32_t device = argc == 3 ? if_nametoindex(argv[1]) : 0;
	uint64_t *add = calloc(rounds + 1, sizeof(*add));
	uint64_t *del = calloc(rounds + 1, sizeof(*del));

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (rounds == 0 || device == 0 || add == NULL || del == NULL || sock < 0)
		return fprintf(stderr, "usage: route_add_floor DEVICE ROUNDS\n"), 2;
	for (size_t i = 0; i < rounds; i++)
		add[i] = ask(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, i, device);
	for (size_t i = 0; i < rounds; i++)
		del[i] = ask(RTM_DELROUTE, 0, i, device);
	printf("%.1f %.1f\n", median_us(add, rounds), median_us(del, rounds));
	return 0;
}
