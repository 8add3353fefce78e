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

// The same for a paged method in parts: everything but the list's elements, each of them, and the end.
void rows_list_begin(const struct rpc_method *method, const void *result, struct text *out);
// The bytes of an element.
size_t rows_list_element(const struct rpc_method *method);
// Appends an element, and makes *cursor what a page that ends with it says of the next one.
void rows_list_put(const struct rpc_method *method, const void *element, struct text *cursor, struct text *out);
// cursor: NULL where no page follows.
void rows_list_end(const struct text *cursor, struct text *out);

#endif
