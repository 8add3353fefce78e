// The connection table: 1023 slots, found by port pair, with the memory for their backlogs accounted.
#ifndef UNPRIV_VSOCK_TABLE_H
#define UNPRIV_VSOCK_TABLE_H

#include "unpriv/vsock/conn.h"

#define TABLE_CONNS      1023U // as Firecracker and cloud-hypervisor
#define TABLE_BUCKETS    1024U
#define WINDOW_SMALL     (32U << 10)  // every connection gets at least this much window, bytes
#define WINDOW_LARGE     (256U << 10) // as long as memory allows; Linux's own default for a vsock
#define TABLE_MEMORY_MAX (64U << 20)  // all windows together, bytes
#define HOST_PORT_MIN    (1U << 30)   // host ports of CONNECT: [2^30, 2^31), as Firecracker
#define HOST_PORT_MAX    ((1U << 31) - 1U)

struct table {
	struct conn conn[TABLE_CONNS];
	struct conn *bucket[TABLE_BUCKETS];
	struct conn *free; // linked by hash_next
	unsigned used;     // slots in use
	size_t memory;     // windows given out, bytes
	uint32_t next_host_port;
};

void table_init(struct table *t);

// A fresh connection for fd, which it then owns, in `state` and with its window reserved; not yet found by table_find.
// NULL when all slots are in use; fd then stays the caller's.
struct conn *table_new(struct table *t, int fd, enum conn_state state);
// Closes the descriptor, frees backlog and slot. The caller has taken it out of its lists.
void table_free(struct table *t, struct conn *c);

// Names the connection. False when the pair is in use.
bool table_bind(struct table *t, struct conn *c, uint32_t host_port, uint32_t guest_port);
// Takes the name away; harmless without one.
void table_unbind(struct table *t, struct conn *c);
struct conn *table_find(const struct table *t, uint32_t host_port, uint32_t guest_port);

// A host port that no connection to guest_port uses.
uint32_t table_pick_port(struct table *t, uint32_t guest_port);

// The slot of an event's {index, generation}, or NULL when it has been freed since.
struct conn *table_event(struct table *t, uint32_t index, uint32_t generation);
uint32_t table_index(const struct table *t, const struct conn *c);

#endif
