// See live.h.  Open addressing with linear probing, at most half full; what is compared first is the hash's place, then the key itself.
#include "unpriv/posternd/live.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/owned.h"

// FNV-1a
static uint32_t hash_of(const void *key, size_t n)
{
	const unsigned char *p = key;
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619U;
	return h;
}

static uint32_t name_hash(const char *name)
{
	return hash_of(name, strlen(name));
}

static uint32_t addr_hash(int index, const struct wire_addr *a)
{
	return hash_of(a->addr, sizeof(a->addr)) ^ (uint32_t)index * 2654435761U;
}

static uint32_t link_hash(const void *e)
{
	return name_hash(((const struct live_link *)e)->name);
}

static uint32_t index_hash(const void *e)
{
	return *(const uint32_t *)e * 2654435761U;
}

static uint32_t element_hash(const void *e)
{
	const struct live_addr *a = e;

	return addr_hash(a->index, &a->addr);
}

typedef uint32_t hash_fn(const void *element);

static void place(struct live_table *t, uint32_t number, uint32_t hash)
{
	size_t s = hash & (t->n_slots - 1);

	while (t->slots[s] != 0)
		s = (s + 1) & (t->n_slots - 1);
	t->slots[s] = number;
}

// A copy of e, with its number in the table.
static void append(struct live_table *t, size_t size, const void *e, hash_fn *hash)
{
	if (t->n == t->room) {
		t->room = t->room != 0 ? 2 * t->room : 64;
		t->v = xrealloc(t->v, t->room * size);
		free(t->slots);
		t->n_slots = 2 * t->room;
		t->slots = xcalloc(t->n_slots, sizeof(*t->slots));
		for (size_t i = 0; i < t->n; i++)
			place(t, (uint32_t)i + 1, hash(t->v + i * size));
	}
	memcpy(t->v + t->n * size, e, size);
	place(t, (uint32_t)++t->n, hash(e));
}

// Walks the elements that a hash may mean; *s begins as the hash.  NULL at the end.
static const void *next(const struct live_table *t, size_t size, size_t *s)
{
	uint32_t number = t->n_slots != 0 ? t->slots[*s & (t->n_slots - 1)] : 0;

	(*s)++;
	return number != 0 ? t->v + (number - 1) * size : NULL;
}

static enum live_kind kind_of(const char *kind)
{
	if (strcmp(kind, "bridge") == 0)
		return LIVE_BRIDGE;
	if (strcmp(kind, "tun") == 0)
		return LIVE_TAP;
	return strcmp(kind, "veth") == 0 ? LIVE_VETH : LIVE_OTHER;
}

// The index table holds pairs: an index, and where its link stands.
struct by_index {
	uint32_t index, at;
};

void live_add_link(struct live *l, const struct rtnl_link *link)
{
	struct by_index where = {.index = (uint32_t)link->index, .at = (uint32_t)l->by_name.n};
	struct live_link e = {
	    .index = link->index,
	    .master = link->master,
	    .mtu = link->mtu,
	    .owner = link->owner,
	    .has_owner = link->has_owner,
	    .kind = kind_of(link->kind),
	    .ours = owned_marked(link->alias),
	    .stray = owned_stray(link->kind, link->alias, link->name),
	    .up = (link->flags & IFF_UP) != 0,
	    .stp = link->stp,
	    .vlan_filtering = link->vlan_filtering,
	};

	COPY_TEXT(e.name, link->name);
	memcpy(e.mac, link->mac, sizeof(e.mac));
	append(&l->by_name, sizeof(e), &e, link_hash);
	append(&l->by_index, sizeof(where), &where, index_hash);
}

void live_add_addr(struct live *l, const struct rtnl_addr *addr)
{
	struct live_addr e = {
	    .index = addr->index, .addr = {.family = addr->family == AF_INET ? 4 : 6, .prefix = addr->prefix}, .ours = addr->proto == OUR_PROTOCOL};

	memcpy(e.addr.addr, addr->addr, sizeof(e.addr.addr));
	append(&l->addrs, sizeof(e), &e, element_hash);
}

static struct wire_addr host(uint8_t family, const uint8_t *addr)
{
	struct wire_addr w = {.family = family == AF_INET ? 4 : 6, .prefix = family == AF_INET ? 32 : 128};

	memcpy(w.addr, addr, sizeof(w.addr));
	return w;
}

static uint32_t route_hash(const void *e)
{
	return name_hash(((const struct live_route *)e)->id);
}

void live_add_route(struct live *l, const struct rtnl_route *route)
{
	struct live_route e = {
	    .index = route->hop.index,
	    .has_gateway = route->hop.gateway_family != 0,
	    .has_source = route->has_prefsrc,
	    .gateway = host(route->hop.gateway_family, route->hop.gateway),
	    .source = host(route->family, route->prefsrc),
	};

	route_id(route, e.id);
	append(&l->routes, sizeof(e), &e, route_hash);
}

const struct live_link *live_link(const struct live *l, const char *name)
{
	const struct live_link *e;
	size_t s = name_hash(name);

	while ((e = next(&l->by_name, sizeof(*e), &s)) != NULL)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

const struct live_link *live_index(const struct live *l, int index)
{
	const struct by_index *e;
	uint32_t key = (uint32_t)index;
	size_t s = index_hash(&key);

	while ((e = next(&l->by_index, sizeof(*e), &s)) != NULL)
		if (e->index == key)
			return live_link_at(l, e->at);
	return NULL;
}

const struct live_addr *live_addr(const struct live *l, int index, const struct wire_addr *addr)
{
	const struct live_addr *e;
	size_t s = addr_hash(index, addr);

	while ((e = next(&l->addrs, sizeof(*e), &s)) != NULL)
		if (e->index == index && e->addr.family == addr->family && e->addr.prefix == addr->prefix &&
		    memcmp(e->addr.addr, addr->addr, sizeof(addr->addr)) == 0)
			return e;
	return NULL;
}

const struct live_route *live_route(const struct live *l, const char *id)
{
	const struct live_route *e;
	size_t s = name_hash(id);

	while ((e = next(&l->routes, sizeof(*e), &s)) != NULL)
		if (strcmp(e->id, id) == 0)
			return e;
	return NULL;
}

const struct live_link *live_link_at(const struct live *l, size_t i)
{
	return (const struct live_link *)(const void *)l->by_name.v + i;
}

const struct live_addr *live_addr_at(const struct live *l, size_t i)
{
	return (const struct live_addr *)(const void *)l->addrs.v + i;
}

const struct live_route *live_route_at(const struct live *l, size_t i)
{
	return (const struct live_route *)(const void *)l->routes.v + i;
}

const struct live_link *live_count_port(struct live *l, const struct live_link *port)
{
	const struct live_link *master = port->master != 0 ? live_index(l, port->master) : NULL;

	if (master != NULL)
		((struct live_link *)(void *)l->by_name.v)[master - live_link_at(l, 0)].ports++;
	return master;
}

void live_forget_ports(struct live *l)
{
	struct live_link *v = (struct live_link *)(void *)l->by_name.v;

	for (size_t i = 0; i < l->by_name.n; i++)
		v[i].ports = 0;
}

static void clear(struct live_table *t)
{
	t->n = 0;
	if (t->slots != NULL)
		memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
}

void live_clear(struct live *l)
{
	clear(&l->by_name);
	clear(&l->addrs);
	clear(&l->routes);
	clear(&l->by_index);
}

static void finish(struct live_table *t)
{
	free(t->v);
	free(t->slots);
	*t = (struct live_table){0};
}

void live_finish(struct live *l)
{
	finish(&l->by_name);
	finish(&l->addrs);
	finish(&l->routes);
	finish(&l->by_index);
}
