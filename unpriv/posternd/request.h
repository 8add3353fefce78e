// One JSON-RPC call as a handler sees it. By the time rpc_<id>() runs, the caller's right has been
// checked and the parameters have passed every check of their rows. A handler ends, at once or later,
// with exactly one reply_<id>() or one fail…(); after that the request is gone. It outlives its client:
// when the client has left, the answer is dropped, the audit row is not.
//
//   void rpc_net_bridge_add(struct request *rq, const struct rpc_net_bridge_add_params *p);
//
// The declarations of all handlers and replies are made here from the rows, so a method without a
// handler fails the link by its name.
#ifndef POSTERN_POSTERND_REQUEST_H
#define POSTERN_POSTERND_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

struct exchange;
struct failure;

struct request {
	uint64_t id; // unique in this process: "rid" in logs and audit rows
	const struct rpc_method *method;
	enum rpc_method_id method_id;
	enum rpc_right right; // the caller's right for this method
	const char *identity; // "uid:1000", "token:1f2e3d4c"
	const char *tenant;   // whom what is made belongs to; NULL = the host
	uint32_t uid;         // the caller's uid by SO_PEERCRED
	bool dry_run;         // say what would change, change nothing
	uint32_t limit;       // of a paged method: most elements wanted, 0 = all
	const char *cursor;   // of a paged method: only elements after this key, or NULL
	const json_t *params; // as the client wrote them (object, array or NULL), for the audit
	struct arena *arena;  // lives as long as the request
	uint64_t started_ns;  // CLOCK_MONOTONIC
	void *audit;          // the audit hooks' own
	bool gated;           // the gate's own
	// A call that another request makes: called at its end instead of an answer, with code and result; failed: what an error would have said.
	void (*inner_end)(struct request *rq, const struct failure *failed);
	void *inner_arg;

	struct exchange *exchange; // from here on private to rpc.c and rpc_reply.c
	const char *raw_id;        // as written; NULL for a notification
	size_t raw_id_len;
	struct text held;   // the answer, while the audit commits
	int code;           // 0, or the error code answered
	const char *result; // "ok", or the kind of failure
};

#define METHOD(id, name, right, doc) void rpc_##id(struct request *rq, const struct rpc_##id##_params *p);
#include "proto/rpc.def"

// Who sent it: for a handler whose answer depends on the rights for other methods too.
struct caller;
const struct caller *request_caller(const struct request *rq);

// Answers with the result struct of the request's method; everything in it is read before this returns.
void request_reply(struct request *rq, const void *result);

// Answers with ready JSON text instead of a result struct (rpc.discover, whose result is the document).
void request_reply_raw(struct request *rq, const char *json, size_t len);

// Answers with a long list of a paged method, made in slices between which the loop serves others.
struct reply_list {
	size_t n; // elements behind the cursor, by their keys; where that is more than the limit, next_cursor is given
	// Fills the i'th; false leaves it out.  What it points at lives in `scratch`, or as long as the request.
	bool (*fill)(void *arg, size_t i, struct arena *scratch, void *element);
	void *arg; // lives as long as the request
};
// `result`: the other members; its list isn't read.
void request_reply_list(struct request *rq, const void *result, const struct reply_list *l);

// Drops the answers that are being made.
void request_reply_stop(void);

// What the two above are made of: the answer's beginning, behind which the result goes, and its end.  Not of a notification.
struct text *request_result_begin(struct request *rq);
void request_result_end(struct request *rq);

#define METHOD(id, name, right, doc)                                                                                                                 \
	static inline void reply_##id(struct request *rq, const struct rpc_##id##_result *result)                                                    \
	{                                                                                                                                            \
		request_reply(rq, result);                                                                                                           \
	}
#include "proto/rpc.def"

// A failure in full: error -32000 with data {kind, detail, hint?, errno?, holder?}.
struct failure {
	enum fail_kind kind;
	const char *detail; // what happened, with names and numbers
	const char *hint;   // one sentence that tells a person what to do, or NULL
	const char *holder; // what holds the thing that is busy, or NULL
	int err;            // errno value, or 0
};
void fail_with(struct request *rq, const struct failure *f);

__attribute__((format(printf, 3, 4))) void fail(struct request *rq, enum fail_kind kind, const char *detail, ...);
__attribute__((format(printf, 4, 5))) void fail_hint(struct request *rq, enum fail_kind kind, const char *hint, const char *detail, ...);
__attribute__((format(printf, 4, 5))) void fail_errno(struct request *rq, enum fail_kind kind, int err, const char *detail, ...);

// -32602, for what rows can't say (two parameters that exclude each other). Name the parameter, what
// was given and what is allowed.
__attribute__((format(printf, 2, 3))) void fail_params(struct request *rq, const char *detail, ...);

// -32603: something that can't happen did; the detail is logged, not sent.
__attribute__((format(printf, 2, 3))) void fail_internal(struct request *rq, const char *detail, ...);

// Called around every WRITE and ADMIN request. The store sets them; without them writes go unaudited.
struct audit_hooks {
	// Before the handler: make the pending row, then call go(rq), now or later. rq->audit is yours.
	void (*begin)(struct request *rq, void (*go)(struct request *rq));
	// After the handler: rq->code and rq->result say how it ended. Close the row, then call send(rq)
	// once it is committed; the answer leaves then.
	void (*end)(struct request *rq, void (*send)(struct request *rq));
	// A write that was refused (right too low, no identity, bad parameters): no answer waits for it.
	void (*refused)(struct request *rq, int code, const char *why);
};
void audit_set_hooks(const struct audit_hooks *hooks);

#endif
