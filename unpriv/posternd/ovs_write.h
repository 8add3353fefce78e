// Changes of Open vSwitch's database: one transaction each, which holds only while the bridges' ports are as they were read, is on disk when it is
// answered, and is waited for until the switch has done it.
#ifndef POSTERN_POSTERND_OVS_WRITE_H
#define POSTERN_POSTERND_OVS_WRITE_H

#include "unpriv/posternd/ovs_graph.h"

enum ovs_written {
	OVS_WRITTEN,
	OVS_CHANGED_MEANWHILE, // nothing was written: read again
	OVS_NOT_WRITTEN,       // the end says why
};

// Puts operations together. Each takes part in a text that begins empty.
void ovs_write_wait(struct text *ops, const struct ovs_node *bridge);
void ovs_write_add(struct text *ops, unsigned number, const char *bridge, const char *name, const char *peer, const char *other);
void ovs_write_remove(struct text *ops, const char *bridge, const char *port_uuid);

// Writes; takes `ops` over. A dry run is judged by the database, and undone by it. done() is called once, later; e is NULL where it was written.
void ovs_write(struct request *rq, struct text *ops, const char *why, void (*done)(void *arg, enum ovs_written how, const struct ovs_end *e),
               void *arg);

#endif
