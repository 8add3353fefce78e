// From a message's text to its handlers, and the errors on the way.
#ifndef POSTERN_POSTERND_RPC_H
#define POSTERN_POSTERND_RPC_H

#include <jansson.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

struct exchange;
struct request;

struct rpc_error {
	int code;
	const char *detail;
	const char *raw_id; // as written; NULL = null
	size_t raw_id_len;
	const char *kind, *hint, *holder; // of -32000, or NULL
	int err;                          // errno value, or 0
	enum rpc_right needed, held;      // of -32003
};

// Appends a whole error answer, {"jsonrpc":"2.0","error":{…},"id":…}.
void rpc_put_error(struct text *out, const struct rpc_error *e);

// Handles one message. Changes the text, and needs it no longer when it returns. The exchange is
// completed now or later; it may be gone when this returns.
void rpc_receive(struct exchange *x, char *text, size_t len);

// Takes a formed answer (NULL for a notification) out of its text into the exchange; completes it when it was the last.
void rpc_answered(struct exchange *x, struct text *json);

// Calls a method within the request `outer`: as its caller, but without asking his right, without a row in the audit, and without passing the gate.
// params (an object) stays the caller's, and must live until ended(rq, failed) is called, once, now or later: failed is NULL where it succeeded.
struct failure;
void rpc_call_inner(struct request *outer, enum rpc_method_id method, const json_t *params, void (*ended)(struct request *rq, const struct failure *failed),
                    void *arg);

// Makes the method index. False, logged, if the rows are at odds with themselves.
bool rpc_init(void);

// The method of this name, or NULL.
const struct rpc_method *rpc_find(const char *name);

#endif
