// Reading a stream of the helper: an operation that answers a stream, then pieces of it as fast as they are taken.
//
// Two pieces are asked for at a time, so that the cell works while we do.  A reader that has enough for now says so, and gets at most two more;
// the helper gives a stream up that nobody asks for 30 seconds.
#ifndef POSTERN_POSTERND_STREAM_H
#define POSTERN_POSTERND_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/helper_client.h"

struct stream;

// Called in the loop, never inside a function of this header.
struct stream_reader {
	void (*data)(void *arg, const uint8_t *bytes, size_t len); // a piece: whole records
	// It is over, and the stream is gone.  failed: why, or NULL; torn: what was read changed meanwhile.
	void (*ended)(void *arg, const struct priv_reply *failed, bool torn);
};

// Begins one with an operation whose answer is a stream.
struct stream *stream_start(enum op_id op, const void *args, const struct stream_reader *reader, void *arg);

// Asks for more, or not for now.
void stream_want(struct stream *s, bool more);

// Gives it up: nothing is called any more.  Takes NULL.
void stream_drop(struct stream *s);

// Called when a helper has gone: the streams that it had end as interrupted.
void streams_lost(void);

#endif
