// A method's result struct to JSON text.
#ifndef POSTERN_POSTERND_ROWS_WRITE_H
#define POSTERN_POSTERND_ROWS_WRITE_H

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

struct page {
	uint32_t limit;     // 0 = no limit
	const char *cursor; // only what sorts after this key, or NULL
};

// Appends the result object. A paged list may come in any order: it is sorted by its key, cut by
// `page`, and followed by next_cursor where more is left. Writes get `changed`.
void rows_write(const struct rpc_method *method, const void *result, const struct page *page, struct text *out);

// Appends one value, for a list that is written as its elements come.
void rows_write_value(struct text *out, enum rpc_kind kind, const void *in);

#endif
