// See net_back.h.
//
// The kernel deletes an IPv4 route when its link goes down, and any route when its link goes.  Of each event only that there was one is kept: a
// moment later, when a burst of them is over, the rows are compared with the kernel's routes of our protocol, and what is missing is asked for.
#include "unpriv/posternd/net_back.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/net_plan.h"

#define PAUSE_MS 50
#define AT_ONCE  64 // datagrams that are read before others have their turn

static int sock = -1;
static struct event *ready, *timer;
static bool running, again; // a plan is being carried out; something happened meanwhile

static void schedule(void)
{
	const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};

	if (!evtimer_pending(timer, NULL))
		evtimer_add(timer, &pause);
}

static void restored(void *arg)
{
	(void)arg;
	running = false;
	if (again && timer != NULL)
		schedule();
	again = false;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct plan p = {.quiet = true};

	(void)fd;
	(void)what;
	(void)arg;
	again = running;
	if (running)
		return;
	plan_routes_up(&p);
	if (p.n == 0)
		return;
	running = true;
	plan_run(&p, NULL, restored, NULL);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	static char bytes[32768]; // a longer one is cut: what it says isn't read
	bool any = false;

	(void)what;
	(void)arg;
	for (int i = 0; i < AT_ONCE; i++) {
		if (recv((int)fd, bytes, sizeof(bytes), 0) > 0 || errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			break;
	}
	if (any && cache_n_route() > 0)
		schedule();
}

bool net_back_start(void)
{
	const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (sock < 0 || bind(sock, (const struct sockaddr *)&groups, sizeof(groups)) != 0)
		return false;
	timer = evtimer_new(daemon_base(), on_timer, NULL);
	ready = event_new(daemon_base(), sock, EV_READ | EV_PERSIST, on_event, NULL);
	return ready != NULL && timer != NULL && event_add(ready, NULL) == 0;
}

void net_back_stop(void)
{
	if (ready != NULL)
		event_free(ready);
	if (timer != NULL)
		event_free(timer);
	if (sock >= 0)
		close(sock);
	ready = timer = NULL;
	sock = -1;
}

void net_back_bridge(const char *bridge, void (*ended)(void *arg), void *arg)
{
	struct plan p = {0};

	plan_ports(&p, bridge);
	plan_routes_up(&p);
	plan_run(&p, NULL, ended, arg);
}
