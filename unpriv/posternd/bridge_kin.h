// What goes with a bridge: its ports' rows, its connections to other bridges, the routes that name it.
#ifndef POSTERN_POSTERND_BRIDGE_KIN_H
#define POSTERN_POSTERND_BRIDGE_KIN_H

#include "proto/helper.h"
#include "unpriv/posternd/store.h"

#define KIN_CONNECTIONS (WIRE_IFNAMES_MAX - 1) // most of one bridge, so that they go in one request with it

// Connections of the bridge.
size_t kin_connections(const char *bridge);

// Writes the phase of all of it into the change: as it is to be deleted with the bridge, or stays after all.
void kin_mark(struct change *c, const char *bridge, enum store_phase phase);

// Takes all of it out of the tables.
void kin_forget(struct change *c, const char *bridge);

// The bridge and one end of each of its connections, to be deleted together.
void kin_links(const char *bridge, struct op_links_del_args *a);

#endif
