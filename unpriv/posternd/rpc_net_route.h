// What net.routes.add and net.routes.delete share: the routes of one request as one task.
#ifndef POSTERN_POSTERND_RPC_NET_ROUTE_H
#define POSTERN_POSTERND_RPC_NET_ROUTE_H

#include "unpriv/posternd/route.h"
#include "unpriv/posternd/task.h"

struct route_task {
	struct task t;
	struct route_item *v; // in the request's arena
	size_t n, at;         // routes, and which is being worked on
	size_t changed;       // how many weren't so before
	size_t undo;          // after a failure: how many of the first are still to be taken back
};

// The routes that a request names: one by itself, or the list.  None after it has answered why not.
struct list_route_spec route_specs(struct request *rq, bool many, struct list_route_spec list, const struct obj_route_spec *one);

// The same from the parameters of either method.
#define ROUTE_SPECS(rq, p)                                                                                                                           \
	route_specs(rq, (p)->has_routes, (p)->routes,                                                                                                \
	            &(struct obj_route_spec){.has_destination = (p)->has_destination,                                                                \
	                                     .destination = (p)->destination,                                                                        \
	                                     .has_gateway = (p)->has_gateway,                                                                        \
	                                     .gateway = (p)->gateway,                                                                                \
	                                     .has_device = (p)->has_device,                                                                          \
	                                     .device = (p)->device,                                                                                  \
	                                     .has_metric = (p)->has_metric,                                                                          \
	                                     .metric = (p)->metric,                                                                                  \
	                                     .has_table = (p)->has_table,                                                                            \
	                                     .table = (p)->table,                                                                                    \
	                                     .has_source = (p)->has_source,                                                                          \
	                                     .source = (p)->source})

// What stands before the names of the i'th route's parameters in messages.
const char *route_where(struct request *rq, size_t i, bool many);

// True where both are NULL, or the same text.
bool route_same_text(const char *a, const char *b);

// A task with room for so many routes.
struct route_task *route_task_new(struct request *rq, const char *what, void (*step)(struct task *t), size_t room);

// One step of the task: asks the helper for a route, or for its end.
void route_ask_add(struct route_task *k, size_t i);
void route_ask_del(struct route_task *k, size_t i);

#endif
