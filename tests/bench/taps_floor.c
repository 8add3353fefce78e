// The floor under taps: made by ioctl and one RTM_SETLINK each, then moved to a group and deleted in one RTM_DELLINK.
//     taps_floor COUNT BRIDGE|-        prints the milliseconds that making and deleting them took
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GROUP 4242u

static int sock;

struct ask {
	struct nlmsghdr h;
	struct ifinfomsg i;
	char attrs[128];
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void put(struct ask *q, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static void ask(struct ask *q, uint16_t type)
{
	char answer[4096];
	const struct nlmsghdr *h = (const void *)answer;

	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(sock, q, q->h.nlmsg_len, 0) < 0 || recv(sock, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)) ||
	    *(const int *)NLMSG_DATA(h) != 0) {
		perror("rtnetlink");
		exit(1);
	}
}

static int make(const char *name, const char *bridge)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.i))}, .i = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), index, master = bridge != NULL ? (int)if_nametoindex(bridge) : 0;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) != 0 || ioctl(fd, TUNSETOWNER, 1000) != 0 || ioctl(fd, TUNSETPERSIST, 1) != 0) {
		perror("tap");
		exit(1);
	}
	index = (int)if_nametoindex(name);
	q.i.ifi_index = index;
	put(&q, IFLA_IFALIAS, "floor", 6);
	if (bridge != NULL)
		put(&q, IFLA_MASTER, &master, sizeof(master));
	ask(&q, RTM_SETLINK);
	close(fd);
	return index;
}

int main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	const char *bridge = argc == 3 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
	int *index = calloc(count + 1, sizeof(*index));
	uint32_t group = GROUP;
	struct ask all = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(all.i))}};
	double t[3];

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (count == 0 || index == NULL || sock < 0)
		return fprintf(stderr, "usage: taps_floor COUNT BRIDGE|-\n"), 2;
	t[0] = now_ms();
	for (size_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "floor%u", (unsigned)(i % 100000u));
		index[i] = make(name, bridge);
	}
	t[1] = now_ms();
	for (size_t i = 0; i < count; i++) {
		struct ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.i))}, .i = {.ifi_index = index[i]}};

		put(&q, IFLA_GROUP, &group, sizeof(group));
		ask(&q, RTM_SETLINK);
	}
	put(&all, IFLA_GROUP, &group, sizeof(group));
	ask(&all, RTM_DELLINK);
	t[2] = now_ms();
	printf("%.3f %.3f\n", t[1] - t[0], t[2] - t[1]);
	return 0;
}
