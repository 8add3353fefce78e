// Links and addresses of a snapshot: see revert.h.  Delete, make, then settings twice, for a bridge's MTU and MAC address follow its ports.
#include <string.h>

#include "helper/net/revert.h"

static void put_name(char out[16], const char *name)
{
	memcpy(out, name, strnlen(name, 15));
}

// ---- links that came -----------------------------------------------------------------------------------------------------------------------

// Properties that only a new link can have.
static bool same_being(const struct snap_link *a, const struct snap_link *b)
{
	return a->kind == b->kind && a->stp == b->stp && a->vlan_filtering == b->vlan_filtering && a->vnet_hdr == b->vnet_hdr &&
	       a->multi_queue == b->multi_queue && strcmp(a->peer, b->peer) == 0;
}

static bool of_a_vm(const struct snap_link *l)
{
	return l->kind == SNAP_TAP && l->purpose[0] != '\0';
}

static bool must_go(const struct snapshot *want, const struct snap_link *have)
{
	const struct snap_link *w = snapshot_link(want, have->name);

	return !of_a_vm(have) && (w == NULL || !same_being(w, have));
}

static void delete_some(struct revert *r, union op_args *a)
{
	if (a->links_del.names.n > 0)
		revert_do(r, OP_links_del, a, a->links_del.names.v[0]);
	memset(a, 0, sizeof(*a));
}

static void delete_links(struct revert *r, const struct snapshot *want, const struct snapshot *have)
{
	static union op_args a;

	memset(&a, 0, sizeof(a));
	for (uint32_t i = 0; i < have->nlinks; i++) {
		if (!must_go(want, &have->links[i]))
			continue;
		put_name(a.links_del.names.v[a.links_del.names.n++], have->links[i].name);
		if (a.links_del.names.n == WIRE_IFNAMES_MAX)
			delete_some(r, &a);
	}
	delete_some(r, &a);
}

// ---- links that went -----------------------------------------------------------------------------------------------------------------------

static void make_link(struct revert *r, const struct snap_link *l)
{
	static union op_args a;

	memset(&a, 0, sizeof(a));
	put_name(a.link_add.name, l->name);
	a.link_add.kind = l->kind == SNAP_BRIDGE ? LINK_BRIDGE : LINK_VETH;
	a.link_add.has_mac = true;
	memcpy(a.link_add.mac, l->mac, sizeof(l->mac));
	if (l->kind == SNAP_BRIDGE) {
		a.link_add.has_stp = a.link_add.stp = l->stp;
		a.link_add.has_vlan_filtering = a.link_add.vlan_filtering = l->vlan_filtering; // a kernel without it refuses even `false`
	} else {
		a.link_add.has_peer = true;
		put_name(a.link_add.peer, l->peer);
	}
	revert_do(r, OP_link_add, &a, l->name);
}

// Who may attach is the owner; a tap that nobody owned is the daemon's.
static void make_tap(struct revert *r, const struct snap_link *l)
{
	static union op_args a;

	memset(&a, 0, sizeof(a));
	put_name(a.tap_create.name, l->name);
	a.tap_create.has_owner_uid = l->owner != 0 && l->owner != UINT32_MAX;
	a.tap_create.owner_uid = a.tap_create.has_owner_uid ? l->owner : 0;
	a.tap_create.has_mac = true;
	memcpy(a.tap_create.mac, l->mac, sizeof(l->mac));
	a.tap_create.has_vnet_hdr = a.tap_create.vnet_hdr = l->vnet_hdr;
	a.tap_create.has_multi_queue = a.tap_create.multi_queue = l->multi_queue;
	revert_do(r, OP_tap_create, &a, l->name);
}

static void make_links(struct revert *r, const struct snapshot *want, const struct snapshot *have)
{
	for (uint32_t i = 0; i < want->nlinks; i++) {
		const struct snap_link *l = &want->links[i], *h = snapshot_link(have, l->name);

		if (of_a_vm(l) || (h != NULL && !must_go(want, h)))
			continue;
		if (l->kind == SNAP_TAP)
			make_tap(r, l);
		else if (l->kind == SNAP_BRIDGE || strcmp(l->name, l->peer) < 0) // a pair once, by its first name
			make_link(r, l);
	}
}

// ---- settings ------------------------------------------------------------------------------------------------------------------------------

// What differs, as the arguments of one link_set; false: nothing.
static bool differs(const struct snap_link *want, const struct snap_link *have, struct op_link_set_args *a)
{
	memset(a, 0, sizeof(*a));
	put_name(a->name, want->name);
	a->has_up = want->up != have->up;
	a->up = a->has_up && want->up;
	a->has_mtu = want->mtu != have->mtu;
	a->mtu = a->has_mtu ? want->mtu : 0;
	a->has_mac = memcmp(want->mac, have->mac, sizeof(want->mac)) != 0;
	if (a->has_mac)
		memcpy(a->mac, want->mac, sizeof(want->mac));
	if (strcmp(want->master, have->master) != 0) {
		a->has_master = want->master[0] != '\0';
		a->has_no_master = a->no_master = !a->has_master;
		put_name(a->master, want->master);
	}
	return a->has_up || a->has_mtu || a->has_mac || a->has_master || a->has_no_master;
}

// Bridges last: their ports' addresses and sizes change theirs.
static void set_links(struct revert *r, const struct snapshot *want, const struct snapshot *have)
{
	static union op_args a;

	for (int bridges = 0; bridges < 2; bridges++)
		for (uint32_t i = 0; i < want->nlinks; i++) {
			const struct snap_link *w = &want->links[i], *h = snapshot_link(have, w->name);

			memset(&a, 0, sizeof(a));
			if ((w->kind == SNAP_BRIDGE) == (bridges == 1) && h != NULL && same_being(w, h) && differs(w, h, &a.link_set))
				revert_do(r, OP_link_set, &a, w->name);
		}
}

// ---- addresses -----------------------------------------------------------------------------------------------------------------------------

static void set_addresses(struct revert *r, const struct snapshot *want, const struct snapshot *have)
{
	static union op_args a;

	for (uint32_t i = 0; i < have->naddresses; i++) {
		if (snapshot_has_address(want, &have->addresses[i]))
			continue;
		memset(&a, 0, sizeof(a));
		put_name(a.address_del.device, have->addresses[i].device);
		a.address_del.address = have->addresses[i].address;
		revert_do(r, OP_address_del, &a, have->addresses[i].device);
	}
	for (uint32_t i = 0; i < want->naddresses; i++) {
		if (snapshot_has_address(have, &want->addresses[i]))
			continue;
		memset(&a, 0, sizeof(a));
		put_name(a.address_add.device, want->addresses[i].device);
		a.address_add.address = want->addresses[i].address;
		revert_do(r, OP_address_add, &a, want->addresses[i].device);
	}
}

// ---- all of it -----------------------------------------------------------------------------------------------------------------------------

void revert_links(struct revert *r, const struct snapshot *want)
{
	struct snapshot have = {0};

	if (revert_look(r, &have)) {
		delete_links(r, want, &have);
		make_links(r, want, &have);
	}
	for (int pass = 0; pass < 2 && revert_look(r, &have); pass++)
		set_links(r, want, &have);
	if (revert_look(r, &have))
		set_addresses(r, want, &have);
	snapshot_free(&have);
}
