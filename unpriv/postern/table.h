// Answers as text for people, laid out from the rows: plain results as "name  value" lines, objects the same way with their members,
// lists of objects as tables whose columns are the object's plain members.
#ifndef POSTERN_UNPRIV_POSTERN_TABLE_H
#define POSTERN_UNPRIV_POSTERN_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "proto/rpc.h"

struct table_style {
	size_t width; // of the terminal; columns that may be absent are dropped, from the right, until a table fits
	bool colour;  // headings in bold
};

// Prints a method's result.
void table_result(FILE *out, const struct rpc_method *m, const json_t *result, const struct table_style *style);

// Prints one list of objects described by `fields` (ended by a NULL name).
void table_list(FILE *out, const struct rpc_field *fields, const json_t *list, const struct table_style *style);

// Characters that a UTF-8 text takes on a terminal, counting each code point as one.
size_t table_text_width(const char *text);

#endif
