// ring: a bounded byte queue in memory its owner gave.
#ifndef POSTERN_UNPRIV_KEEPER_RING_H
#define POSTERN_UNPRIV_KEEPER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ring {
	char *bytes;
	size_t size;
	size_t head; // where the oldest byte lies
	size_t used;
};

// ring_init makes an empty ring over `size` bytes, which stay the caller's.
void ring_init(struct ring *ring, char *bytes, size_t size);

size_t ring_room(const struct ring *ring);

// ring_put appends all of `length` bytes, or nothing and false when there is no room for all.
bool ring_put(struct ring *ring, const char *bytes, size_t length);

// ring_keep_last appends `length` bytes and forgets as many of the oldest as it must.
void ring_keep_last(struct ring *ring, const char *bytes, size_t length);

// ring_copy appends everything that `from` holds to `to`; false, and nothing appended, when there is no room.
bool ring_copy(struct ring *to, const struct ring *from);

// ring_write_out writes to fd what one write(2) takes and forgets it. Answers what write(2) answered; 0 when empty.
ssize_t ring_write_out(struct ring *ring, int fd);

#endif
