// Connection tracking: listings that are held between their pages, and deleting entries.
#ifndef POSTERN_POSTERND_CONNTRACK_H
#define POSTERN_POSTERND_CONNTRACK_H

#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/mem.h"

// Appends an entry as JSON.
void conntrack_write(const struct ct_record *r, struct text *out);

// Deletes the entries that fit everything asked for, or counts them; at once where the kernel has none at all.  done(arg, removed, failed) is
// called later, in the loop: failed is NULL, or why it ended before its end.
typedef void conntrack_flushed(void *arg, uint64_t removed, const struct priv_reply *failed);
void conntrack_flush(const struct op_conntrack_flush_args *asked, conntrack_flushed *done, void *arg);

// One of nf_conntrack's numbers below /proc/sys/net/netfilter: "count", "max", "buckets"; -1 where this kernel tracks nothing.
int64_t conntrack_number(const char *name);

// Drops the listings.
void conntrack_stop(void);

#endif
