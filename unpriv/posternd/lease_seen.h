// Leases that other programs hold, as their files say and the kernel bears out.
#ifndef POSTERN_POSTERND_LEASE_SEEN_H
#define POSTERN_POSTERND_LEASE_SEEN_H

#include "proto/rpc.h"
#include "unpriv/posternd/lease_text.h"
#include "unpriv/posternd/net_view.h"

struct lease_found {
	struct lease_seen seen; // with its interface
	enum rpc_lease_manager manager;
	const char *source; // the file
};

struct lease_list {
	size_t n;
	struct lease_found *v;
	struct list_unreadable unreadable;
};

// Reads all of them into the arena, in the order of interfaces.  A file is believed where the interface has the address that it names; of a prefix
// the kernel knows nothing, and it is believed until its time is over.
void lease_seen_read(const struct net_view *view, struct arena *a, struct lease_list *out);

#endif
