// The checks of net.health.
#ifndef POSTERN_POSTERND_HEALTH_H
#define POSTERN_POSTERND_HEALTH_H

#include "proto/rpc.h"
#include "unpriv/posternd/drift.h"
#include "unpriv/posternd/resolv.h"

#define HEALTH_CHECKS 16 // most that one answer has

struct health {
	struct arena *a;
	struct list_health_check list; // room for HEALTH_CHECKS
};

// Adds a check; the message is copied, the hint must live on (NULL where all is well).
__attribute__((format(printf, 5, 6))) void health_say(struct health *h, const char *name, enum rpc_health_status status, const char *hint,
                                                      const char *fmt, ...);

// Those that need no waiting: helper, store, fights, restore, forwarding, conntrack, uplinks, default_route.
void health_at_once(struct health *h);

// By a comparison: drift, bridge_ports.  err: it failed.
void health_drift(struct health *h, const struct drift_list *l, int err);

// How names are resolved.
void health_dns(struct health *h, const char *path, const struct resolv *r, int err);

// Does another's chain drop what is forwarded?  Reads nftables' chains through the helper and then calls done(arg), at once or later.
void health_forward_policy(struct health *h, void (*done)(void *arg), void *arg);

#endif
