// Streams: what the daemon reads piece by piece, because it is too long for one answer.
//
// Each has a dump on a netlink socket of its own.  The kernel makes the next datagram of a dump, at most 32 KiB, when the one before has been
// read: nothing of it lies here, and a slice of work ends after the datagram in which its time runs out, so that other requests get their turn
// between two slices.  A stream ends with its dump, when it is closed, and when nobody has asked for 30 seconds.
#ifndef HELPER_NET_STREAM_H
#define HELPER_NET_STREAM_H

#include <linux/netlink.h>
#include <stdbool.h>

#include "helper/common/cell.h"

#define STREAMS 8u

struct stream;

// Takes one message of the dump, of at least its header's size; puts what becomes of it into the answer with stream_put().
// Returns 0 or -errno, which ends the stream.
typedef int stream_take(struct cell *c, struct stream *s, const struct nlmsghdr *h);

// Ends a slice, also one that failed: acts on everything taken since the last call.  Returns 0 or -errno.
typedef int stream_flush(struct cell *c, struct stream *s);

struct stream {
	uint32_t id; // 0: the place is free
	int sock;
	bool single;      // a request with one answer, not a dump
	bool over;        // the dump is
	bool torn;        // it changed while it was read
	uint64_t read_ns; // when it was asked last
	size_t len;       // bytes of this answer, in c->bulk
	stream_take *take;
	stream_flush *flush;                  // may be NULL
	struct op_conntrack_flush_args asked; // conntrack_read, conntrack_flush: what fits
	bool by_mark;                         // conntrack_read: and has this mark
	uint32_t mark;
};

// Begins a stream with a request, whose header's length counts; *s is a description to copy, with take, flush, single and asked.
// Fills *id.  Fails with OPS_QUOTA where there are STREAMS.
enum op_status stream_begin(struct cell *c, const struct stream *s, const struct nlmsghdr *ask, uint32_t *id);

// Appends a record to the answer.  False where it has no room.
bool stream_put(struct cell *c, struct stream *s, const void *record, size_t len);

// Ends those that nobody reads, and sets how soon the cell's loop looks again.
void streams_tick(struct cell *c);

#endif
