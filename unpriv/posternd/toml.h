// A strict reader of TOML 1.0 documents, for configuration files: bounded in size, depth and number of
// values, and every value knows its line and column, so that whoever reads the tree can say where
// something is wrong. Dates and times are the one part of TOML left out: no key takes one.
#ifndef POSTERN_POSTERND_TOML_H
#define POSTERN_POSTERND_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/mem.h"

enum { TOML_BYTES_MAX = 1 << 20, TOML_DEPTH_MAX = 16, TOML_VALUES_MAX = 65536 };

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN, TOML_ARRAY, TOML_TABLE };

struct toml {
	enum toml_type type;
	int line, column; // from 1; columns count bytes
	const char *key;  // in a table; NULL in an array
	union {
		const char *string; // NUL-terminated; a document may not hold NUL
		int64_t integer;
		double number;
		bool boolean;
	};
	struct toml *first, *last, *next; // members of a table or array in order; next sibling
	unsigned how;                     // the reader's own: what may still be added to a table
};

// Reads text[0..len) into a tree in the arena. NULL = wrong: *error is "name:line:column: what", in the arena.
struct toml *toml_read(const char *name, const char *text, size_t len, struct arena *a, const char **error);

// "a string", "an integer", … for messages.
const char *toml_type_name(enum toml_type type);

// The member of a table by key, or NULL.
const struct toml *toml_get(const struct toml *table, const char *key);

#endif
