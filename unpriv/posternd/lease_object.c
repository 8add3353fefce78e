// See lease_object.h.
#include "unpriv/posternd/lease_object.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <string.h>

static const char *text4(uint32_t a, struct arena *arena)
{
	return arena_printf(arena, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static const char *text6(const uint8_t addr[16], struct arena *a)
{
	char text[INET6_ADDRSTRLEN];

	return arena_strdup(a, inet_ntop(AF_INET6, addr, text, sizeof(text)));
}

static const char *hex(const struct dhcp6_duid *d, struct arena *a)
{
	char *text = arena_alloc(a, 2u * d->n + 1);

	for (unsigned i = 0; i < d->n; i++) {
		text[2 * i] = "0123456789abcdef"[d->v[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[d->v[i] & 15];
	}
	text[2u * d->n] = '\0';
	return text;
}

static struct list_ip list4(const uint32_t *v, unsigned n, struct arena *a)
{
	struct list_ip l = {.n = n, .v = arena_alloc(a, (n + 1) * sizeof(*l.v))};

	for (unsigned i = 0; i < n; i++)
		l.v[i] = text4(v[i], a);
	return l;
}

static struct list_lease_route routes(const struct dhcp4_lease *l, struct arena *a)
{
	struct list_lease_route r = {.n = l->n_routes, .v = arena_zalloc(a, (l->n_routes + 1u) * sizeof(*r.v))};

	for (unsigned i = 0; i < l->n_routes; i++) {
		r.v[i].destination = arena_printf(a, "%s/%u", text4(l->routes[i].destination, a), l->routes[i].prefix);
		r.v[i].has_gateway = l->routes[i].gateway != 0;
		r.v[i].gateway = text4(l->routes[i].gateway, a);
	}
	return r;
}

// Of an address and what belongs to it; secs 0: nobody says.
static void fill4(struct obj_dhcp4_lease *o, const struct dhcp4_lease *l, int64_t obtained, struct arena *a)
{
	bool timed = l->secs != 0 && l->secs != DHCP4_FOREVER;

	o->has_address = true;
	o->address = text4(l->address, a);
	o->has_prefix = l->prefix > 0;
	o->prefix = l->prefix;
	o->has_gateway = l->n_routers > 0;
	o->gateway = text4(l->routers[0], a);
	o->routes = routes(l, a);
	o->dns = list4(l->dns, l->n_dns, a);
	o->has_domain = l->domain[0] != '\0';
	o->domain = arena_strdup(a, l->domain);
	o->has_server = l->server != 0;
	o->server = text4(l->server, a);
	o->has_lease_secs = timed;
	o->lease_secs = l->secs;
	o->has_t1 = timed && l->t1 != 0;
	o->t1 = l->t1;
	o->has_t2 = timed && l->t2 != 0;
	o->t2 = l->t2;
	o->has_obtained_unix = obtained != 0;
	o->obtained_unix = obtained;
	o->has_expires_unix = timed && obtained != 0;
	o->expires_unix = obtained + l->secs;
}

static void fill6(struct obj_dhcp6_lease *o, const struct dhcp6_lease *l, int64_t obtained, struct arena *a)
{
	bool timed = l->secs != 0 && l->secs != DHCP6_FOREVER;

	o->addresses = (struct list_dhcp6_address){.n = l->n_addresses, .v = arena_zalloc(a, (l->n_addresses + 1u) * sizeof(*o->addresses.v))};
	for (unsigned i = 0; i < l->n_addresses; i++) {
		const struct dhcp6_block *b = &l->addresses[i];
		o->addresses.v[i] = (struct obj_dhcp6_address){.address = text6(b->addr, a),
		                                               .has_valid_secs = b->valid != DHCP6_FOREVER,
		                                               .valid_secs = b->valid,
		                                               .has_preferred_secs = b->preferred != DHCP6_FOREVER,
		                                               .preferred_secs = b->preferred};
	}
	o->dns = (struct list_ip){.n = l->n_dns, .v = arena_alloc(a, (l->n_dns + 1u) * sizeof(*o->dns.v))};
	for (unsigned i = 0; i < l->n_dns; i++)
		o->dns.v[i] = text6(l->dns[i], a);
	o->has_domain = l->domain[0] != '\0';
	o->domain = arena_strdup(a, l->domain);
	o->has_server = l->server.n > 0;
	o->server = hex(&l->server, a);
	o->has_iaid = true;
	o->iaid = l->iaid;
	o->has_t1 = timed && l->t1 != 0;
	o->t1 = l->t1;
	o->has_t2 = timed && l->t2 != 0;
	o->t2 = l->t2;
	o->has_obtained_unix = obtained != 0;
	o->obtained_unix = obtained;
	o->has_expires_unix = timed && obtained != 0;
	o->expires_unix = obtained + l->secs;
}

static int state4(const struct lease_port *p)
{
	switch (p->v4.state) {
	case DHCP4_OFF: return lease_state_off;
	case DHCP4_BOUND: return lease_state_bound;
	case DHCP4_RENEWING: return lease_state_renewing;
	case DHCP4_REBINDING: return lease_state_rebinding;
	case DHCP4_REBOOTING: return lease_state_confirming;
	case DHCP4_WAIT:
	case DHCP4_SELECTING:
	case DHCP4_REQUESTING:
	case DHCP4_PROBING: return lease_state_searching;
	}
	return lease_state_off;
}

static int state6(const struct lease_port *p)
{
	switch (p->v6.state) {
	case DHCP6_OFF: return lease_state_off;
	case DHCP6_BOUND: return lease_state_bound;
	case DHCP6_RENEWING: return lease_state_renewing;
	case DHCP6_REBINDING: return lease_state_rebinding;
	case DHCP6_REBOOTING: return lease_state_confirming;
	case DHCP6_SOLICITING:
	case DHCP6_REQUESTING: return lease_state_searching;
	}
	return lease_state_off;
}

struct obj_dhcp4_lease lease_object_own4(const struct lease_port *p, struct arena *a)
{
	struct obj_dhcp4_lease o = {.interface = arena_strdup(a, p->name), .manager = lease_manager_postern, .state = state4(p)};

	if (p->v4.have)
		fill4(&o, &p->v4.lease, lease_at_unix_ms(p->v4.obtained_ms) / 1000, a);
	return o;
}

struct obj_dhcp6_lease lease_object_own6(const struct lease_port *p, struct arena *a)
{
	struct obj_dhcp6_lease o = {.interface = arena_strdup(a, p->name), .manager = lease_manager_postern, .state = state6(p)};

	if (p->v6.have)
		fill6(&o, &p->v6.lease, lease_at_unix_ms(p->v6.obtained_ms) / 1000, a);
	return o;
}

struct obj_delegated_prefix lease_object_prefix(const struct dhcp6_lease *l, const char *interface, int manager, int64_t obtained, struct arena *a)
{
	const struct dhcp6_block *b = &l->prefixes[0];

	return (struct obj_delegated_prefix){.prefix = text6(b->addr, a),
	                                     .length = b->length,
	                                     .interface = arena_strdup(a, interface),
	                                     .manager = manager,
	                                     .iaid = l->iaid,
	                                     .server = hex(&l->server, a),
	                                     .has_valid_secs = b->valid != DHCP6_FOREVER,
	                                     .valid_secs = b->valid,
	                                     .has_preferred_secs = b->preferred != DHCP6_FOREVER,
	                                     .preferred_secs = b->preferred,
	                                     .obtained_unix = obtained};
}

struct obj_dhcp4_lease lease_object_seen4(const struct lease_found *f, struct arena *a)
{
	struct obj_dhcp4_lease o = {
	    .interface = f->seen.interface, .manager = (int)f->manager, .has_source = true, .source = f->source, .state = lease_state_bound};

	fill4(&o, &f->seen.v4, f->seen.obtained_unix, a);
	return o;
}

struct obj_dhcp6_lease lease_object_seen6(const struct lease_found *f, struct arena *a)
{
	struct obj_dhcp6_lease o = {
	    .interface = f->seen.interface, .manager = (int)f->manager, .has_source = true, .source = f->source, .state = lease_state_bound};

	fill6(&o, &f->seen.v6, f->seen.obtained_unix, a);
	return o;
}

struct obj_slaac_address lease_object_slaac(const struct rtnl_addr *r, const char *interface, struct arena *a)
{
	return (struct obj_slaac_address){.interface = interface,
	                                  .address = text6(r->addr, a),
	                                  .prefix = r->prefix,
	                                  .temporary = (r->flags & IFA_F_TEMPORARY) != 0,
	                                  .has_valid_secs = r->valid != UINT32_MAX,
	                                  .valid_secs = r->valid,
	                                  .has_preferred_secs = r->preferred != UINT32_MAX,
	                                  .preferred_secs = r->preferred};
}
