// The kinds of things that net.apply knows.  See apply_plan.h.
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/apply_plan.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/fw_task.h"
#include "unpriv/posternd/route.h"

static bool same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

// An address or network as it is meant, however it is written.
static bool same_addr(const char *a, const char *b)
{
	struct wire_addr x, y;

	if (a == NULL || b == NULL || !addr_parse(a, &x) || !addr_parse(b, &y))
		return same_text(a, b);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

// What is the caller's own: a tenant's is no other's, nor is it the host's to sweep away.
static bool own(const struct request *rq, int64_t phase, const char *tenant, const char *vm)
{
	return phase == PHASE_DONE && vm == NULL && same_text(tenant, rq->tenant);
}

static bool is_there(const struct apply_plan *plan, const char *link)
{
	return net_view_link(&plan->view, link) != NULL;
}

static void port_step(struct apply_plan *plan, enum rpc_plan_action action, const char *bridge, const char *port)
{
	bool attach = action == plan_action_attach;

	apply_add(plan, action, plan_kind_port, port, attach ? RPC_net_bridge_add_port : RPC_net_bridge_remove_port, NULL,
	          json_pack("{s:s,s:s}", "bridge", bridge, "port", port), true);
}

// ---- bridges -------------------------------------------------------------------------------------------------------------------------------

static const char *bridge_key(const struct request *rq, size_t i)
{
	const struct row_bridge *row = cache_at_bridge(i);

	return own(rq, row->phase, row->tenant, NULL) ? row->name : NULL;
}

static const char *bridge_want(struct request *rq, const void *want, size_t i)
{
	(void)rq;
	(void)i;
	return ((const struct obj_bridge_spec *)want)->name;
}

static bool bridge_same(struct apply_plan *plan, const void *want, size_t i)
{
	const struct row_bridge *row = cache_at_bridge(i);
	const struct obj_bridge_spec *w = want;
	const char *mac = w->has_mac ? w->mac : NULL;

	return (same_text(row->mac, mac) || (mac != NULL && row->mac != NULL && strcasecmp(mac, row->mac) == 0)) &&
	       same_addr(row->address, w->has_address ? w->address : NULL) && row->mtu == (w->has_mtu ? w->mtu : 0) &&
	       (row->stp != 0) == (w->has_stp && w->stp) && (row->vlan_filtering != 0) == (w->has_vlan_filtering && w->vlan_filtering) &&
	       is_there(plan, row->name);
}

// One that comes again takes its ports along; one that goes for good must have none left.
static json_t *bridge_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	(void)plan;
	return json_pack("{s:s,s:b}", "name", cache_at_bridge(i)->name, "force", replaced);
}

// ---- taps ----------------------------------------------------------------------------------------------------------------------------------

static const char *tap_key(const struct request *rq, size_t i)
{
	const struct row_tap *row = cache_at_tap(i);

	return own(rq, row->phase, row->tenant, row->vm) ? row->name : NULL;
}

static const char *tap_want(struct request *rq, const void *want, size_t i)
{
	(void)rq;
	(void)i;
	return ((const struct obj_tap_spec *)want)->name;
}

// All but the bridge.
static bool tap_alike(const struct apply_plan *plan, const struct obj_tap_spec *w, const struct row_tap *row)
{
	const char *mac = w->has_mac ? w->mac : NULL;

	return (same_text(row->mac, mac) || (mac != NULL && row->mac != NULL && strcasecmp(mac, row->mac) == 0)) &&
	       row->mtu == (w->has_mtu ? w->mtu : 0) && row->owner_uid == (w->has_owner_uid ? w->owner_uid : (int64_t)getuid()) &&
	       (row->vnet_hdr != 0) == (w->has_vnet_hdr && w->vnet_hdr) && (row->multi_queue != 0) == (w->has_multi_queue && w->multi_queue) &&
	       is_there(plan, row->name);
}

static bool tap_same(struct apply_plan *plan, const void *want, size_t i)
{
	const struct obj_tap_spec *w = want;
	const struct row_tap *row = cache_at_tap(i);

	return tap_alike(plan, w, row) && same_text(row->bridge, w->has_bridge ? w->bridge : NULL);
}

static bool tap_move(struct apply_plan *plan, const void *want, size_t i)
{
	const struct obj_tap_spec *w = want;
	const struct row_tap *row = cache_at_tap(i);

	if (!tap_alike(plan, w, row))
		return false;
	if (row->bridge != NULL && is_there(plan, row->bridge))
		port_step(plan, plan_action_detach, row->bridge, row->name);
	if (w->has_bridge)
		port_step(plan, plan_action_attach, w->bridge, row->name);
	return true;
}

static json_t *tap_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	(void)plan;
	(void)replaced;
	return json_pack("{s:s}", "name", cache_at_tap(i)->name);
}

// ---- connections ---------------------------------------------------------------------------------------------------------------------------

// Two bridges, whichever is named first, have one connection.
static const char *pair_key(struct arena *a, const char *x, const char *y)
{
	return strcmp(x, y) < 0 ? arena_printf(a, "%s|%s", x, y) : arena_printf(a, "%s|%s", y, x);
}

static const char *connect_key(const struct request *rq, size_t i)
{
	const struct row_connection *row = cache_at_connection(i);

	return own(rq, row->phase, row->tenant, NULL) ? pair_key(rq->arena, row->a, row->b) : NULL;
}

static const char *connect_want(struct request *rq, const void *want, size_t i)
{
	const struct obj_connect_spec *w = want;

	if (strcmp(w->a, w->b) != 0)
		return pair_key(rq->arena, w->a, w->b);
	fail_params(rq, "parameter \"desired.connects[%zu].b\": \"%s\" was given, allowed is another bridge than a", i, w->b);
	return NULL;
}

static bool connect_same(struct apply_plan *plan, const void *want, size_t i)
{
	const struct obj_connect_spec *w = want;
	const struct row_connection *row = cache_at_connection(i);
	bool turned = strcmp(w->a, row->a) != 0;

	return !apply_replaced(plan, row->a) && !apply_replaced(plan, row->b) && is_there(plan, row->name) && is_there(plan, row->peer) &&
	       (!w->has_name_a || same_text(w->name_a, turned ? row->peer : row->name)) &&
	       (!w->has_name_b || same_text(w->name_b, turned ? row->name : row->peer));
}

static json_t *connect_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	const struct row_connection *row = cache_at_connection(i);

	(void)plan;
	(void)replaced;
	return json_pack("{s:s,s:s}", "bridge", row->a, "port", row->name);
}

void apply_ports_back(struct apply_plan *plan)
{
	for (size_t i = 0; i < cache_n_connection() && !plan->p->desired.has_connects; i++) {
		const struct row_connection *row = cache_at_connection(i);

		if (connect_key(plan->rq, i) != NULL && (apply_replaced(plan, row->a) || apply_replaced(plan, row->b)))
			apply_add(plan, plan_action_create, plan_kind_connect, connect_key(plan->rq, i), RPC_net_bridge_connect, NULL,
			          json_pack("{s:s,s:s,s:s,s:s}", "a", row->a, "b", row->b, "name_a", row->name, "name_b", row->peer), true);
	}
	for (size_t i = 0; i < cache_n_port(); i++) {
		const struct row_port *row = cache_at_port(i);

		if (own(plan->rq, row->phase, row->tenant, NULL) && row->bridge != NULL && apply_replaced(plan, row->bridge))
			port_step(plan, plan_action_attach, row->bridge, row->name);
	}
}

// ---- routes --------------------------------------------------------------------------------------------------------------------------------

static const char *route_key(const struct request *rq, size_t i)
{
	const struct row_route *row = cache_at_route(i);

	return own(rq, row->phase, row->tenant, NULL) ? row->id : NULL;
}

static const char *route_want(struct request *rq, const void *want, size_t i)
{
	struct route_item item;

	return route_read(rq, want, arena_printf(rq->arena, "desired.routes[%zu].", i), &item) ? item.row.id : NULL;
}

static bool route_same(struct apply_plan *plan, const void *want, size_t i)
{
	const struct row_route *row = cache_at_route(i);
	struct route_item item;

	return route_read(plan->rq, want, "", &item) && same_text(item.row.gateway, row->gateway) && same_text(item.row.device, row->device) &&
	       same_text(item.row.source, row->source);
}

static json_t *route_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	const struct row_route *row = cache_at_route(i);

	(void)plan;
	(void)replaced;
	return json_pack("{s:s,s:I,s:I}", "destination", row->destination, "metric", row->metric, "table", row->table);
}

// ---- source translations -------------------------------------------------------------------------------------------------------------------

static const char *tuple_key(struct arena *a, const char *source, const char *out_interface, const char *to)
{
	struct wire_addr s, t;
	char network[CIDR_TEXT], address[CIDR_TEXT] = "";

	if (!addr_parse(source, &s) || (to != NULL && !addr_parse(to, &t)))
		return NULL;
	addr_network(&s);
	addr_text(&s, true, network);
	if (to != NULL)
		addr_text(&t, false, address);
	return arena_printf(a, "%s%s%s%s%s", network, out_interface != NULL ? " out " : "", out_interface != NULL ? out_interface : "",
	                    to != NULL ? " to " : "", address);
}

static const char *snat_key(const struct request *rq, size_t i)
{
	const struct row_snat *row = cache_at_snat(i);

	return own(rq, row->phase, row->tenant, row->vm) ? tuple_key(rq->arena, row->source, row->out_interface, row->to) : NULL;
}

static const char *snat_want(struct request *rq, const void *want, size_t i)
{
	const struct obj_snat_spec *w = want;
	const char *key = tuple_key(rq->arena, w->source, w->has_out_interface ? w->out_interface : NULL, w->has_to ? w->to : NULL);

	if (key == NULL)
		fail_params(rq, "parameter \"desired.snat[%zu]\": \"%s\" is no network", i, w->source);
	return key;
}

// The key says all.
static bool snat_same(struct apply_plan *plan, const void *want, size_t i)
{
	(void)plan;
	(void)want;
	(void)i;
	return true;
}

static json_t *snat_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	(void)plan;
	(void)replaced;
	return json_pack("{s:s}", "id", cache_at_snat(i)->id);
}

// ---- forwards ------------------------------------------------------------------------------------------------------------------------------

static const char *forward_key(const struct request *rq, size_t i)
{
	const struct row_dnat *row = cache_at_dnat(i);

	return own(rq, row->phase, row->tenant, NULL) ? row->id : NULL;
}

// The place that is forwarded: its id says nothing of the target.
static const char *forward_want(struct request *rq, const void *want, size_t i)
{
	char *id = arena_alloc(rq->arena, FW_ID);
	struct row_dnat row;

	if (!fw_read_forward(rq, want, arena_printf(rq->arena, "desired.forwards[%zu].", i), &row))
		return NULL;
	dnat_id(&row, id);
	return id;
}

static bool forward_same(struct apply_plan *plan, const void *want, size_t i)
{
	const struct row_dnat *have = cache_at_dnat(i);
	struct row_dnat row;

	return fw_read_forward(plan->rq, want, "", &row) && same_text(row.dest_ip, have->dest_ip) && row.dest_port == have->dest_port;
}

static json_t *forward_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	(void)plan;
	(void)replaced;
	return json_pack("{s:s}", "id", cache_at_dnat(i)->id);
}

// ---- firewall rules ------------------------------------------------------------------------------------------------------------------------

static const char *rule_key(const struct request *rq, size_t i)
{
	const struct row_allow *row = cache_at_allow(i);

	return own(rq, row->phase, row->tenant, NULL) ? row->id : NULL;
}

static const char *rule_want(struct request *rq, const void *want, size_t i)
{
	char *id = arena_alloc(rq->arena, FW_ID);
	struct row_allow row;

	if (!fw_read_rule(rq, want, arena_printf(rq->arena, "desired.rules[%zu].", i), &row))
		return NULL;
	allow_id(&row, id);
	return id;
}

static bool rule_same(struct apply_plan *plan, const void *want, size_t i)
{
	const struct obj_rule_spec *w = want;

	(void)plan;
	return same_text(w->has_comment ? w->comment : NULL, cache_at_allow(i)->comment);
}

static json_t *rule_victim(struct apply_plan *plan, size_t i, bool replaced)
{
	(void)plan;
	(void)replaced;
	return json_pack("{s:s}", "id", cache_at_allow(i)->id);
}

// clang-format off
const struct apply_kind apply_kinds[APPLY_KINDS] = {
	{plan_kind_bridge, "bridges", RPC_net_bridge_add, RPC_net_bridge_delete, {NULL, NULL}, {NULL, NULL},
	 cache_n_bridge, bridge_key, bridge_want, bridge_same, NULL, bridge_victim},
	{plan_kind_tap, "taps", RPC_net_vm_create_tap, RPC_net_vm_delete_tap, {NULL, NULL}, {"names", "name"},
	 cache_n_tap, tap_key, tap_want, tap_same, tap_move, tap_victim},
	{plan_kind_connect, "connects", RPC_net_bridge_connect, RPC_net_bridge_remove_port, {NULL, NULL}, {NULL, NULL},
	 cache_n_connection, connect_key, connect_want, connect_same, NULL, connect_victim},
	{plan_kind_route, "routes", RPC_net_routes_add, RPC_net_routes_delete, {"routes", NULL}, {"routes", NULL},
	 cache_n_route, route_key, route_want, route_same, NULL, route_victim},
	{plan_kind_forward, "forwards", RPC_net_nat_add_dnat, RPC_net_nat_remove_dnat, {"forwards", NULL}, {"ids", "id"},
	 cache_n_dnat, forward_key, forward_want, forward_same, NULL, forward_victim},
	{plan_kind_snat, "snat", RPC_net_nat_add_snat, RPC_net_nat_remove_snat, {NULL, NULL}, {NULL, NULL},
	 cache_n_snat, snat_key, snat_want, snat_same, NULL, snat_victim},
	{plan_kind_rule, "rules", RPC_net_firewall_add_rule, RPC_net_firewall_remove_rule, {"rules", NULL}, {"ids", "id"},
	 cache_n_allow, rule_key, rule_want, rule_same, NULL, rule_victim},
};
// clang-format on
