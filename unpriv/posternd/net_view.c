#include "unpriv/posternd/net_view.h"

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"

static const struct bit_name link_flags[] = {
    {IFF_UP, "up"},         {IFF_BROADCAST, "broadcast"}, {IFF_LOOPBACK, "loopback"}, {IFF_POINTOPOINT, "pointopoint"},
    {IFF_NOARP, "noarp"},   {IFF_PROMISC, "promisc"},     {IFF_ALLMULTI, "allmulti"}, {IFF_MASTER, "master"},
    {IFF_SLAVE, "slave"},   {IFF_MULTICAST, "multicast"}, {IFF_DYNAMIC, "dynamic"},   {IFF_RUNNING, "running"},
    {1u << 16, "lower_up"}, // IFF_LOWER_UP; linux/if.h can't be included beside net/if.h
    {1u << 17, "dormant"},
};

static const struct bit_name addr_flags[] = {
    {IFA_F_PERMANENT, "permanent"},   {IFA_F_TENTATIVE, "tentative"},   {IFA_F_DEPRECATED, "deprecated"},
    {IFA_F_SECONDARY, "secondary"},   {IFA_F_DADFAILED, "dadfailed"},   {IFA_F_NODAD, "nodad"},
    {IFA_F_MANAGETEMPADDR, "mngtmp"}, {IFA_F_OPTIMISTIC, "optimistic"}, {IFA_F_NOPREFIXROUTE, "noprefixroute"},
};

struct list_str net_view_bits(const struct bit_name *t, size_t n, uint32_t bits, struct arena *a)
{
	struct list_str l = {.v = arena_alloc(a, n * sizeof(*l.v))};

	for (size_t i = 0; i < n; i++)
		if ((bits & t[i].bit) != 0)
			l.v[l.n++] = t[i].name;
	return l;
}

int net_view_read(struct net_view *v, struct arena *a)
{
	int err = rtnl_read_links(&(struct rtnl_filter){0}, a, &v->links);

	return err != 0 ? err : rtnl_read_addrs(&(struct rtnl_filter){0}, a, &v->addrs);
}

const struct rtnl_link *net_view_link(const struct net_view *v, const char *name)
{
	for (size_t i = 0; i < v->links.n; i++)
		if (strcmp(v->links.v[i].name, name) == 0)
			return &v->links.v[i];
	return NULL;
}

const struct rtnl_link *net_view_index(const struct net_view *v, int index)
{
	for (size_t i = 0; i < v->links.n; i++)
		if (v->links.v[i].index == index)
			return &v->links.v[i];
	return NULL;
}

const char *link_name(struct link_names *m, int index, struct arena *a)
{
	struct rtnl_links one;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].index == index)
			return m->v[i].name;
	if (m->n == m->room) {
		struct link_name *more = arena_alloc(a, (2 * m->room + 8) * sizeof(*more));
		if (m->n > 0)
			memcpy(more, m->v, m->n * sizeof(*more));
		m->v = more;
		m->room = 2 * m->room + 8;
	}
	m->v[m->n] = (struct link_name){.index = index};
	if (rtnl_read_links(&(struct rtnl_filter){.index = index}, a, &one) == 0 && one.n == 1)
		m->v[m->n].name = one.v[0].name;
	return m->v[m->n++].name;
}

static struct wire_addr wire_of(const struct rtnl_addr *r)
{
	struct wire_addr w = {.family = r->family == AF_INET ? 4 : 6, .prefix = r->prefix};

	memcpy(w.addr, r->addr, sizeof(w.addr));
	return w;
}

static const char *scope_name(uint8_t scope)
{
	switch (scope) {
	case RT_SCOPE_HOST: return "host";
	case RT_SCOPE_LINK: return "link";
	case RT_SCOPE_SITE: return "site";
	default: return "global";
	}
}

static const char *host_text(const struct rtnl_addr *r, struct arena *a)
{
	struct wire_addr w = wire_of(r);
	char *text = arena_alloc(a, CIDR_TEXT);

	addr_text(&w, false, text);
	return text;
}

// The place of a link's first address.
static size_t first_of(const struct rtnl_addrs *addrs, int index)
{
	size_t low = 0, high = addrs->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (addrs->v[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct list_address addresses(const struct net_view *v, int index, struct arena *a)
{
	size_t first = first_of(&v->addrs, index), end = first;

	while (end < v->addrs.n && v->addrs.v[end].index == index)
		end++;
	struct list_address l = {.v = arena_alloc(a, (end - first + 1) * sizeof(*l.v))};
	for (size_t i = first; i < end; i++) {
		const struct rtnl_addr *r = &v->addrs.v[i];
		l.v[l.n++] = (struct obj_address){
		    .family = r->family == AF_INET ? "inet" : "inet6",
		    .address = host_text(r, a),
		    .prefix = r->prefix,
		    .scope = scope_name(r->scope),
		    .flags = NET_VIEW_BITS(addr_flags, r->flags, a),
		};
	}
	return l;
}

static const char *kind_of(const struct rtnl_link *l)
{
	if (l->kind[0] != '\0')
		return l->kind;
	return l->type == ARPHRD_LOOPBACK ? "loopback" : "physical";
}

static const char *operstate_name(uint8_t s)
{
	static const char *const names[] = {"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}; // RFC 2863

	return s < sizeof(names) / sizeof(*names) ? names[s] : "unknown";
}

static const char *mac_of(const struct rtnl_link *l, struct arena *a)
{
	char *text = arena_alloc(a, MAC_TEXT);

	mac_text(l->mac, text);
	return text;
}

static struct obj_link_stats stats_of(const struct rtnl_link_stats64 *s)
{
	return (struct obj_link_stats){
	    .rx_bytes = (int64_t)s->rx_bytes,
	    .tx_bytes = (int64_t)s->tx_bytes,
	    .rx_packets = (int64_t)s->rx_packets,
	    .tx_packets = (int64_t)s->tx_packets,
	    .rx_errors = (int64_t)s->rx_errors,
	    .tx_errors = (int64_t)s->tx_errors,
	    .rx_dropped = (int64_t)s->rx_dropped,
	    .tx_dropped = (int64_t)s->tx_dropped,
	};
}

void net_view_interface(const struct net_view *v, const struct rtnl_link *l, const char *master, struct arena *a, struct obj_interface *out)
{
	*out = (struct obj_interface){
	    .name = l->name,
	    .index = l->index,
	    .kind = kind_of(l),
	    .has_mac = l->has_mac,
	    .mac = l->has_mac ? mac_of(l, a) : NULL,
	    .mtu = l->mtu,
	    .flags = NET_VIEW_BITS(link_flags, l->flags, a),
	    .operstate = operstate_name(l->operstate),
	    .carrier = l->carrier,
	    .has_master = master != NULL,
	    .master = master,
	    .has_bridge = master != NULL && strcmp(l->slave_kind, "bridge") == 0,
	    .bridge = master,
	    .addresses = addresses(v, l->index, a),
	    .stats = stats_of(&l->stats),
	};
}

static const char *port_state_name(uint8_t s)
{
	switch (s) {
	case BR_STATE_LISTENING: return "listening";
	case BR_STATE_LEARNING: return "learning";
	case BR_STATE_FORWARDING: return "forwarding";
	case BR_STATE_BLOCKING: return "blocking";
	default: return "disabled";
	}
}

static struct list_bridge_port ports(const struct net_view *v, int index, struct arena *a)
{
	struct list_bridge_port l = {0};

	for (size_t i = 0; i < v->links.n; i++)
		l.n += v->links.v[i].master == index;
	l.v = arena_alloc(a, (l.n + 1) * sizeof(*l.v));
	l.n = 0;
	for (size_t i = 0; i < v->links.n; i++) {
		const struct rtnl_link *p = &v->links.v[i];
		if (p->master == index)
			l.v[l.n++] = (struct obj_bridge_port){.name = p->name, .state = port_state_name(p->port_state), .kind = kind_of(p)};
	}
	return l;
}

void net_view_bridge(const struct net_view *v, const struct rtnl_link *l, struct arena *a, struct obj_bridge *out)
{
	*out = (struct obj_bridge){
	    .name = l->name,
	    .mac = mac_of(l, a),
	    .mtu = l->mtu,
	    .up = (l->flags & IFF_UP) != 0,
	    .stp = l->stp,
	    .vlan_filtering = l->vlan_filtering,
	    .managed = cache_find_bridge(l->name) != NULL,
	    .addresses = addresses(v, l->index, a),
	    .ports = ports(v, l->index, a),
	};
}

struct list_ip net_view_global(const struct net_view *v, struct arena *a)
{
	struct list_ip l = {.v = arena_alloc(a, (v->addrs.n + 1) * sizeof(*l.v))};

	for (size_t i = 0; i < v->addrs.n; i++)
		if (v->addrs.v[i].scope == RT_SCOPE_UNIVERSE)
			l.v[l.n++] = host_text(&v->addrs.v[i], a);
	return l;
}

bool net_view_network(const struct net_view *v, const char *name, struct wire_addr *out)
{
	const struct rtnl_link *l = net_view_link(v, name);
	const struct rtnl_addr *best = NULL;

	for (size_t i = 0; l != NULL && i < v->addrs.n; i++) {
		const struct rtnl_addr *r = &v->addrs.v[i];
		if (r->index == l->index && r->scope == RT_SCOPE_UNIVERSE && (best == NULL || (best->family == AF_INET6 && r->family == AF_INET)))
			best = r;
	}
	if (best == NULL)
		return false;
	*out = wire_of(best);
	addr_network(out);
	return true;
}
