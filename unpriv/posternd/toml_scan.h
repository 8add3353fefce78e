// The parts that the two halves of the TOML reader share: toml.c reads the structure, toml_value.c scalars.
#ifndef POSTERN_POSTERND_TOML_SCAN_H
#define POSTERN_POSTERND_TOML_SCAN_H

#include "unpriv/posternd/toml.h"

struct toml_reader {
	const char *name;
	const char *at, *end, *line_start;
	int line;
	int values;
	struct arena *a;
	const char *error; // the first
};

// Notes the error at the reader's place (or at `where`) and returns false.
__attribute__((format(printf, 2, 3))) bool toml_wrong(struct toml_reader *r, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) bool toml_wrong_at(struct toml_reader *r, const struct toml *where, const char *fmt, ...);

// The next byte, '\0' at the end.
char toml_peek(const struct toml_reader *r);

// Any of the four kinds of strings. `multi` allows those that go over several lines.
bool toml_string(struct toml_reader *r, bool multi, const char **out);

// A boolean, integer or float; sets v->type.
bool toml_bare_value(struct toml_reader *r, struct toml *v);

#endif
