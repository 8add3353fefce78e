// net.status, net.bridge: answered from the kernel's own view, at once.
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rpc_net.h"

#define PAGE 1000 // elements of a long list, where the client says nothing

static uint64_t started_ns;

void rpc_net_started(void)
{
	started_ns = now_ns();
}

bool net_read_view(struct request *rq, struct net_view *v)
{
	int err = net_view_read(v, rq->arena);

	if (err != 0)
		fail_errno(rq, FAIL_IO, err, "the kernel's interfaces can't be read");
	return err == 0;
}

size_t net_page_keep(struct request *rq)
{
	rq->limit = rq->limit != 0 ? rq->limit : PAGE;
	return (size_t)rq->limit + 1;
}

void net_page_failed(struct request *rq, int err, const char *what)
{
	if (err == EBUSY)
		fail_hint(rq, FAIL_BUSY, "Ask again, or for fewer at a time.", "the kernel's %s change faster than they can be read", what);
	else
		fail_errno(rq, FAIL_IO, err, "the kernel's %s can't be read", what);
}

const char *net_family_name(uint8_t family)
{
	return family == AF_INET ? "inet" : "inet6";
}

const char *net_ip_text(uint8_t family, const uint8_t *addr, struct arena *a)
{
	char *text = arena_alloc(a, INET6_ADDRSTRLEN);

	return inet_ntop(family, addr, text, INET6_ADDRSTRLEN);
}

void rpc_net_status(struct request *rq, const struct rpc_net_status_params *p)
{
	struct net_view v;
	struct utsname host;

	(void)p;
	if (!net_read_view(rq, &v))
		return;
	if (uname(&host) != 0)
		host.nodename[0] = '\0';
	reply_net_status(rq, &(struct rpc_net_status_result){
	                         .pid = getpid(),
	                         .uptime_secs = (int64_t)((now_ns() - started_ns) / UINT64_C(1000000000)),
	                         .version = POSTERN_VERSION,
	                         .mode = "native",
	                         .backend = helper_client_ready() ? "helper" : "unavailable",
	                         .hostname = host.nodename,
	                         .ips = net_view_global(&v, rq->arena),
	                     });
}

void rpc_net_bridge(struct request *rq, const struct rpc_net_bridge_params *p)
{
	struct net_view v;
	struct list_bridge l = {0};

	if (!net_read_view(rq, &v))
		return;
	l.v = arena_alloc(rq->arena, (v.links.n + 1) * sizeof(*l.v));
	for (size_t i = 0; i < v.links.n; i++) {
		const struct rtnl_link *k = &v.links.v[i];
		if (strcmp(k->kind, "bridge") == 0 && (!p->has_name || strcmp(k->name, p->name) == 0))
			net_view_bridge(&v, k, rq->arena, &l.v[l.n++]);
	}
	if (p->has_name && l.n == 0)
		fail(rq, FAIL_NOT_FOUND, "there is no bridge %s", p->name);
	else
		reply_net_bridge(rq, &(struct rpc_net_bridge_result){.bridges = l});
}
