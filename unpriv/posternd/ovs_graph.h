// Open vSwitch's bridges and the patch ports between them, read in one transaction: what connecting and parting them goes by.
#ifndef POSTERN_POSTERND_OVS_GRAPH_H
#define POSTERN_POSTERND_OVS_GRAPH_H

#include <jansson.h>

#include "unpriv/posternd/ovs_conn.h"
#include "unpriv/posternd/ovs_refs.h"

#define OVS_GRAPH_MAX 131072 // ports and interfaces; more are a failure

struct ovs_node {
	struct ovs_node *next;
	const char *name, *type; // type: of its datapath
	const char *ports;       // the column as JSON, for a wait that finds whether it is still that
	bool stp;                // spanning tree runs, of either kind
	bool seen;               // on the way, while a way is looked for
};

// A patch port: one end of a connection.
struct ovs_patch {
	struct ovs_patch *next;
	const char *name, *peer; // peer: "" where it has none
	const char *other;       // postern made it, to this bridge; NULL: somebody else did
	const char *port;        // UUID of the port's row
	struct ovs_node *node;
};

struct ovs_graph {
	struct ovs_node *nodes;
	struct ovs_patch *patches;
	const struct ovs_patch **by_name; // the same, sorted
	size_t n_patches;
	const char **names; // of all ports and interfaces
	size_t n_names;
};

// Reads it into the arena, which lives until done() is called, once, later; *g is whole where the end is ok.
void ovs_graph_read(struct arena *a, void (*done)(void *arg, struct ovs_graph *g, const struct ovs_end *e), void *arg);

// NULL where there is none of that name.
struct ovs_node *ovs_graph_node(const struct ovs_graph *g, const char *name);
const struct ovs_patch *ovs_graph_patch(const struct ovs_graph *g, const char *name);

// The end in `from` of a connection of postern's to `to`, or NULL.
const struct ovs_patch *ovs_graph_ours(const struct ovs_graph *g, const struct ovs_node *from, const struct ovs_node *to);

// Has a port or an interface this name?
bool ovs_graph_taken(const struct ovs_graph *g, const char *name);

// Is there a way from one bridge to the other by patch ports, whoever made them?
bool ovs_graph_reaches(struct ovs_graph *g, const struct ovs_node *from, const struct ovs_node *to);

#endif
