// What the helper would refuse and the daemon can see for itself: so that a dry run says what the run would.
// (What the policy refuses, only the helper knows: the daemon doesn't read the policy.)
#ifndef POSTERN_POSTERND_NET_DRY_H
#define POSTERN_POSTERND_NET_DRY_H

#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rtnl.h"

// Each answers the failure and returns false where the run would fail.

// A new bridge: the name is free.
bool net_dry_bridge(struct request *rq, const char *name);

// A tap: its name, unless NULL, is free or a tap's of ours, and its bridge, unless NULL, is there.
bool net_dry_tap(struct request *rq, const char *name, const char *bridge);

// A port: the link is ours.
bool net_dry_port(struct request *rq, const struct rtnl_link *port);

#endif
