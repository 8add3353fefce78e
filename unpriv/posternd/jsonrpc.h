// Reads a JSON-RPC 2.0 message: is it one call or a batch, and what does each envelope say. Pure.
#ifndef POSTERN_POSTERND_JSONRPC_H
#define POSTERN_POSTERND_JSONRPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/scan.h"

enum { BATCH_MAX = 1024 };

struct call {
	const char *invalid; // what makes it no valid request (-32600), or NULL
	const char *id;      // raw token as written, in the arena; NULL = a notification
	size_t id_len;
	const char *method; // in the arena, NULL if there is none
	bool has_params;
	bool has_version, has_id, has_method; // keys seen
	struct span id_span;                  // in the text
};

struct message {
	bool batch;
	bool too_long; // a batch of over BATCH_MAX calls: `calls` holds the first, without parameters
	size_t n;
	struct call *calls; // in the arena
	json_t *tree;       // the caller drops it; NULL where no call has anything a tree is needed for
	char why[160];      // what is wrong with the text
};

// Reads text[0..len), which it may change. False = not JSON or beyond a limit (-32700, m->why).
// An empty batch has n == 0. Call i's parameters are jsonrpc_params(m, i).
bool jsonrpc_read(struct message *m, char *text, size_t len, struct arena *a);

// An object, an array, or NULL for none or an empty one.
const json_t *jsonrpc_params(const struct message *m, size_t i);

#endif
