// net.vlan: one dump of the links, one of the bridges' VLANs, ranges as the kernel makes them.
#include <linux/if_bridge.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/rpc_net.h"

struct vlan_view {
	struct rtnl_links links;
	struct rtnl_vlans vlans; // sorted
};

static int by_link(const void *a, const void *b)
{
	const struct rtnl_vlan *x = a, *y = b;

	if (x->index != y->index)
		return x->index > y->index ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

static int read_view(struct vlan_view *v, struct arena *a)
{
	int err = rtnl_read_links(&(struct rtnl_filter){.brief = true}, a, &v->links);

	if (err == 0)
		err = rtnl_read_vlans(a, &v->vlans);
	if (err == 0 && v->vlans.n > 0)
		qsort(v->vlans.v, v->vlans.n, sizeof(*v->vlans.v), by_link);
	return err;
}

// Where a link's VLANs begin.
static size_t first_of(const struct rtnl_vlans *l, int index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->v[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct list_port_vlan vlans_of(const struct rtnl_vlans *all, int index, struct arena *a)
{
	struct list_port_vlan l = {0};
	size_t first = first_of(all, index), end = first;

	while (end < all->n && all->v[end].index == index)
		end++;
	l.v = arena_alloc(a, (end - first + 1) * sizeof(*l.v));
	for (size_t i = first; i < end; i++) {
		const struct rtnl_vlan *v = &all->v[i];
		l.v[l.n++] = (struct obj_port_vlan){
		    .vid = v->first,
		    .has_last = v->last != v->first,
		    .last = v->last,
		    .pvid = (v->flags & BRIDGE_VLAN_INFO_PVID) != 0,
		    .untagged = (v->flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0,
		};
	}
	return l;
}

static bool is_port_of(const struct rtnl_link *p, const struct rtnl_link *bridge)
{
	return p->master == bridge->index && strcmp(p->slave_kind, "bridge") == 0;
}

static struct list_vlan_port ports_of(const struct vlan_view *v, const struct rtnl_link *bridge, struct arena *a)
{
	struct list_vlan_port l = {0};
	size_t n = 0;

	for (size_t i = 0; i < v->links.n; i++)
		n += is_port_of(&v->links.v[i], bridge);
	l.v = arena_alloc(a, (n + 1) * sizeof(*l.v));
	for (size_t i = 0; i < v->links.n; i++) {
		const struct rtnl_link *p = &v->links.v[i];
		if (is_port_of(p, bridge))
			l.v[l.n++] = (struct obj_vlan_port){.name = p->name, .vlans = vlans_of(&v->vlans, p->index, a)};
	}
	return l;
}

void rpc_net_vlan(struct request *rq, const struct rpc_net_vlan_params *p)
{
	struct arena *a = rq->arena;
	struct list_vlan_bridge l = {0};
	struct vlan_view v;
	int err = read_view(&v, a);

	(void)p;
	if (err != 0) {
		fail_errno(rq, FAIL_IO, err, "the kernel's bridges can't be read");
		return;
	}
	l.v = arena_alloc(a, (v.links.n + 1) * sizeof(*l.v));
	for (size_t i = 0; i < v.links.n; i++) {
		const struct rtnl_link *k = &v.links.v[i];
		if (strcmp(k->kind, "bridge") == 0)
			l.v[l.n++] = (struct obj_vlan_bridge){
			    .name = k->name,
			    .vlan_filtering = k->vlan_filtering,
			    .default_pvid = k->default_pvid,
			    .vlans = vlans_of(&v.vlans, k->index, a),
			    .ports = ports_of(&v, k, a),
			};
	}
	reply_net_vlan(rq, &(struct rpc_net_vlan_result){.bridges = l});
}
