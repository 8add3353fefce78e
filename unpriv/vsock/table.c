// The connection table. Everything is preallocated; a slot's own memory is only its backlog.
//
// Windows: every connection is promised WINDOW_SMALL, whatever happens. It gets WINDOW_LARGE as long as the promise to
// all slots still unused can be kept within TABLE_MEMORY_MAX. So few connections are fast and many are still bounded.

#include "unpriv/vsock/table.h"

#include <unistd.h>

_Static_assert((size_t)TABLE_CONNS *WINDOW_SMALL <= TABLE_MEMORY_MAX, "the small window is a promise to every slot");

void table_init(struct table *t)
{
	*t = (struct table){.next_host_port = HOST_PORT_MIN};
	for (unsigned i = TABLE_CONNS; i > 0; i--) {
		struct conn *c = &t->conn[i - 1];
		c->fd = -1;
		c->hash_next = t->free;
		t->free = c;
	}
}

static size_t pick_window(const struct table *t)
{
	size_t promised = (size_t)(TABLE_CONNS - t->used - 1) * WINDOW_SMALL;

	return t->memory + promised + WINDOW_LARGE <= TABLE_MEMORY_MAX ? WINDOW_LARGE : WINDOW_SMALL;
}

struct conn *table_new(struct table *t, int fd, enum conn_state state)
{
	struct conn *c = t->free;

	if (c == NULL)
		return NULL;
	t->free = c->hash_next;
	size_t window = pick_window(t);
	*c = (struct conn){.state = state, .fd = fd, .generation = c->generation + 1, .backlog.size = window, .readable = true, .writable = true};
	t->used++;
	t->memory += window;
	return c;
}

void table_free(struct table *t, struct conn *c)
{
	table_unbind(t, c);
	if (c->fd >= 0)
		close(c->fd);
	conn_drop_backlog(c);
	t->memory -= c->backlog.size;
	t->used--;
	*c = (struct conn){.state = CONN_FREE, .fd = -1, .generation = c->generation, .hash_next = t->free};
	t->free = c;
}

// The guest picks ports, so it can make one long chain; that is at most 1023 steps, at its own expense.
static unsigned bucket_of(uint32_t host_port, uint32_t guest_port)
{
	uint32_t h = host_port * 0x9e3779b1U ^ guest_port * 0x85ebca6bU;

	return (h ^ h >> 16) % TABLE_BUCKETS;
}

struct conn *table_find(const struct table *t, uint32_t host_port, uint32_t guest_port)
{
	struct conn *c = t->bucket[bucket_of(host_port, guest_port)];

	while (c != NULL && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->hash_next;
	return c;
}

bool table_bind(struct table *t, struct conn *c, uint32_t host_port, uint32_t guest_port)
{
	if (table_find(t, host_port, guest_port) != NULL)
		return false;
	unsigned b = bucket_of(host_port, guest_port);
	c->host_port = host_port;
	c->guest_port = guest_port;
	c->hash_next = t->bucket[b];
	t->bucket[b] = c;
	return true;
}

void table_unbind(struct table *t, struct conn *c)
{
	struct conn **at = &t->bucket[bucket_of(c->host_port, c->guest_port)];

	while (*at != NULL && *at != c)
		at = &(*at)->hash_next;
	if (*at == c)
		*at = c->hash_next;
	c->hash_next = NULL;
}

uint32_t table_pick_port(struct table *t, uint32_t guest_port)
{
	uint32_t port;

	// Ends: there are more ports than slots.
	do {
		port = t->next_host_port;
		t->next_host_port = port == HOST_PORT_MAX ? HOST_PORT_MIN : port + 1;
	} while (table_find(t, port, guest_port) != NULL);
	return port;
}

struct conn *table_event(struct table *t, uint32_t index, uint32_t generation)
{
	if (index >= TABLE_CONNS)
		return NULL;
	struct conn *c = &t->conn[index];
	return c->state != CONN_FREE && c->generation == generation ? c : NULL;
}

uint32_t table_index(const struct table *t, const struct conn *c)
{
	return (uint32_t)(c - t->conn);
}
