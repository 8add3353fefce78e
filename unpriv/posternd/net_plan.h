// Lists of operations that put back what the rows say, carried out one after the other.
//
// Each is harmless where the kernel is right already.  A failure is logged and the next operation tried: one bad row must not keep the others from
// coming back.
#ifndef POSTERN_POSTERND_NET_PLAN_H
#define POSTERN_POSTERND_NET_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/store.h"

// One operation to come; `harmless` is the failure that means it was so already.
struct plan_item {
	enum op_id op;
	union op_args args;
	enum op_status harmless;
	char what[64];
};

// Zeroed it is empty.
struct plan {
	struct plan_item *v;
	size_t n, room;
};

// Adds an operation; its arguments, zeroed, are to be filled in before the next call.
union op_args *plan_add(struct plan *p, enum op_id op, enum op_status harmless, const char *what);

// A link comes up and, where master isn't NULL, joins that bridge.
void plan_join(struct plan *p, const char *link, const char *master);

// A link of ours goes.
void plan_delete(struct plan *p, const char *link);

// The ports of a bridge come back: taps, links that were added, ends of connections.
void plan_ports(struct plan *p, const char *bridge);

// Routes that the rows have and the kernel hasn't.
void plan_routes(struct plan *p);

// The same, but for those whose link isn't there or isn't up.
void plan_routes_up(struct plan *p);

// For a daemon that starts: rows of routes that nobody was told the end of go, and routes of ours without a row.
void plan_stray_routes(struct plan *p, struct change *c);

// Carries it out and frees it; then calls ended(arg).  failed, which may be NULL, is told of each failure but the harmless ones.
void plan_run(struct plan *p, void (*failed)(const struct plan_item *i, const struct priv_reply *r), void (*ended)(void *arg), void *arg);

#endif
