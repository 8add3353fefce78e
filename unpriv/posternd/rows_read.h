// JSON parameters to a method's C struct, with every check that the rows describe.
#ifndef POSTERN_POSTERND_ROWS_READ_H
#define POSTERN_POSTERND_ROWS_READ_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

// What the machinery gives to many methods, beside those of the rows.
struct common_params {
	bool dry_run;   // every WRITE and ADMIN method
	uint32_t limit; // every method with a paged result; 0 = all
	const char *cursor;
};

// Compiles the kinds' patterns; once, before anything is read. False, logged, if a row's pattern is malformed.
bool rows_init(void);
void rows_finish(void);

// Reads `params` (object, array or NULL) into `out`, which is zeroed and of method->params_size bytes.
// Texts are borrowed from `params`, lists come from the arena. Returns NULL, or what is wrong, naming
// the parameter, what was given and what is allowed.
const char *rows_read(const struct rpc_method *method, const json_t *params, void *out, struct common_params *common, struct arena *a);

// True for methods that take limit and cursor; then *page is the list they page.
bool rows_paged(const struct rpc_method *method, const struct rpc_field **page);

// What rows say about a text: length, pattern, and what a pattern can't say (an address must parse,
// a path may have no "..", a hardware address must be unicast).
bool kind_allows_text(enum rpc_kind kind, const char *text, size_t len);

#endif
