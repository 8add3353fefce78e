// Watches the links of leases: the kernel says when one comes, goes, or has its carrier change.
//
// Which of a burst of messages is the last one doesn't matter: at each, the links concerned are read anew.
#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/lease_port.h"

static int sock = -1;
static struct event *watch;

static void read_links(void)
{
	size_t n;
	struct lease_port *p = lease_ports(&n);

	for (size_t i = 0; i < n; i++) {
		struct arena a = {0};
		struct rtnl_links links = {0};
		int err = rtnl_read_links(&(struct rtnl_filter){.name = p[i].name, .brief = true}, &a, &links);

		if (err == 0 || err == ENODEV)
			lease_port_link(&p[i], links.n == 1 ? &links.v[0] : NULL);
		arena_finish(&a);
	}
}

// What the messages say isn't looked at; one that didn't fit has been told by ENOBUFS.
static void on_message(evutil_socket_t fd, short what, void *arg)
{
	char buf[8192];

	(void)what;
	(void)arg;
	for (unsigned i = 0; i < 64; i++)
		if (recv((int)fd, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			break;
	read_links();
}

bool lease_links_start(void)
{
	const struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (sock < 0 || bind(sock, (const struct sockaddr *)&links, sizeof(links)) != 0) {
		log_error("links can't be watched", "errno=%d", errno);
		return false;
	}
	watch = event_new(daemon_base(), sock, EV_READ | EV_PERSIST, on_message, NULL);
	if (watch == NULL || event_add(watch, NULL) != 0)
		return false;
	read_links();
	return true;
}

void lease_links_stop(void)
{
	if (watch != NULL)
		event_free(watch);
	if (sock >= 0)
		close(sock);
	watch = NULL;
	sock = -1;
}
