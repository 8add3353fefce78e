// Routes of postern's own: rows of table route, and how they stand in the kernel.
#ifndef POSTERN_POSTERND_ROUTE_H
#define POSTERN_POSTERND_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/helper.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/store.h"

#define ROUTE_MAIN 254 // table of a route that names none
#define ROUTE_ID   96  // bytes of a key, with its NUL

// One route of a request.
struct route_item {
	struct row_route row; // texts in the request's arena
	struct wire_addr to;  // its destination
	bool fresh;           // no row had its key before
	bool held, same;      // by route_look: the kernel has one of this key; it is ours, and just this
	uint8_t holder;       // by route_look: protocol of the one that the kernel has
};

// Reads one route as a client gave it and writes it the one way it is stored; `where` comes before the names of parameters in messages.
// Answers the failure and returns false where it makes no sense.
bool route_read(struct request *rq, const struct obj_route_spec *s, const char *where, struct route_item *out);

// The key that the row of a route of the kernel's has, or would have.
struct rtnl_route;
void route_id(const struct rtnl_route *r, char out[ROUTE_ID]);

// The helper's arguments for a row.
void route_add_args(const struct row_route *row, struct op_route_add_args *a);
void route_del_args(const struct row_route *row, struct op_route_del_args *a);

// Looks in the kernel for routes with the keys of v[0..n), and calls done(arg, err) later, once; v and arg live in rq's arena.
void route_look(struct request *rq, struct route_item *v, size_t n, void (*done)(void *arg, int err), void *arg);

// The name of a protocol as net.routes shows it.
const char *route_protocol(unsigned number, struct arena *a);

#endif
