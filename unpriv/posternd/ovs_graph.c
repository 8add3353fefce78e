// Bridges name their ports, ports their interfaces, and patches their peers. See ovs_graph.h.
#include "unpriv/posternd/ovs_graph.h"

#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/ovsdb.h"

enum { BRIDGES, PORTS, INTERFACES };

static const char selects[] =
    "{\"op\":\"select\",\"table\":\"Bridge\",\"where\":[],\"columns\":[\"name\",\"datapath_type\",\"stp_enable\",\"rstp_enable\",\"ports\"]},"
    "{\"op\":\"select\",\"table\":\"Port\",\"where\":[],\"columns\":[\"_uuid\",\"name\",\"interfaces\"]},"
    "{\"op\":\"select\",\"table\":\"Interface\",\"where\":[],\"columns\":[\"_uuid\",\"name\",\"type\",\"options\",\"external_ids\"]}";

struct port {
	const char *uuid;
	struct ovs_node *node;
};

struct graph_reading {
	struct arena *a;
	struct ovs_graph g;
	struct ovs_refs ports, interfaces; // owners: struct ovs_node, struct port
	size_t names_room;
	void (*done)(void *arg, struct ovs_graph *g, const struct ovs_end *e);
	void *arg;
};

static const char *dumped(struct graph_reading *r, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *kept = arena_strdup(r->a, text != NULL ? text : "");

	free(text);
	return kept;
}

static void on_bridge(struct graph_reading *r, const json_t *row)
{
	struct ovs_node *n = arena_zalloc(r->a, sizeof(*n));
	const json_t *port;

	*n = (struct ovs_node){
	    .next = r->g.nodes,
	    .name = arena_strdup(r->a, ovsdb_text(row, "name")),
	    .type = arena_strdup(r->a, ovsdb_text(row, "datapath_type")),
	    .ports = dumped(r, json_object_get(row, "ports")),
	    .stp = ovsdb_bool(row, "stp_enable") || ovsdb_bool(row, "rstp_enable"),
	};
	r->g.nodes = n;
	for (size_t i = 0; (port = ovsdb_element(row, "ports", i)) != NULL; i++)
		ovs_refer(r->a, &r->ports, ovsdb_uuid(port), n);
}

static const char *note_name(struct graph_reading *r, const json_t *row)
{
	const char *name = arena_strdup(r->a, ovsdb_text(row, "name"));

	r->g.names = ovs_grown(r->a, r->g.names, r->g.n_names, &r->names_room, sizeof(*r->g.names));
	r->g.names[r->g.n_names++] = name;
	return name;
}

static void on_port(struct graph_reading *r, const json_t *row)
{
	struct port *p = arena_alloc(r->a, sizeof(*p));
	const json_t *interface;

	p->uuid = arena_strdup(r->a, ovsdb_uuid(json_object_get(row, "_uuid")));
	p->node = ovs_refs_take(&r->ports, p->uuid);
	note_name(r, row);
	for (size_t i = 0; (interface = ovsdb_element(row, "interfaces", i)) != NULL; i++)
		ovs_refer(r->a, &r->interfaces, ovsdb_uuid(interface), p);
}

static void on_interface(struct graph_reading *r, const json_t *row)
{
	const struct port *p = ovs_refs_take(&r->interfaces, ovsdb_uuid(json_object_get(row, "_uuid")));
	const char *name = note_name(r, row), *peer = json_string_value(ovsdb_mapped(row, "options", "peer"));
	const char *other = json_string_value(ovsdb_mapped(row, "external_ids", OVSDB_MARK));
	struct ovs_patch *patch;

	if (p == NULL || p->node == NULL || strcmp(ovsdb_text(row, "type"), "patch") != 0)
		return;
	patch = arena_alloc(r->a, sizeof(*patch));
	*patch = (struct ovs_patch){
	    .next = r->g.patches,
	    .name = name,
	    .peer = arena_strdup(r->a, peer != NULL ? peer : ""),
	    .other = other != NULL ? arena_strdup(r->a, other) : NULL,
	    .port = p->uuid,
	    .node = p->node,
	};
	r->g.patches = patch;
	r->g.n_patches++;
}

static void on_row(void *arg, unsigned op, const json_t *row)
{
	struct graph_reading *r = arg;

	if (r->g.n_names > OVS_GRAPH_MAX)
		return;
	switch (op) {
	case BRIDGES: on_bridge(r, row); break;
	case PORTS: on_port(r, row); break;
	case INTERFACES: on_interface(r, row); break;
	default: break;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct ovs_patch *const *)a)->name, (*(const struct ovs_patch *const *)b)->name);
}

static void sort_patches(struct ovs_graph *g, struct arena *a)
{
	size_t n = 0;

	g->by_name = arena_alloc(a, (g->n_patches + 1) * sizeof(void *));
	for (const struct ovs_patch *p = g->patches; p != NULL; p = p->next)
		g->by_name[n++] = p;
	qsort(g->by_name, n, sizeof(void *), by_name);
}

static void on_done(void *arg, const struct ovs_end *e, const json_t *results)
{
	static const struct ovs_end too_many = {.fail = {.kind = FAIL_QUOTA_EXCEEDED, .detail = "Open vSwitch has too many ports"}};
	struct graph_reading *r = arg;

	(void)results;
	sort_patches(&r->g, r->a);
	r->done(r->arg, &r->g, e->ok && r->g.n_names > OVS_GRAPH_MAX ? &too_many : e);
}

void ovs_graph_read(struct arena *a, void (*done)(void *arg, struct ovs_graph *g, const struct ovs_end *e), void *arg)
{
	struct graph_reading *r = arena_zalloc(a, sizeof(*r));
	struct ovsdb_ask ask = {.row = on_row, .done = on_done, .arg = r};

	r->a = a;
	r->done = done;
	r->arg = arg;
	text_str(&ask.ops, selects);
	ovsdb_ask(&ask);
}

struct ovs_node *ovs_graph_node(const struct ovs_graph *g, const char *name)
{
	struct ovs_node *n = g->nodes;

	while (n != NULL && strcmp(n->name, name) != 0)
		n = n->next;
	return n;
}

const struct ovs_patch *ovs_graph_patch(const struct ovs_graph *g, const char *name)
{
	const struct ovs_patch key = {.name = name}, *at = &key;
	const struct ovs_patch **found = bsearch(&at, g->by_name, g->n_patches, sizeof(void *), by_name);

	return found != NULL ? *found : NULL;
}

const struct ovs_patch *ovs_graph_ours(const struct ovs_graph *g, const struct ovs_node *from, const struct ovs_node *to)
{
	const struct ovs_patch *p = g->patches;

	while (p != NULL && (p->node != from || p->other == NULL || strcmp(p->other, to->name) != 0))
		p = p->next;
	return p;
}

bool ovs_graph_taken(const struct ovs_graph *g, const char *name)
{
	for (size_t i = 0; i < g->n_names; i++)
		if (strcmp(g->names[i], name) == 0)
			return true;
	return false;
}

// Each round marks what the bridges marked before lead to, until a round marks none.
bool ovs_graph_reaches(struct ovs_graph *g, const struct ovs_node *from, const struct ovs_node *to)
{
	bool more = true;

	for (struct ovs_node *n = g->nodes; n != NULL; n = n->next)
		n->seen = n == from;
	while (more && !to->seen) {
		more = false;
		for (const struct ovs_patch *p = g->patches; p != NULL; p = p->next) {
			const struct ovs_patch *peer = p->node->seen ? ovs_graph_patch(g, p->peer) : NULL;
			if (peer == NULL || peer->node->seen || strcmp(peer->peer, p->name) != 0)
				continue;
			peer->node->seen = true;
			more = true;
		}
	}
	return to->seen;
}
