// What the link operations share.
#ifndef HELPER_NET_LINK_H
#define HELPER_NET_LINK_H

#include "helper/common/cell.h"
#include "helper/net/rtnl.h"

// Looks up a link that a request wants to change, and makes sure that it is ours.
// Returns OPS_OK with *out, or notes the failure: not found, or denied for want of our mark.
enum op_status link_ours(struct cell *c, const char *name, struct rtnl_link_info *out);

// Looks up the bridge that a link shall join, and makes sure that it is one.  (Which bridges may be joined, the policy has said already.)
enum op_status link_bridge(struct cell *c, const char *name, uint32_t *index);

#endif
