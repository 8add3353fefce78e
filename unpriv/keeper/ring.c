// A ring is two spans at most: from head to the end of the memory, and from its start.
#include "unpriv/keeper/ring.h"

#include <string.h>
#include <unistd.h>

void ring_init(struct ring *ring, char *bytes, size_t size)
{
	*ring = (struct ring){.bytes = bytes, .size = size};
}

size_t ring_room(const struct ring *ring)
{
	return ring->size - ring->used;
}

static size_t first_span(const struct ring *ring)
{
	size_t to_end = ring->size - ring->head;
	return ring->used < to_end ? ring->used : to_end;
}

static void forget(struct ring *ring, size_t length)
{
	ring->head = (ring->head + length) % ring->size;
	ring->used -= length;
	if (!ring->used)
		ring->head = 0;
}

bool ring_put(struct ring *ring, const char *bytes, size_t length)
{
	if (length > ring_room(ring))
		return false;
	size_t tail = (ring->head + ring->used) % ring->size;
	size_t span = ring->size - tail < length ? ring->size - tail : length;
	memcpy(ring->bytes + tail, bytes, span);
	memcpy(ring->bytes, bytes + span, length - span);
	ring->used += length;
	return true;
}

void ring_keep_last(struct ring *ring, const char *bytes, size_t length)
{
	if (length > ring->size) {
		bytes += length - ring->size;
		length = ring->size;
	}
	if (length > ring_room(ring))
		forget(ring, length - ring_room(ring));
	ring_put(ring, bytes, length);
}

bool ring_copy(struct ring *to, const struct ring *from)
{
	if (from->used > ring_room(to))
		return false;
	size_t span = first_span(from);
	return ring_put(to, from->bytes + from->head, span) && ring_put(to, from->bytes, from->used - span);
}

ssize_t ring_write_out(struct ring *ring, int fd)
{
	if (!ring->used)
		return 0;
	ssize_t wrote = write(fd, ring->bytes + ring->head, first_span(ring));
	if (wrote > 0)
		forget(ring, (size_t)wrote);
	return wrote;
}
