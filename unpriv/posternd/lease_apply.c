// Makes the host as a port's leases say: rows first, then operations, each harmless where it is so already.
//
// The list is made from what is held now and what was applied before; what happens meanwhile is applied after.  A failure is logged and the next
// operation tried: an address that another program gave stays that program's.
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/lease_port.h"
#include "unpriv/posternd/task.h"

#define ITEMS_MAX 80
#define METRIC    1024 // of routes: what other DHCP clients use

struct item {
	enum op_id op;
	union op_args args;
};

struct apply {
	struct task t;
	struct lease_port *p;
	struct item v[ITEMS_MAX];
	size_t n;
};

static union op_args *add(struct apply *a, enum op_id op)
{
	if (a->n == ITEMS_MAX)
		a->n--; // can't be: the lists of a lease are shorter
	a->v[a->n].op = op;
	memset(&a->v[a->n].args, 0, sizeof(a->v[a->n].args));
	return &a->v[a->n++].args;
}

static struct wire_addr addr4(uint32_t address, uint8_t prefix)
{
	return (struct wire_addr){
	    .family = 4, .prefix = prefix, .addr = {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8), (uint8_t)address}};
}

static struct wire_addr addr6(const struct dhcp6_block *b)
{
	struct wire_addr w = {.family = 6, .prefix = 128};

	memcpy(w.addr, b->addr, sizeof(w.addr));
	return w;
}

// What is left of a time that was given at obtained_ms.
static uint32_t left_of(uint32_t secs, uint64_t obtained_ms)
{
	uint64_t gone = (lease_now() - obtained_ms) / 1000;

	return secs == UINT32_MAX ? secs : gone < secs ? (uint32_t)(secs - gone) : 0;
}

static void add_address(struct apply *a, struct wire_addr address, uint32_t valid, uint32_t preferred)
{
	if (valid == 0)
		return;
	struct op_lease_apply_args *x = &add(a, OP_lease_apply)->lease_apply;

	COPY_TEXT(x->device, a->p->name);
	x->address = address;
	x->valid_secs = valid;
	x->preferred_secs = preferred < valid ? preferred : valid;
}

static void add_drop(struct apply *a, struct wire_addr address)
{
	struct op_lease_drop_args *x = &add(a, OP_lease_drop)->lease_drop;

	COPY_TEXT(x->device, a->p->name);
	x->address = address;
}

// The routes of a lease: the classless ones, or else the way by its router (RFC 3442).
static unsigned routes_of(const struct dhcp4_lease *l, struct dhcp4_route out[DHCP4_ROUTES])
{
	if (l->n_routes == 0 && l->n_routers > 0)
		out[0] = (struct dhcp4_route){.gateway = l->routers[0]};
	else
		memcpy(out, l->routes, sizeof(l->routes));
	return l->n_routes > 0 ? l->n_routes : l->n_routers > 0;
}

static bool has_route(const struct dhcp4_route *v, unsigned n, const struct dhcp4_route *r)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].destination == r->destination && v[i].prefix == r->prefix && v[i].gateway == r->gateway)
			return true;
	return false;
}

static void add_route(struct apply *a, const struct dhcp4_lease *l, const struct dhcp4_route *r, bool remove)
{
	struct op_lease_route_args *x = &add(a, OP_lease_route)->lease_route;

	COPY_TEXT(x->device, a->p->name);
	x->source = addr4(l->address, l->prefix);
	x->destination = addr4(r->destination, r->prefix);
	x->has_gateway = r->gateway != 0;
	if (x->has_gateway)
		x->gateway = addr4(r->gateway, 32);
	x->metric = METRIC;
	x->has_remove = x->remove = remove;
}

static void plan4(struct apply *a)
{
	const struct lease_port *p = a->p;
	const struct dhcp4_lease *now = &p->v4.lease, *was = &p->applied4;
	bool same = p->has_applied4 && p->v4.have && was->address == now->address && was->prefix == now->prefix;
	struct dhcp4_route routes[DHCP4_ROUTES], old[DHCP4_ROUTES];
	unsigned n = p->v4.have ? routes_of(now, routes) : 0, n_old = same ? routes_of(was, old) : 0;
	uint32_t left = p->v4.have ? left_of(now->secs, p->v4.obtained_ms) : 0;

	if (p->has_applied4 && !same)
		add_drop(a, addr4(was->address, was->prefix)); // its routes go with it
	if (!p->v4.have)
		return;
	add_address(a, addr4(now->address, now->prefix), left, left);
	for (unsigned i = 0; i < n_old; i++)
		if (!has_route(routes, n, &old[i]))
			add_route(a, now, &old[i], true);
	// Those on the link first: others may lead through them.
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < n; i++)
			if ((routes[i].gateway == 0) == (pass == 0))
				add_route(a, now, &routes[i], false);
}

static bool has_block(const struct dhcp6_lease *l, const struct dhcp6_block *b)
{
	for (unsigned i = 0; i < l->n_addresses; i++)
		if (memcmp(l->addresses[i].addr, b->addr, sizeof(b->addr)) == 0)
			return true;
	return false;
}

static void plan6(struct apply *a)
{
	const struct lease_port *p = a->p;

	for (unsigned i = 0; p->has_applied6 && i < p->applied6.n_addresses; i++)
		if (!p->v6.have || !has_block(&p->v6.lease, &p->applied6.addresses[i]))
			add_drop(a, addr6(&p->applied6.addresses[i]));
	for (unsigned i = 0; p->v6.have && i < p->v6.lease.n_addresses; i++) {
		const struct dhcp6_block *b = &p->v6.lease.addresses[i];
		add_address(a, addr6(b), left_of(b->valid, p->v6.obtained_ms), left_of(b->preferred, p->v6.obtained_ms));
	}
}

static void finish(struct task *t)
{
	struct lease_port *p = ((struct apply *)t)->p;

	task_done(t, true);
	p->applying = false;
	lease_applied(p);
	lease_settle(p);
}

static void apply_step(struct task *t)
{
	struct apply *a = (struct apply *)t;
	size_t at = (size_t)t->step++;

	// An operation whose helper died is asked of the next one.
	if (at > 0 && t->reply != NULL && task_repeat(t))
		at--;
	else if (at > 0 && t->reply != NULL && !priv_ok(t->reply))
		log_warn("a lease is not applied", "interface=%s op=%s why=%s", a->p->name, op_rows[a->v[at - 1].op].name, priv_error(t->reply));
	t->reply = NULL;
	if (at < a->n)
		task_priv(t, a->v[at].op, &a->v[at].args, NULL);
	else
		finish(t);
}

// Step 0 is the commit's; a store that fails doesn't keep the host from its address.
static void committed(struct task *t)
{
	t->run = apply_step;
	apply_step(t);
}

void lease_apply(struct lease_port *p)
{
	struct apply *a = task_new(sizeof(*a), "lease", NULL, committed);
	struct change *c = change_new();

	a->p = p;
	plan4(a);
	plan6(a);
	p->has_applied4 = p->v4.have;
	p->applied4 = p->v4.lease;
	p->has_applied6 = p->v6.have;
	p->applied6 = p->v6.lease;
	lease_keep(p, c);
	task_commit(&a->t, c);
}
