// Nothing of it is stored here: Open vSwitch's own database is durable, and a row there that postern made carries the mark, with the bridge at the
// connection's other end. So what a crash leaves is the old or the new state, and what somebody took half away is found and made whole.
#include "unpriv/posternd/ovs_patch.h"

#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/names.h"
#include "unpriv/posternd/ovs_write.h"
#include "unpriv/posternd/task.h"

#define TRIES   100 // numbers whose names others may have
#define ROUNDS  5   // times that the bridges' ports may change under it, or the database go
#define RUN_DIR "/run/openvswitch"

// One end.
struct side {
	const char *bridge, *name; // name: NULL until it is chosen
	bool there;
};

// A request's work; lives in its arena.
struct patch {
	struct request *rq;
	const struct rpc_net_bridge_connect_params *connect; // or NULL:
	const char *bridge, *port;                           // what is to be removed
	struct side side[2];
	unsigned round;
	bool unsure; // a write's answer was lost
};

static void read_again(struct patch *k);

static void on_written(void *arg, enum ovs_written how, const struct ovs_end *e);

// True where the work begins again, since nobody knows or the bridges changed.
static bool again(struct patch *k, enum ovs_written how, const struct ovs_end *e)
{
	if (++k->round >= ROUNDS || (how != OVS_CHANGED_MEANWHILE && e->fail.kind != FAIL_INTERRUPTED))
		return false;
	k->unsure = k->unsure || how != OVS_CHANGED_MEANWHILE;
	read_again(k);
	return true;
}

static void write_out(struct patch *k, struct text *ops, const char *why)
{
	ovs_write(k->rq, ops, why, on_written, k);
}

// ---- connect ----

static void reply_connected(struct patch *k, bool changed)
{
	const char *a = k->side[0].name, *b = k->side[1].name;

	reply_net_bridge_connect(k->rq,
	                         &(struct rpc_net_bridge_connect_result){
	                             .changed = changed || k->unsure, .has_name_a = a != NULL, .name_a = a, .has_name_b = b != NULL, .name_b = b});
}

static bool given_otherwise(const struct patch *k)
{
	const struct rpc_net_bridge_connect_params *p = k->connect;

	return (p->has_name_a && strcmp(p->name_a, k->side[0].name) != 0) || (p->has_name_b && strcmp(p->name_b, k->side[1].name) != 0);
}

// What there is of a connection between the two: one end or both. The one that is there names the other.
static bool find_connection(struct patch *k, const struct ovs_graph *g, const struct ovs_node *const nodes[2])
{
	const struct ovs_patch *x = ovs_graph_ours(g, nodes[0], nodes[1]), *y = ovs_graph_ours(g, nodes[1], nodes[0]);

	if (x == NULL && y == NULL)
		return false;
	k->side[0].name = x != NULL ? x->name : y->peer;
	k->side[1].name = x != NULL ? x->peer : y->name;
	k->side[0].there = x != NULL;
	k->side[1].there = y != NULL && strcmp(y->name, k->side[1].name) == 0 && strcmp(y->peer, k->side[0].name) == 0;
	return true;
}

static bool has_prefix(const char *name)
{
	const char *prefix = daemon_config()->interface_prefix;
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && name[n] != '\0';
}

// Refuses names that aren't postern's or that another port has; true where they can be used.
static bool names_fit(struct patch *k, const struct ovs_graph *g)
{
	for (int i = 0; i < 2; i++) {
		const char *name = k->side[i].name;
		if (name == NULL || k->side[i].there)
			continue;
		if (!has_prefix(name)) {
			fail_hint(k->rq, FAIL_DENIED_BY_POLICY, "Leave it out, or begin it with postern's prefix.", "%s doesn't begin with %s", name,
			          daemon_config()->interface_prefix);
			return false;
		}
		if (ovs_graph_taken(g, name)) {
			fail(k->rq, FAIL_ALREADY_EXISTS, "Open vSwitch has a port %s already", name);
			return false;
		}
	}
	return true;
}

static void choose_names(struct patch *k, const struct ovs_graph *g)
{
	for (int tries = 0; tries < TRIES && (k->side[0].name == NULL || k->side[1].name == NULL); tries++) {
		uint32_t number = names_next("connection");
		for (int i = 0; i < 2; i++) {
			const char *name = arena_printf(k->rq->arena, "%.8sc%u%c", daemon_config()->interface_prefix, number, "ab"[i]);
			if (k->side[i].name == NULL && !ovs_graph_taken(g, name))
				k->side[i].name = name;
		}
	}
}

static void make_ends(struct patch *k, const struct ovs_node *const nodes[2])
{
	struct text ops = {0};

	ovs_write_wait(&ops, nodes[0]);
	ovs_write_wait(&ops, nodes[1]);
	for (unsigned i = 0; i < 2; i++)
		if (!k->side[i].there)
			ovs_write_add(&ops, i, k->side[i].bridge, k->side[i].name, k->side[1 - i].name, k->side[1 - i].bridge);
	write_out(k, &ops, "postern: net.bridge.connect");
}

// The connection is new: a second way between the two is refused, for it would be a loop.
static bool may_connect(struct patch *k, struct ovs_graph *g, const struct ovs_node *const nodes[2])
{
	if (strcmp(nodes[0]->type, nodes[1]->type) != 0)
		fail(k->rq, FAIL_INVALID_STATE, "%s and %s have datapaths of two types: packets can't go from one to the other", nodes[0]->name,
		     nodes[1]->name);
	else if (ovs_graph_reaches(g, nodes[0], nodes[1]) && !(nodes[0]->stp && nodes[1]->stp))
		fail_hint(k->rq, FAIL_INVALID_STATE, "Run spanning tree on the bridges, or part them elsewhere first.",
		          "%s and %s are connected already, by ports that postern didn't make or by way of other bridges: this would make a loop",
		          nodes[0]->name, nodes[1]->name);
	else
		return true;
	return false;
}

static void connect_nodes(struct patch *k, struct ovs_graph *g, const struct ovs_node *const nodes[2])
{
	const struct rpc_net_bridge_connect_params *p = k->connect;
	bool old = find_connection(k, g, nodes);

	if (!old) {
		k->side[0].name = p->has_name_a ? p->name_a : NULL;
		k->side[1].name = p->has_name_b ? p->name_b : NULL;
	}
	if (old && given_otherwise(k))
		fail_with(k->rq, &(struct failure){.kind = FAIL_ALREADY_EXISTS,
		                                   .detail = arena_printf(k->rq->arena, "%s and %s are connected already", p->a, p->b),
		                                   .holder = k->side[0].name,
		                                   .hint = "A second connection would make a loop. Remove the port first."});
	else if (k->side[0].there && k->side[1].there)
		reply_connected(k, false);
	else if (names_fit(k, g) && (old || may_connect(k, g, nodes))) {
		if (k->rq->dry_run && (k->side[0].name == NULL || k->side[1].name == NULL)) {
			reply_connected(k, true); // there is nothing to try before there are names
			return;
		}
		choose_names(k, g);
		if (k->side[0].name == NULL || k->side[1].name == NULL)
			fail(k->rq, FAIL_QUOTA_EXCEEDED, "no name is free for a port");
		else
			make_ends(k, nodes);
	}
}

static void connect_read(struct patch *k, struct ovs_graph *g)
{
	const struct ovs_node *nodes[2];

	for (int i = 0; i < 2; i++) {
		k->side[i] = (struct side){.bridge = i == 0 ? k->connect->a : k->connect->b};
		nodes[i] = ovs_graph_node(g, k->side[i].bridge);
		if (nodes[i] == NULL) {
			fail(k->rq, FAIL_NOT_FOUND, "Open vSwitch has no bridge %s", k->side[i].bridge);
			return;
		}
	}
	connect_nodes(k, g, nodes);
}

// ---- remove ----

static void reply_removed(struct patch *k, bool removed)
{
	removed = removed || k->unsure;
	reply_net_bridge_remove_port(k->rq, &(struct rpc_net_bridge_remove_port_result){.changed = removed, .removed = removed});
}

// Both ends go, as far as they are postern's.
static void remove_ends(struct patch *k, const struct ovs_graph *g, const struct ovs_patch *end)
{
	const struct ovs_patch *peer = ovs_graph_patch(g, end->peer);
	struct text ops = {0};

	if (peer != NULL && (peer->other == NULL || strcmp(peer->other, end->node->name) != 0 || strcmp(peer->peer, end->name) != 0))
		peer = NULL;
	ovs_write_wait(&ops, end->node);
	if (peer != NULL)
		ovs_write_wait(&ops, peer->node);
	ovs_write_remove(&ops, end->node->name, end->port);
	if (peer != NULL)
		ovs_write_remove(&ops, peer->node->name, peer->port);
	write_out(k, &ops, "postern: net.bridge.remove_port");
}

static void remove_read(struct patch *k, const struct ovs_graph *g)
{
	const struct ovs_node *node = ovs_graph_node(g, k->bridge);
	const struct ovs_patch *end = ovs_graph_patch(g, k->port);

	if (node == NULL)
		fail(k->rq, FAIL_NOT_FOUND, "there is no bridge %s", k->bridge);
	else if (end != NULL && end->other != NULL && end->node == node)
		remove_ends(k, g, end);
	else if (end == NULL ? ovs_graph_taken(g, k->port) : end->other == NULL)
		fail(k->rq, FAIL_DENIED_BY_POLICY, "%s is no port of postern's", k->port);
	else
		reply_removed(k, false);
}

// ---- both ----

static void on_written(void *arg, enum ovs_written how, const struct ovs_end *e)
{
	struct patch *k = arg;

	if (how != OVS_WRITTEN && again(k, how, e))
		return;
	if (how == OVS_CHANGED_MEANWHILE)
		fail_hint(k->rq, FAIL_BUSY, "Ask again.", "Open vSwitch's bridges change faster than they can be read");
	else if (how != OVS_WRITTEN)
		ovs_fail(k->rq, e);
	else if (k->connect != NULL)
		reply_connected(k, true);
	else
		reply_removed(k, true);
}

static void on_read(void *arg, struct ovs_graph *g, const struct ovs_end *e)
{
	struct patch *k = arg;

	if (!e->ok && k->connect == NULL && (e->fail.kind == FAIL_UNSUPPORTED || e->fail.kind == FAIL_DENIED_BY_POLICY))
		fail(k->rq, FAIL_NOT_FOUND, "there is no bridge %s", k->bridge); // Linux has none, and nobody else may be asked
	else if (!e->ok)
		ovs_fail(k->rq, e);
	else if (k->connect != NULL)
		connect_read(k, g);
	else
		remove_read(k, g);
}

static void read_again(struct patch *k)
{
	ovs_graph_read(k->rq->arena, on_read, k);
}

// Open vSwitch's bridges are the host's, so nobody with a tenant finds one.
static bool hidden(struct request *rq, const char *bridge)
{
	if (rq->tenant != NULL)
		fail(rq, FAIL_NOT_FOUND, "there is no bridge %s", bridge);
	return rq->tenant != NULL;
}

void ovs_patch_connect(struct request *rq, const struct rpc_net_bridge_connect_params *p)
{
	struct patch *k = arena_zalloc(rq->arena, sizeof(*k));

	if (hidden(rq, p->a))
		return;
	k->rq = rq;
	k->connect = p;
	read_again(k);
}

void ovs_patch_remove(struct request *rq, const char *bridge, const char *port)
{
	struct patch *k = arena_zalloc(rq->arena, sizeof(*k));

	if (hidden(rq, bridge))
		return;
	if (access(RUN_DIR, F_OK) != 0) {
		fail(rq, FAIL_NOT_FOUND, "there is no bridge %s", bridge);
		return;
	}
	k->rq = rq;
	k->bridge = bridge;
	k->port = port;
	read_again(k);
}
