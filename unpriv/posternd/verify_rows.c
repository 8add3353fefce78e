// See verify_rows.h.  What is PHASE_MAKING or PHASE_REMOVING is on its way, and nothing is expected of it.
#include "unpriv/posternd/verify_rows.h"

#include <stdio.h>
#include <sys/socket.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/rtnl.h"

static bool same_name(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static const char *kind_text(const struct live_link *l)
{
	static const char *const names[] = {"a link of another kind", "a bridge", "a tap", "a veth"};

	return names[l->kind];
}

// A link that isn't there, or that is another's: only the first can be put right.
static bool is_there(const struct live_link *l, enum live_kind kind, enum drift_fix fix, struct drift_item *i)
{
	if (l == NULL) {
		DRIFT_SAY(i->actual, "missing");
		i->fix = fix;
	} else if (l->kind != kind) {
		DRIFT_SAY(i->actual, "%s", kind_text(l));
	} else if (!l->ours) {
		DRIFT_SAY(i->actual, "%s without postern's mark", kind_text(l));
	}
	return i->actual[0] == '\0';
}

// ---- one property each: says what differs, and that it can be put right ----

static void differ_flag(struct drift_item *i, enum drift_fix fix, const char *on, const char *off, bool want, bool have)
{
	if (want == have)
		return;
	DRIFT_SAY(i->expected, "%s", want ? on : off);
	DRIFT_SAY(i->actual, "%s", have ? on : off);
	if (fix < i->fix)
		i->fix = fix;
}

static void differ_mtu(struct drift_item *i, int64_t want, uint32_t have)
{
	if (want == 0 || want == have)
		return;
	DRIFT_SAY(i->expected, "mtu %ld", (long)want);
	DRIFT_SAY(i->actual, "mtu %u", have);
	i->fix = FIX_LINK;
}

static void differ_mac(struct drift_item *i, const char *want, const uint8_t have[6])
{
	uint8_t mac[6];
	char text[MAC_TEXT];

	if (want == NULL || !mac_parse(want, mac) || memcmp(mac, have, sizeof(mac)) == 0)
		return;
	mac_text(have, text);
	DRIFT_SAY(i->expected, "mac %s", want);
	DRIFT_SAY(i->actual, "mac %s", text);
	i->fix = FIX_LINK;
}

static void differ_master(struct drift_item *i, const struct live *k, const char *want, int have)
{
	const struct live_link *master = have != 0 ? live_index(k, have) : NULL;
	const char *name = master != NULL ? master->name : NULL;

	if (same_name(want, name))
		return;
	DRIFT_SAY(i->expected, "%s%s", want != NULL ? "port of " : "port of none", want != NULL ? want : "");
	DRIFT_SAY(i->actual, "%s%s", name != NULL ? "port of " : "port of none", name != NULL ? name : "");
	i->fix = FIX_LINK;
}

// ---- rows ----

static void verify_address(const struct live *k, const struct live_link *l, const struct row_bridge *row, struct drift_list *out)
{
	struct wire_addr a;
	struct drift_item *i;

	if (row->address == NULL || !addr_parse(row->address, &a) || (l != NULL && live_addr(k, l->index, &a) != NULL))
		return;
	i = drift_add(out, drift_kind_address, row->tenant);
	snprintf(i->id, sizeof(i->id), "%s %s", row->name, row->address);
	COPY_TEXT(i->link, row->name);
	DRIFT_SAY(i->expected, "present");
	DRIFT_SAY(i->actual, "missing");
	i->fix = l != NULL && l->ours ? FIX_ADDRESS : FIX_NONE; // a bridge that is made again gets it with that
}

// Drops an item in which nothing was said.
static void end_item(struct drift_list *out, struct drift_item *i)
{
	if (i->actual[0] == '\0')
		out->n--;
}

void verify_bridge(const struct live *k, const struct row_bridge *row, struct drift_list *out)
{
	const struct live_link *l = live_link(k, row->name);
	struct drift_item *i;

	if (row->phase != PHASE_DONE)
		return;
	i = drift_add(out, drift_kind_bridge, row->tenant);
	COPY_TEXT(i->id, row->name);
	COPY_TEXT(i->link, row->name);
	if (!is_there(l, LIVE_BRIDGE, FIX_BRIDGE, i)) {
		DRIFT_SAY(i->expected, "a bridge of postern's");
		verify_address(k, l, row, out);
		return;
	}
	differ_flag(i, FIX_LINK, "up", "down", true, l->up);
	differ_mtu(i, row->mtu, l->mtu);
	differ_mac(i, row->mac, l->mac);
	differ_flag(i, FIX_NONE, "stp", "no stp", row->stp != 0, l->stp);
	differ_flag(i, FIX_NONE, "vlan_filtering", "no vlan_filtering", row->vlan_filtering != 0, l->vlan_filtering);
	end_item(out, i);
	verify_address(k, l, row, out);
}

static void differ_owner(struct drift_item *i, int64_t want, const struct live_link *l)
{
	if (want == 0 || (l->has_owner && l->owner == want))
		return;
	DRIFT_SAY(i->expected, "owner %ld", (long)want);
	if (l->has_owner)
		DRIFT_SAY(i->actual, "owner %u", l->owner);
	else
		DRIFT_SAY(i->actual, "no owner");
	if (FIX_TAP < i->fix)
		i->fix = FIX_TAP;
}

// A VM's tap that is gone can't come back: what the VM holds is the end of the old one.
void verify_tap(const struct live *k, const struct row_tap *row, struct drift_list *out)
{
	const struct live_link *l = live_link(k, row->name);
	struct drift_item *i;

	if (row->phase != PHASE_DONE)
		return;
	i = drift_add(out, drift_kind_tap, row->tenant);
	COPY_TEXT(i->id, row->name);
	COPY_TEXT(i->link, row->name);
	if (!is_there(l, LIVE_TAP, row->vm != NULL ? FIX_NONE : FIX_TAP, i)) {
		DRIFT_SAY(i->expected, "a tap of postern's");
		return;
	}
	differ_flag(i, FIX_LINK, "up", "down", true, l->up);
	differ_mtu(i, row->mtu, l->mtu);
	differ_mac(i, row->mac, l->mac);
	differ_master(i, k, row->bridge, l->master);
	differ_owner(i, row->owner_uid, l);
	end_item(out, i);
}

void verify_port(const struct live *k, const struct row_port *row, struct drift_list *out)
{
	const struct live_link *l = live_link(k, row->name);
	struct drift_item *i;

	if (row->phase != PHASE_DONE)
		return;
	i = drift_add(out, drift_kind_bridge, row->tenant);
	snprintf(i->id, sizeof(i->id), "%s port %s", row->bridge, row->name);
	COPY_TEXT(i->link, row->name);
	if (l == NULL) {
		DRIFT_SAY(i->expected, "port of %s", row->bridge);
		DRIFT_SAY(i->actual, "no such link");
		return;
	}
	differ_master(i, k, row->bridge, l->master);
	end_item(out, i);
}

static struct drift_item *end_of_pair(const struct live *k, const struct row_connection *row, const char *end, const char *bridge,
                                      struct drift_list *out)
{
	const struct live_link *l = live_link(k, end);
	struct drift_item *i = drift_add(out, drift_kind_bridge, row->tenant);

	snprintf(i->id, sizeof(i->id), "%s port %s", bridge, end);
	COPY_TEXT(i->link, end);
	if (!is_there(l, LIVE_VETH, FIX_PAIR, i)) {
		DRIFT_SAY(i->expected, "port of %s", bridge);
		return i;
	}
	differ_flag(i, FIX_LINK, "up", "down", true, l->up);
	differ_master(i, k, bridge, l->master);
	end_item(out, i);
	return i;
}

// Where one end is gone so is the other, and both are made again at once.
void verify_connection(const struct live *k, const struct row_connection *row, struct drift_list *out)
{
	if (row->phase != PHASE_DONE || row->peer == NULL)
		return;
	end_of_pair(k, row, row->name, row->a, out);
	if (live_link(k, row->name) == NULL && live_link(k, row->peer) == NULL)
		end_of_pair(k, row, row->peer, row->b, out)->fix = FIX_NONE;
	else
		end_of_pair(k, row, row->peer, row->b, out);
}

// ---- routes ----

static bool same_host(const char *want, bool has, const struct wire_addr *have)
{
	struct wire_addr a;

	return want == NULL || (has && addr_parse(want, &a) && memcmp(&a, have, sizeof(a)) == 0);
}

static void say_way(char *text, size_t size, const char *gateway, const char *device)
{
	if (gateway != NULL)
		drift_say(text, size, "by %s", gateway);
	if (device != NULL)
		drift_say(text, size, "out of %s", device);
}

static void say_live_way(const struct live *k, const struct live_route *r, struct drift_item *i)
{
	const struct live_link *l = live_index(k, r->index);
	char text[CIDR_TEXT];

	addr_text(&r->gateway, false, text);
	say_way(i->actual, sizeof(i->actual), r->has_gateway ? text : NULL, l != NULL ? l->name : NULL);
}

// The kernel takes a link's routes away when it goes down: they can come back when it is up again.
void verify_route(const struct live *k, const struct row_route *row, struct drift_list *out)
{
	const struct live_route *r = live_route(k, row->id);
	const struct live_link *l = row->device != NULL ? live_link(k, row->device) : NULL;
	struct drift_item *i;

	if (row->phase != PHASE_DONE)
		return;
	if (r != NULL && same_host(row->gateway, r->has_gateway, &r->gateway) && same_host(row->source, r->has_source, &r->source) &&
	    (row->device == NULL || (l != NULL && l->index == r->index)))
		return;
	i = drift_add(out, drift_kind_route, row->tenant);
	COPY_TEXT(i->id, row->id);
	say_way(i->expected, sizeof(i->expected), row->gateway, row->device);
	if (row->source != NULL)
		DRIFT_SAY(i->expected, "from %s", row->source);
	if (r != NULL) {
		say_live_way(k, r, i);
		return;
	}
	DRIFT_SAY(i->actual, "missing");
	if (row->device == NULL || (l != NULL && l->up))
		i->fix = FIX_ROUTE;
}

void verify_stray_route(const struct live_route *r, struct drift_list *out)
{
	struct drift_item *i;

	if (cache_find_route(r->id) != NULL)
		return;
	i = drift_add(out, drift_kind_route, NULL);
	COPY_TEXT(i->id, r->id);
	DRIFT_SAY(i->expected, "absent");
	DRIFT_SAY(i->actual, "a route that nobody asked for");
}

// ---- what no row explains ----

// When it was seen no row explained it; perhaps one does now.
void verify_stray_link(const struct live_link *l, struct drift_list *out)
{
	struct drift_item *i;

	if (!l->stray || cache_find_tap(l->name) != NULL || cache_find_bridge(l->name) != NULL)
		return;
	i = drift_add(out, l->kind == LIVE_TAP ? drift_kind_tap : drift_kind_bridge, NULL);
	COPY_TEXT(i->id, l->name);
	DRIFT_SAY(i->expected, "absent");
	DRIFT_SAY(i->actual, "%s that nobody asked for", kind_text(l));
}

static bool is_asked_for(const char *link, const struct wire_addr *a)
{
	const struct row_bridge *row = cache_find_bridge(link);
	struct wire_addr have;

	return row != NULL &&
	       (row->phase != PHASE_DONE || (row->address != NULL && addr_parse(row->address, &have) && memcmp(&have, a, sizeof(have)) == 0));
}

void verify_stray_addr(const struct live *k, const struct live_addr *a, struct drift_list *out)
{
	const struct live_link *l = a->ours ? live_index(k, a->index) : NULL;
	char text[CIDR_TEXT];
	struct drift_item *i;

	if (l == NULL || !l->ours || is_asked_for(l->name, &a->addr))
		return;
	addr_text(&a->addr, true, text);
	i = drift_add(out, drift_kind_address, NULL);
	snprintf(i->id, sizeof(i->id), "%s %s", l->name, text);
	DRIFT_SAY(i->expected, "absent");
	DRIFT_SAY(i->actual, "an address that nobody asked for");
}

// ---- switches ----

static void verify_forwarding(uint8_t family, const char *id, struct drift_list *out)
{
	struct drift_item *i;
	bool on = false;

	if (!fw_needs_forwarding(family == AF_INET6 ? 6 : 4) || rtnl_read_forwarding(family, &on) != 0 || on)
		return;
	i = drift_add(out, drift_kind_sysctl, NULL);
	COPY_TEXT(i->id, id);
	DRIFT_SAY(i->expected, "1");
	DRIFT_SAY(i->actual, "0");
	i->fix = FIX_SYSCTL;
}

void verify_sysctl(struct drift_list *out)
{
	verify_forwarding(AF_INET, VERIFY_FORWARD4, out);
	verify_forwarding(AF_INET6, VERIFY_FORWARD6, out);
}
