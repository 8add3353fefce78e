// The loop that every cell runs, and the structs that broker and cell exchange.
//
// A cell is a program: main() calls cell_start() (fixed descriptors, policy part), opens what it holds for life, calls confine(), then
// cell_loop(), which never returns.  One request is handled at a time, in order; the socket is the queue.  Requests and answers are fixed
// structs over a SOCK_SEQPACKET pair, descriptors beside them.  A request that isn't exactly that (size, operation of another cell, number
// of descriptors, text without end) comes from a broken broker: the cell dies with exit 4 rather than answer.
//
// Before a handler runs, the loop has asked the rows (types, ranges, alphabets, descriptors) and the cell's own part of the policy (rules.h)
// again: a handler looks only at what they can't know, the system itself.  A filter needs the rows of helper/filters/cell_rows.h.
//
// A result of kind `bytes` doesn't cross as a pointer: its handler writes into c->bulk and sets the slice's length alone; a packet is then
// the answer's struct and so many bytes behind it.
//
// Handlers come from the rows: for each OP of this cell there is one function op_<id>(), declared here; one that is missing fails the link.
//
//     #define CELL_IS_NET              // NET, VOL, JAIL or SPAWN, before this include, in the one file that holds the table
//     #include "helper/common/cell.h"
//     #include "helper/common/cell_table.h"   // gives: static const struct cell_op cell_table[OP_COUNT]
#ifndef HELPER_COMMON_CELL_H
#define HELPER_COMMON_CELL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "helper/common/fdpass.h"
#include "helper/common/policy.h"
#include "proto/helper.h"

// Descriptors that the launcher gives each process; all become close-on-exec in cell_start().
enum {
	CELL_FD_PEER = 3,   // the broker (broker: posternd)
	CELL_FD_POLICY = 4, // sealed memfd with a struct policy; closed once read
	CELL_FD_LIFE = 5,   // read end of a pipe whose write end only the launcher holds
	CELL_FD_LOCK = 6,   // flock of the helper tree: held, never used
	CELL_FD_EXTRA = 7,  // net: directory descriptor with the node "tun"; others: closed
	CELL_FD_CELLS = 10, // broker: one socket a cell, in the order of enum op_cell
	CELL_FD_CHECKPOINTS = 30, // net: /run/postern-helper/checkpoints
};

// Exit codes of every helper process.
enum { HELPER_EXIT_PEER = 0, HELPER_EXIT_REFUSED = 2, HELPER_EXIT_MALFORMED = 3, HELPER_EXIT_DIED = 4 };

#define CELL_WATCH 32
#define CELL_RULE 64 // bytes of a rule's or step's name, with its NUL

struct cell_req {
	uint32_t id;   // chosen by the broker, unique among those in flight, never 0
	uint32_t op;   // enum op_id
	uint32_t nfds; // descriptors that came beside it
	uint32_t none; // zero
	union op_args args;
};

struct cell_rep {
	uint32_t id;          // of the request; 0 in the first packet of a cell, which says that it is confined and serves
	uint32_t status;      // enum op_status
	uint32_t err;         // errno of the failing step, 0 where none failed
	uint32_t nfds;        // descriptors beside it; none unless status is OPS_OK
	char rule[CELL_RULE]; // status not OK: policy keyword, ownership mark or step that refused; empty otherwise
	union op_res res;     // all zero unless status is OPS_OK
};

struct cell {
	const char *name;               // "postern-net" …
	struct policy policy;           // this cell's part
	struct cell_rep rep;            // being filled; handlers write res through their own pointer, failures through cell_fail()
	uint8_t bulk[HELPER_MAX_BYTES]; // sent right behind rep: where a result of kind `bytes` stands, its slice saying how many
	// Called after each request and when poll() has waited tick_ms, for instance to reap children; may be NULL.
	void (*tick)(struct cell *c);
	int tick_ms; // -1: only after requests
	// Further descriptors that the loop waits for: watch fills in at most CELL_WATCH and says how many, watched sees them after the wait; may be NULL.
	unsigned (*watch)(struct cell *c, struct pollfd *fds);
	void (*watched)(struct cell *c, const struct pollfd *fds, unsigned n);
	// Set by a handler whose request is handed on: its answer comes later, by cell_answer().
	bool later;
	// A descriptor that answers come from, or -1; when it can be read, on_side is called.
	int side;
	void (*on_side)(struct cell *c);
};

// A handler's view: fds[0..row->nfds) are its arguments, -1 where an optional one is missing; it borrows them, the loop closes them after.
// out_fds[0..row->nresfds) start as -1; what it puts there is sent with OPS_OK, and closed by the loop in any case.
typedef enum op_status cell_handler(struct cell *c, const union op_args *a, const int *fds, union op_res *r, int *out_fds);

struct cell_op {
	cell_handler *run; // NULL: an operation of another cell
};

// The handlers, one for each row of helper.def, each with its own structs.
#define OP(id, cell_, cap, doc, why)                                                                                                                 \
	enum op_status op_##id(struct cell *c, const struct op_##id##_args *a, const int *fds, struct op_##id##_res *r, int *out_fds);
#include "proto/helper.def"

// Reads a policy part out of its memfd and closes that.  Returns false (errno may be 0) where it isn't sealed, or of another size or build.
bool cell_policy_read(struct policy *p, int fd);

// The first thing in every process: marks the fixed descriptors close-on-exec, reads and checks the policy part.  Exits with 2 on any error.
void process_start(struct policy *p, const char *name);

// The same for a cell, into c->policy.
void cell_start(struct cell *c, const char *name);

// Sends the packet that says so (all zero), then serves until the broker closes (exit 0), the launcher dies (exit 4) or the broker breaks the rules
// (exit 4).
_Noreturn void cell_loop(struct cell *c, const struct cell_op *table);

// Sends c->rep, which carries no descriptors and no bytes, to the broker.
void cell_answer(struct cell *c);

// Handles one received request of n bytes: checks it, runs its handler, fills c->rep and out_fds[FDPASS_MAX] (unused entries -1).
// Returns false where the request breaks the rules.  For cell_loop() and the fuzz targets.
bool cell_handle(struct cell *c, const struct cell_op *table, const struct cell_req *q, size_t n, const int *fds, unsigned nfds, int *out_fds);

// Notes why an operation fails, for `return cell_fail(c, OPS_DENIED, "interface-prefix", 0);`.  rule is a constant; err is an errno or 0.
enum op_status cell_fail(struct cell *c, enum op_status status, const char *rule, int err);

// The same for a failed system call: picks the status from errno (ENOENT and ENODEV: not found, EEXIST: exists, EBUSY: busy, else io).
enum op_status cell_fail_errno(struct cell *c, const char *step, int err);

#endif
