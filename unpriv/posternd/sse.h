// GET /events: the stream of events as server-sent events (WHATWG HTML, 9.2), for as long as the client stays.
//
// Each event has its number as its id, so a client that comes again with Last-Event-ID goes on where it was.  A slow client costs no memory: what
// it hasn't read yet stays in the ring alone, and when the ring has moved on it is told how many events it has missed.
#ifndef POSTERN_POSTERND_SSE_H
#define POSTERN_POSTERND_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "unpriv/posternd/mem.h"

struct exchange;
struct sse;

#define SSE_STREAMS 128 // at one time

// Makes the stream of a GET; since: the last event that the client has seen, where has_since.  NULL: there are SSE_STREAMS already.
struct sse *sse_create(struct exchange *x, bool has_since, uint64_t since);
void sse_destroy(struct sse *s);

// Appends what the client hasn't got yet, up to a few tens of kilobytes; false where there is nothing.
bool sse_fill(struct sse *s, struct text *out);

bool sse_start(void);
void sse_stop(void);

// Hands new events to all streams.
void sse_wake(void);

// Ends all streams: the access list they were opened under is gone.
void sse_end_all(void);

#endif
