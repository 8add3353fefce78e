// net.ovs: Open vSwitch's bridges, as its database has them at one moment: one transaction of selects.
//
// The tables come one after the other, bridges before ports before interfaces: of each only the rows are kept that belong to the page, and those
// are found by the UUIDs that the table before named.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/ovs_refs.h"
#include "unpriv/posternd/ovsdb.h"
#include "unpriv/posternd/rpc_net.h"

#define ROWS_MAX 65536 // bridges, or controllers, that are looked at

enum { ROOT, CONTROLLERS, BRIDGES, PORTS, INTERFACES };

static const char selects[] =
    "{\"op\":\"select\",\"table\":\"Open_vSwitch\",\"where\":[],\"columns\":[\"ovs_version\",\"db_version\",\"cur_cfg\",\"next_cfg\"]},"
    "{\"op\":\"select\",\"table\":\"Controller\",\"where\":[],\"columns\":[\"_uuid\",\"target\"]},"
    "{\"op\":\"select\",\"table\":\"Bridge\",\"where\":[],\"columns\":[\"name\",\"datapath_type\",\"datapath_id\",\"fail_mode\","
    "\"stp_enable\",\"rstp_enable\",\"mcast_snooping_enable\",\"protocols\",\"controller\",\"ports\"]},"
    "{\"op\":\"select\",\"table\":\"Port\",\"where\":[],\"columns\":[\"_uuid\",\"name\",\"tag\",\"trunks\",\"vlan_mode\","
    "\"bond_mode\",\"external_ids\",\"interfaces\"]},"
    "{\"op\":\"select\",\"table\":\"Interface\",\"where\":[],\"columns\":[\"_uuid\",\"name\",\"type\",\"ofport\",\"mac_in_use\",\"mtu\","
    "\"admin_state\",\"link_state\",\"options\",\"error\",\"statistics\"]}";

struct bridge {
	struct obj_ovs_bridge o;
	const char **ports; // their UUIDs
	size_t n_ports;
};

// A request's work; lives in its arena.
struct ovs {
	struct request *rq;
	struct rpc_net_ovs_result result;
	struct ovs_refs controllers, ports, interfaces; // controllers: owner is the target
	struct bridge *bridges;
	size_t n_bridges, room;
	bool cut;
};

// ---- values ----

static const char *text_of(struct ovs *k, const json_t *row, const char *column)
{
	return arena_strdup(k->rq->arena, ovsdb_text(row, column));
}

static size_t elements(const json_t *row, const char *column)
{
	size_t n = 0;

	while (ovsdb_element(row, column, n) != NULL)
		n++;
	return n;
}

static struct list_str texts_of(struct ovs *k, const json_t *row, const char *column)
{
	struct list_str l = {.v = arena_alloc(k->rq->arena, (elements(row, column) + 1) * sizeof(*l.v))};

	for (const json_t *e; (e = ovsdb_element(row, column, l.n)) != NULL; l.n++)
		l.v[l.n] = arena_strdup(k->rq->arena, json_is_string(e) ? json_string_value(e) : "");
	return l;
}

static struct list_count numbers_of(struct ovs *k, const json_t *row, const char *column)
{
	struct list_count l = {.v = arena_alloc(k->rq->arena, (elements(row, column) + 1) * sizeof(*l.v))};

	for (const json_t *e; (e = ovsdb_element(row, column, l.n)) != NULL; l.n++)
		l.v[l.n] = json_integer_value(e);
	return l;
}

static bool has(const json_t *row, const char *column)
{
	return ovsdb_element(row, column, 0) != NULL;
}

static int64_t counter(const json_t *row, const char *name)
{
	return json_integer_value(ovsdb_mapped(row, "statistics", name));
}

// ---- rows ----

static void on_root(struct ovs *k, const json_t *row)
{
	k->result.has_version = has(row, "ovs_version");
	k->result.version = text_of(k, row, "ovs_version");
	k->result.has_db_version = has(row, "db_version");
	k->result.db_version = text_of(k, row, "db_version");
	k->result.applied = ovsdb_int(row, "cur_cfg") >= ovsdb_int(row, "next_cfg");
}

static void on_controller(struct ovs *k, const json_t *row)
{
	ovs_refer(k->rq->arena, &k->controllers, ovsdb_uuid(json_object_get(row, "_uuid")), arena_strdup(k->rq->arena, ovsdb_text(row, "target")));
}

static struct list_str controllers_of(struct ovs *k, const json_t *row)
{
	struct list_str l = {.v = arena_alloc(k->rq->arena, (elements(row, "controller") + 1) * sizeof(*l.v))};

	for (size_t i = 0; ovsdb_element(row, "controller", i) != NULL; i++) {
		const struct ovs_ref *r = ovs_refs_find(&k->controllers, ovsdb_uuid(ovsdb_element(row, "controller", i)));
		if (r != NULL)
			l.v[l.n++] = r->owner;
	}
	return l;
}

static void on_bridge(struct ovs *k, const json_t *row)
{
	struct arena *a = k->rq->arena;
	size_t n = elements(row, "ports");
	struct bridge *b;

	k->bridges = ovs_grown(a, k->bridges, k->n_bridges, &k->room, sizeof(*k->bridges));
	b = &k->bridges[k->n_bridges++];
	*b = (struct bridge){.ports = arena_alloc(a, (n + 1) * sizeof(*b->ports)), .n_ports = n};
	for (size_t i = 0; i < n; i++)
		b->ports[i] = arena_strdup(a, ovsdb_uuid(ovsdb_element(row, "ports", i)));
	b->o = (struct obj_ovs_bridge){
	    .name = text_of(k, row, "name"),
	    .datapath_type = has(row, "datapath_type") && ovsdb_text(row, "datapath_type")[0] != '\0' ? text_of(k, row, "datapath_type") : "system",
	    .has_datapath_id = has(row, "datapath_id"),
	    .datapath_id = text_of(k, row, "datapath_id"),
	    .has_fail_mode = has(row, "fail_mode"),
	    .fail_mode = text_of(k, row, "fail_mode"),
	    .stp = ovsdb_bool(row, "stp_enable"),
	    .rstp = ovsdb_bool(row, "rstp_enable"),
	    .mcast_snooping = ovsdb_bool(row, "mcast_snooping_enable"),
	    .protocols = texts_of(k, row, "protocols"),
	    .controllers = controllers_of(k, row),
	};
}

static int compare_bridges(const void *a, const void *b)
{
	return strcmp(((const struct bridge *)a)->o.name, ((const struct bridge *)b)->o.name);
}

// All bridges are there: only those of the page go on, with one more, which makes next_cursor follow.
static void cut_page(struct ovs *k)
{
	size_t first = 0, most = net_page_keep(k->rq);

	k->cut = true;
	if (k->n_bridges > 1)
		qsort(k->bridges, k->n_bridges, sizeof(*k->bridges), compare_bridges);
	while (k->rq->cursor != NULL && first < k->n_bridges && strcmp(k->bridges[first].o.name, k->rq->cursor) <= 0)
		first++;
	k->bridges += first;
	k->n_bridges -= first;
	if (k->n_bridges > most)
		k->n_bridges = most;
	for (size_t i = 0; i < k->n_bridges; i++)
		for (size_t p = 0; p < k->bridges[i].n_ports; p++)
			ovs_refer(k->rq->arena, &k->ports, k->bridges[i].ports[p], &k->bridges[i]);
}

// Interfaces refer to the port, so a bridge's list of ports is made for all at once.
static void on_port(struct ovs *k, const json_t *row)
{
	struct bridge *b = ovs_refs_take(&k->ports, ovsdb_uuid(json_object_get(row, "_uuid")));
	struct arena *a = k->rq->arena;
	size_t n = elements(row, "interfaces");
	struct obj_ovs_port *p;

	if (b == NULL)
		return;
	if (b->o.ports.v == NULL)
		b->o.ports.v = arena_alloc(a, b->n_ports * sizeof(*b->o.ports.v));
	p = &b->o.ports.v[b->o.ports.n++];
	*p = (struct obj_ovs_port){
	    .name = text_of(k, row, "name"),
	    .has_tag = has(row, "tag"),
	    .tag = ovsdb_int(row, "tag"),
	    .trunks = numbers_of(k, row, "trunks"),
	    .has_vlan_mode = has(row, "vlan_mode"),
	    .vlan_mode = text_of(k, row, "vlan_mode"),
	    .has_bond_mode = has(row, "bond_mode"),
	    .bond_mode = text_of(k, row, "bond_mode"),
	    .managed = ovsdb_mapped(row, "external_ids", OVSDB_MARK) != NULL,
	    .interfaces = {.v = arena_zalloc(a, (n + 1) * sizeof(struct obj_ovs_interface))},
	};
	for (size_t i = 0; i < n; i++)
		ovs_refer(k->rq->arena, &k->interfaces, ovsdb_uuid(ovsdb_element(row, "interfaces", i)), p);
}

static void on_interface(struct ovs *k, const json_t *row)
{
	struct obj_ovs_port *p = ovs_refs_take(&k->interfaces, ovsdb_uuid(json_object_get(row, "_uuid")));
	const char *peer = json_string_value(ovsdb_mapped(row, "options", "peer"));

	if (p == NULL)
		return;
	p->interfaces.v[p->interfaces.n++] = (struct obj_ovs_interface){
	    .name = text_of(k, row, "name"),
	    .type = text_of(k, row, "type"),
	    .has_ofport = has(row, "ofport"),
	    .ofport = ovsdb_int(row, "ofport"),
	    .has_mac = has(row, "mac_in_use"),
	    .mac = text_of(k, row, "mac_in_use"),
	    .has_mtu = has(row, "mtu"),
	    .mtu = ovsdb_int(row, "mtu"),
	    .has_admin_state = has(row, "admin_state"),
	    .admin_state = text_of(k, row, "admin_state"),
	    .has_link_state = has(row, "link_state"),
	    .link_state = text_of(k, row, "link_state"),
	    .has_peer = peer != NULL,
	    .peer = peer != NULL ? arena_strdup(k->rq->arena, peer) : NULL,
	    .has_error = has(row, "error"),
	    .error = text_of(k, row, "error"),
	    .has_stats = ovsdb_mapped(row, "statistics", "rx_bytes") != NULL,
	    .stats =
	        {
	            .rx_bytes = counter(row, "rx_bytes"),
	            .tx_bytes = counter(row, "tx_bytes"),
	            .rx_packets = counter(row, "rx_packets"),
	            .tx_packets = counter(row, "tx_packets"),
	            .rx_errors = counter(row, "rx_errors"),
	            .tx_errors = counter(row, "tx_errors"),
	            .rx_dropped = counter(row, "rx_dropped"),
	            .tx_dropped = counter(row, "tx_dropped"),
	        },
	};
}

static void on_row(void *arg, unsigned op, const json_t *row)
{
	struct ovs *k = arg;

	if (op > BRIDGES && !k->cut)
		cut_page(k);
	switch (op) {
	case ROOT: on_root(k, row); break;
	case CONTROLLERS:
		if (k->controllers.n < ROWS_MAX)
			on_controller(k, row);
		break;
	case BRIDGES:
		if (k->n_bridges < ROWS_MAX)
			on_bridge(k, row);
		break;
	case PORTS: on_port(k, row); break;
	case INTERFACES: on_interface(k, row); break;
	default: break;
	}
}

// ---- the end ----

static int compare_ports(const void *a, const void *b)
{
	return strcmp(((const struct obj_ovs_port *)a)->name, ((const struct obj_ovs_port *)b)->name);
}

static int compare_interfaces(const void *a, const void *b)
{
	return strcmp(((const struct obj_ovs_interface *)a)->name, ((const struct obj_ovs_interface *)b)->name);
}

static void sort_ports(struct list_ovs_port *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].interfaces.n > 1)
			qsort(l->v[i].interfaces.v, l->v[i].interfaces.n, sizeof(*l->v[i].interfaces.v), compare_interfaces);
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare_ports);
}

static void done(void *arg, const struct ovs_end *e, const json_t *results)
{
	struct ovs *k = arg;
	struct list_ovs_bridge *l = &k->result.bridges;

	(void)results;
	if (!e->ok) {
		ovs_fail(k->rq, e);
		return;
	}
	if (!k->cut)
		cut_page(k);
	l->v = arena_alloc(k->rq->arena, (k->n_bridges + 1) * sizeof(*l->v));
	for (; l->n < k->n_bridges; l->n++) {
		sort_ports(&k->bridges[l->n].o.ports);
		l->v[l->n] = k->bridges[l->n].o;
	}
	reply_net_ovs(k->rq, &k->result);
}

void rpc_net_ovs(struct request *rq, const struct rpc_net_ovs_params *p)
{
	struct ovs *k = arena_zalloc(rq->arena, sizeof(*k));
	struct ovsdb_ask ask = {.row = on_row, .done = done, .arg = k};

	(void)p;
	k->rq = rq;
	text_str(&ask.ops, selects);
	ovsdb_ask(&ask);
}
