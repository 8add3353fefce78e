// The asynchronous client of the privileged helper: the only way by which anything with privilege happens.
//
// Every operation of helper.def has a typed function priv_<op>(args, fds, done, arg).  It packs and returns at once; done(arg, reply) is
// called later, in the loop, exactly once: with the helper's answer, or with outcome PRIV_INTERRUPTED when the helper died with the operation
// in flight (it may or may not have happened) or didn't come back in HELPER_WAIT_MS.  Any number may be in flight; what doesn't fit into the
// socket waits here in order.  While there is no helper, operations wait for the next one.
#ifndef POSTERN_POSTERND_HELPER_CLIENT_H
#define POSTERN_POSTERND_HELPER_CLIENT_H

#include <stdbool.h>

#include "proto/helper.h"

#define HELPER_WAIT_MS   5000 // for a helper to come back, before a waiting operation is given up
#define HELPER_IN_FLIGHT 1024 // waiting and sent together; beyond, an operation fails with EAGAIN

struct event_base;

enum priv_outcome {
	PRIV_ANSWERED,    // status, and what belongs to it
	PRIV_INTERRUPTED, // no answer, and none will come
};

// Lives until the callback returns.
struct priv_reply {
	enum priv_outcome outcome;
	enum op_id op;
	enum op_status status;   // PRIV_ANSWERED only
	const union op_res *res; // OPS_OK only
	uint32_t err;            // errno of a failure, or 0
	const char *rule;        // what refused, "" if nothing did
	int *fds;                // OPS_OK: op_rows[op].nresfds of them, -1 where there is none; see priv_take
};

typedef void priv_cb(void *arg, const struct priv_reply *r);

// True when it was done.
static inline bool priv_ok(const struct priv_reply *r)
{
	return r->outcome == PRIV_ANSWERED && r->status == OPS_OK;
}

// Takes a descriptor out of the reply, -1 if there is none; those left in it are closed after the callback.
int priv_take(const struct priv_reply *r, unsigned i);

// A sentence for people: "denied by policy (bridge)", "interrupted: the helper was restarted" …; valid until the next call.
const char *priv_error(const struct priv_reply *r);

// Starts an operation.  fds: op_rows[op].nfds of them, -1 where an optional one is missing, or NULL where the row has none; duplicated, so that
// the caller keeps its own.  Returns 0, or an errno (EAGAIN: too many; EMFILE; EINVAL: the arguments don't fit a packet) and then never calls done.
int priv_call(enum op_id op, const void *args, const int *fds, priv_cb *done, void *arg);

#define OP(id, cell, cap, doc, why)                                                                                                                  \
	static inline int priv_##id(const struct op_##id##_args *args, const int *fds, priv_cb *done, void *arg)                                     \
	{                                                                                                                                            \
		return priv_call(OP_##id, args, fds, done, arg);                                                                                     \
	}
#include "proto/helper.def"

// Makes the client; it has no helper yet.
bool helper_client_start(struct event_base *base);

// Takes over a socket to a new helper and says hello on it.  An older one is given up.
void helper_client_attach(int fd);

// True between the helper's hello and its death.
bool helper_client_ready(void);

// Called at each hello of a new helper; one listener.  NULL takes it away.
void helper_client_on_ready(void (*ready)(void *arg), void *arg);

// Called when the socket has ended (malformed: the helper sent what no helper sends).
void helper_client_on_gone(void (*gone)(bool malformed));

// Fails what is in flight and closes.
void helper_client_stop(void);

#endif
