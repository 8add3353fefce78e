// The daemon's packets: reading requests, writing answers.  No I/O; the only place in the helper where the daemon's bytes are parsed.
#ifndef HELPER_BROKER_PACKET_H
#define HELPER_BROKER_PACKET_H

#include "helper/common/cell.h"

// Reads [id, op, {args}] of len bytes: id 1 to 2^32-1, a known operation, arguments as its rows say, nothing behind.  args is zeroed first.
// Returns false for anything else: the daemon is broken or taken over.
bool packet_request(const void *buf, size_t len, uint32_t *id, enum op_id *op, union op_args *args);

enum packet_hello { HELLO_OK, HELLO_OTHER_ROWS, HELLO_MALFORMED };

// Judges the daemon's first packet, [0, version, {rows}].
enum packet_hello packet_hello_read(const void *buf, size_t len);

// Packs our own hello into buf.  Returns its length in bytes, 0 where cap is too small.
size_t packet_hello_write(void *buf, size_t cap);

// Packs the answer to request id of operation op, from what a cell said.  Returns its length in bytes, 0 where it doesn't fit.
size_t packet_answer(void *buf, size_t cap, uint32_t id, enum op_id op, const struct cell_rep *rep);

// True where rep is an answer that operation op may have: n bytes came with nfds descriptors, what doesn't fit into *rep stands at `behind`.
// A result of kind `bytes` then points there.
bool packet_rep_ok(struct cell_rep *rep, const uint8_t *behind, size_t n, enum op_id op, unsigned nfds);

#endif
