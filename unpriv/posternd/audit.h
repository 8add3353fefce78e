// The audit trail's loop side: one row before a write, one after it, and refusals.
//
// The row before is committed before the handler runs, the row after before the answer leaves; both carry the same request number.  What
// was refused is written one by one up to AUDIT_REFUSALS a minute for each identity and method, and counted beyond, so that a stranger can't
// fill the disk.
#ifndef POSTERN_POSTERND_AUDIT_H
#define POSTERN_POSTERND_AUDIT_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/rpc.h"
#include "unpriv/posternd/store.h"

#define AUDIT_REFUSALS   10 // rows a minute
#define AUDIT_WINDOW_S   60
#define AUDIT_COUNTERS   256  // identities and methods told apart at one time; the rest share one
#define AUDIT_PARAMS_MAX 8192 // bytes of parameters in a row

// The module's start and stop; the store must run.
bool audit_start(void);
void audit_stop(void);

// A line of its own: what isn't a request (a connection to a VM's console, an adoption).  result: "ok", "refused" …
// done may be NULL.
void audit_note(const char *identity, const char *method, const char *params, const char *result, store_cb *done, void *arg);

// A refusal, counted and aggregated.
void audit_refusal(const char *identity, const char *method, const char *params, const char *why);

// The parameters as JSON text, secrets removed: stdin, the values of env, and of names that say secret, password or token.
// The caller frees it.
char *audit_params(const struct rpc_method *m, const json_t *params);

#endif
