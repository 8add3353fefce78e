// Fills structs from a TOML tree by rows: the one place that knows what "unknown key", "wrong type" and
// "out of range" read like.
#ifndef POSTERN_POSTERND_TOML_ROWS_H
#define POSTERN_POSTERND_TOML_ROWS_H

#include "unpriv/posternd/toml.h"

enum toml_row_type { ROW_STRING, ROW_INTEGER, ROW_BOOLEAN, ROW_STRINGS, ROW_TABLE, ROW_TABLES };

// A list of strings; NULL-terminated as well.
struct strings {
	size_t n;
	const char **v;
};

struct toml_file {
	const char *name;
	struct arena *a;
	const char *error; // the first; "name:line:column: what"
};

struct toml_row {
	const char *key; // NULL ends the rows
	enum toml_row_type type;
	size_t offset;    // of a const char *, int64_t, bool or struct strings
	int64_t min, max; // of an integer
	bool required;
	const struct toml_row *rows; // ROW_TABLE: of the table, into the same struct
	// ROW_TABLES: called for each element of [[key]]; false = f->error is set.
	bool (*element)(struct toml_file *f, const struct toml *table, void *out);
};

// Fills `out` from the members of `table`. Strings are borrowed from the tree.
bool toml_fill(struct toml_file *f, const struct toml *table, const struct toml_row *rows, void *out);

// Reads a whole file (at most TOML_BYTES_MAX) into a tree. NULL = f->error says why; with `optional` an
// absent file is an empty table.
const struct toml *toml_load(struct toml_file *f, bool optional);

// Notes an error at a value's place and returns false.
__attribute__((format(printf, 3, 4))) bool toml_complain(struct toml_file *f, const struct toml *at, const char *fmt, ...);

#endif
