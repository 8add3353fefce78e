// net.lease, net.prefix: what postern holds, what others hold, what the kernel made of router advertisements.
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/lease_object.h"
#include "unpriv/posternd/rpc_net.h"

struct answer {
	struct rpc_net_lease_result r;
	const char *only; // interface, or NULL
	struct arena *a;
};

static void add_interface(struct answer *x, const char *name)
{
	for (size_t i = 0; i < x->r.interfaces.n; i++)
		if (strcmp(x->r.interfaces.v[i], name) == 0)
			return;
	x->r.interfaces.v[x->r.interfaces.n++] = arena_strdup(x->a, name);
}

static bool asked_for(const struct answer *x, const char *interface)
{
	return x->only == NULL || strcmp(x->only, interface) == 0;
}

static void take_prefix(struct answer *x, const struct dhcp6_lease *l, const char *interface, int manager, int64_t obtained)
{
	if (x->r.has_prefix_delegation || l->n_prefixes == 0)
		return;
	x->r.has_prefix_delegation = true;
	x->r.prefix_delegation = lease_object_prefix(l, interface, manager, obtained, x->a);
}

// Postern's own come first; one that holds something before one that is still searching.
static void take_own(struct answer *x, const struct lease_port *p)
{
	add_interface(x, p->name);
	if (!asked_for(x, p->name))
		return;
	if (p->use4 && (!x->r.has_dhcp4 || (p->v4.have && !x->r.dhcp4.has_address))) {
		x->r.has_dhcp4 = true;
		x->r.dhcp4 = lease_object_own4(p, x->a);
	}
	if (p->use6 && (!x->r.has_dhcp6 || (p->v6.have && !x->r.dhcp6.has_server))) {
		x->r.has_dhcp6 = true;
		x->r.dhcp6 = lease_object_own6(p, x->a);
	}
	if (p->use6 && p->v6.have)
		take_prefix(x, &p->v6.lease, p->name, lease_manager_postern, lease_at_unix_ms(p->v6.obtained_ms) / 1000);
}

static void take_seen(struct answer *x, const struct lease_found *f)
{
	const struct lease_seen *l = &f->seen;

	add_interface(x, l->interface);
	if (!asked_for(x, l->interface))
		return;
	if (l->six && !x->r.has_dhcp6) {
		x->r.has_dhcp6 = true;
		x->r.dhcp6 = lease_object_seen6(f, x->a);
	}
	if (l->six)
		take_prefix(x, &l->v6, l->interface, (int)f->manager, l->obtained_unix);
	if (!l->six && !x->r.has_dhcp4) {
		x->r.has_dhcp4 = true;
		x->r.dhcp4 = lease_object_seen4(f, x->a);
	}
}

// Made by the kernel, or by a program that says so, from a router's advertisement.
static bool is_slaac(const struct rtnl_addr *r)
{
	return r->family == AF_INET6 && r->scope == 0 &&
	       (r->proto == IFAPROT_KERNEL_RA || (r->flags & (IFA_F_MANAGETEMPADDR | IFA_F_TEMPORARY)) != 0);
}

static void take_slaac(struct answer *x, const struct net_view *view)
{
	x->r.slaac.v = arena_zalloc(x->a, (view->addrs.n + 1) * sizeof(*x->r.slaac.v));
	for (size_t i = 0; i < view->addrs.n; i++) {
		const struct rtnl_addr *r = &view->addrs.v[i];
		const struct rtnl_link *l = net_view_index(view, r->index);

		if (!is_slaac(r) || l == NULL || !asked_for(x, l->name))
			continue;
		x->r.slaac.v[x->r.slaac.n++] = lease_object_slaac(r, l->name, x->a);
	}
}

// Everything that is known; 0 or an errno.
static int collect(struct request *rq, const char *only, struct answer *x)
{
	struct net_view *view = arena_zalloc(rq->arena, sizeof(*view));
	struct lease_list others;
	size_t n;
	int err = net_view_read(view, rq->arena);
	const struct lease_port *p = lease_ports(&n);

	memset(x, 0, sizeof(*x));
	x->only = only;
	x->a = rq->arena;
	if (err != 0)
		return err;
	lease_seen_read(view, rq->arena, &others);
	x->r.interfaces.v = arena_alloc(rq->arena, (n + others.n + 1) * sizeof(*x->r.interfaces.v));
	for (size_t i = 0; i < n; i++)
		take_own(x, &p[i]);
	for (size_t i = 0; i < others.n; i++)
		take_seen(x, &others.v[i]);
	take_slaac(x, view);
	x->r.unreadable = others.unreadable;
	return 0;
}

void rpc_net_lease(struct request *rq, const struct rpc_net_lease_params *p)
{
	struct answer x;
	int err = collect(rq, p->has_interface ? p->interface : NULL, &x);

	if (err != 0)
		fail_errno(rq, FAIL_IO, err, "addresses can't be read");
	else
		reply_net_lease(rq, &x.r);
}

void rpc_net_prefix(struct request *rq, const struct rpc_net_prefix_params *p)
{
	struct answer x;
	int err = collect(rq, p->has_interface ? p->interface : NULL, &x);
	const struct obj_delegated_prefix *d = &x.r.prefix_delegation;

	if (err != 0) {
		fail_errno(rq, FAIL_IO, err, "addresses can't be read");
	} else if (!x.r.has_prefix_delegation) {
		fail_hint(rq, FAIL_NOT_FOUND, "Set prefix_delegation in [lease] of postern.toml, or let another DHCPv6 client ask for one.",
		          "no prefix is delegated to this host%s%s", p->has_interface ? " by " : "", p->has_interface ? p->interface : "");
	} else {
		reply_net_prefix(rq, &(struct rpc_net_prefix_result){
		                         .prefix = d->prefix,
		                         .length = d->length,
		                         .iaid = d->iaid,
		                         .server = d->server,
		                         .has_valid_secs = d->has_valid_secs,
		                         .valid_secs = d->valid_secs,
		                         .has_preferred_secs = d->has_preferred_secs,
		                         .preferred_secs = d->preferred_secs,
		                         .obtained_unix = d->obtained_unix,
		                         .interface = d->interface,
		                         .manager = d->manager,
		                     });
	}
}
