// Connections of bridges: pairs of ports, one in each.
#ifndef POSTERN_POSTERND_CONNECTION_H
#define POSTERN_POSTERND_CONNECTION_H

#include "proto/helper.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/store.h"

// The connection that has this port at one of its ends, or NULL.
struct row_connection *connection_of(const char *port);

// The helper's arguments for the pair.
void connection_add_args(const struct row_connection *row, struct op_link_add_args *a);

// Ends a connection, for net.bridge.remove_port of one of its ports, and answers that.  In rpc_net_connect.c.
void connection_remove(struct request *rq, const struct row_connection *row);

#endif
