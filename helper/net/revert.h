// Going back to a snapshot: what came since is deleted, what went is made again, what changed is set.
//
// Each step is one of our own operations, checked by its rows and by the policy as if the daemon had asked for it, and it changes only what
// carries our mark.  A step that fails is counted and the next one tried.  A tap of a VM is the VM's own matter: one that came stays, one that
// went isn't made again, for the descriptor that the VM had of it is of no use any more.
#ifndef HELPER_NET_REVERT_H
#define HELPER_NET_REVERT_H

#include "helper/common/cell.h"
#include "helper/net/snapshot.h"

struct revert {
	struct cell *c;
	uint32_t changed, failed;
	char trouble[128]; // the first failure: operation, name, step
};

// Makes links and addresses, routes, the firewall's table those of *want; in this order, for each leans on those before.
void revert_links(struct revert *r, const struct snapshot *want);
void revert_routes(struct revert *r, const struct snapshot *want);
void revert_firewall(struct revert *r, const struct snapshot *want);

// Reads what there is now, in place of what *have held; false where that failed, and has been noted.
bool revert_look(struct revert *r, struct snapshot *have);

// Runs one operation that has neither descriptors nor results of interest: rows, policy, handler.  `what` is the name that a failure shows.
bool revert_do(struct revert *r, enum op_id op, const union op_args *a, const char *what);

// Notes a failure of our own, with an errno or 0.
void revert_failed(struct revert *r, const char *what, int err);

#endif
