// The requests that cells are working on, in a table of fixed size, and the rate at which new ones are let in.
#ifndef HELPER_BROKER_FLIGHT_H
#define HELPER_BROKER_FLIGHT_H

#include "helper/common/cell.h"

#define FLIGHTS 256u

struct flight {
	uint32_t id;      // the daemon's; 0: this place is free
	uint32_t cell_id; // ours, never the same twice in a row
	enum op_id op;
};

struct flights {
	struct flight v[FLIGHTS];
	unsigned used;
	uint32_t next;
};

// True while another request can be taken.
bool flight_room(const struct flights *f);

// Notes a request; there must be room.  Returns its place, or NULL where the daemon has a request of that id in flight.
struct flight *flight_add(struct flights *f, uint32_t id, enum op_id op);

// Finds a request by our id; NULL where there is none.
struct flight *flight_find(struct flights *f, uint32_t cell_id);

// Frees its place.
void flight_drop(struct flights *f, struct flight *one);

// Lets `per_second` requests a second through, and as many at once after a quiet second.  All times are CLOCK_MONOTONIC nanoseconds.
struct rate {
	uint64_t due_ns; // when the requests let in so far would be done at exactly that rate
	uint32_t per_second;
};

// Milliseconds until the next request may be taken; 0: now.
int rate_wait(const struct rate *r, uint64_t now_ns);

// Notes that one was taken.
void rate_take(struct rate *r, uint64_t now_ns);

#endif
