// net.lease.restart: the call is answered when something new has been applied, or when nobody has given anything for half a minute.
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/lease_object.h"
#include "unpriv/posternd/rpc_net.h"

#define RESTART_SECS 30

struct waiter {
	struct request *rq;
	struct lease_port *port;
	uint64_t begun_ms;
	struct event *timer;
	LIST_ENTRY(waiter) link;
};
LIST_HEAD(waiter_list, waiter);
static struct waiter_list waiters = LIST_HEAD_INITIALIZER(waiters);

static void finish(struct waiter *w)
{
	LIST_REMOVE(w, link);
	event_free(w->timer);
	free(w);
}

static void reply_lease(struct request *rq, const struct lease_port *p)
{
	reply_net_lease_restart(rq, &(struct rpc_net_lease_restart_result){
	                                .changed = true,
	                                .has_lease = p->use4,
	                                .lease = lease_object_own4(p, rq->arena),
	                                .has_dhcp6 = p->use6 && p->v6.have,
	                                .dhcp6 = lease_object_own6(p, rq->arena),
	                            });
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;

	(void)fd;
	(void)what;
	fail_hint(w->rq, FAIL_TIMEOUT, "The client goes on asking; net.lease says when it has an answer.",
	          "no DHCP server answered on %s within %d s", w->port->name, RESTART_SECS);
	finish(w);
}

// True when the port holds what was given after a moment.
static bool anew(const struct lease_port *p, uint64_t since_ms)
{
	if (p->use4)
		return p->v4.have && p->v4.state == DHCP4_BOUND && p->v4.obtained_ms >= since_ms;
	return p->v6.have && p->v6.state == DHCP6_BOUND && p->v6.obtained_ms >= since_ms;
}

void lease_applied(struct lease_port *p)
{
	struct waiter *next;

	for (struct waiter *w = LIST_FIRST(&waiters); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		if (w->port != p || !anew(p, w->begun_ms))
			continue;
		reply_lease(w->rq, p);
		finish(w);
	}
}

// The port that a call means; NULL when the call has been answered.
static struct lease_port *port_of(struct request *rq, const struct rpc_net_lease_restart_params *p)
{
	static const char hint[] = "Name it as [lease] interface in postern.toml and as lease-interface in policy.conf.";
	size_t n;
	struct lease_port *ports = lease_ports(&n), *port = p->has_interface ? lease_port(p->interface) : n == 1 ? ports : NULL;

	if (rq->tenant != NULL)
		fail(rq, FAIL_DENIED_BY_POLICY, "the host's own leases belong to no tenant");
	else if (p->has_interface && port == NULL)
		fail_hint(rq, FAIL_INVALID_STATE, hint, "postern leases no address for %s", p->interface);
	else if (n == 0)
		fail_hint(rq, FAIL_INVALID_STATE, hint, "postern leases no addresses here");
	else if (port == NULL)
		fail_params(rq, "interface is missing: one of the %zu of [lease] interface is wanted", n);
	else
		return port;
	return NULL;
}

void rpc_net_lease_restart(struct request *rq, const struct rpc_net_lease_restart_params *p)
{
	struct lease_port *port = port_of(rq, p);
	struct waiter *w;

	if (port == NULL)
		return;
	if (port->channel < 0) {
		fail_hint(rq, FAIL_INVALID_STATE, "See lease-interface in policy.conf.", "%s can't be used: %s", port->name,
		          port->why[0] != '\0' ? port->why : "the helper hasn't opened it yet");
		return;
	}
	if (!port->carrier) {
		fail_hint(rq, FAIL_INVALID_STATE, "Plug it in, or set it up.", "%s has no carrier", port->name);
		return;
	}
	if (rq->dry_run) {
		reply_lease(rq, port);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct waiter){.rq = rq, .port = port, .begun_ms = lease_now()};
	w->timer = event_new(daemon_base(), -1, 0, on_deadline, w);
	LIST_INSERT_HEAD(&waiters, w, link);
	event_add(w->timer, &(struct timeval){.tv_sec = RESTART_SECS});
	lease_port_restart(port);
}
