// A strict scanner over JSON text (RFC 8259). It builds nothing: it proves that the text is one valid
// value within our limits, and says where each value lies, so that the envelope can be read, and an id
// cut out, before any tree is built. Beyond the grammar it refuses NUL in strings, bytes that aren't
// UTF-8, lone surrogates, nesting over SCAN_DEPTH and integers outside of 64 bits. Duplicate keys are
// left to the caller.
#ifndef POSTERN_POSTERND_SCAN_H
#define POSTERN_POSTERND_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "unpriv/posternd/mem.h"

enum { SCAN_DEPTH = 32 };

// Where a value lies in the text; a string's span is without its quotes, escapes not yet resolved.
struct span {
	char *at;
	size_t len;
};

enum scan_type { SCAN_NULL, SCAN_BOOLEAN, SCAN_NUMBER, SCAN_STRING, SCAN_ARRAY, SCAN_OBJECT };

struct scan {
	char *start, *at, *end;
	const char *why;     // what is wrong at `at`, once a call has returned false
	bool number_too_big; // the last scan_value was an integer that int64_t can't hold: fine for an id
};

struct scanned {
	enum scan_type type;
	struct span span; // the whole value as written, quotes included
	bool empty;       // of an array or object: has no members
};

void scan_init(struct scan *s, char *text, size_t len);

// Skips white space; then true if the next byte is c, which is consumed.
bool scan_eat(struct scan *s, char c);

// The next byte after white space, '\0' at the end of the text.
char scan_peek(struct scan *s);

// Scans a string with its quotes; raw is what is between them.
bool scan_string(struct scan *s, struct span *raw);

// Scans one value at nesting level `depth` (1 = outermost).
bool scan_value(struct scan *s, int depth, struct scanned *out);

// True if only white space is left; sets `why` otherwise.
bool scan_end(struct scan *s);

// Says what is wrong and returns false.
bool scan_fail(struct scan *s, const char *why);

// True where a raw string, its escapes resolved, is the given ASCII text.
bool span_is(struct span raw, const char *text);

// Resolves the escapes of a scanned string into the arena, NUL-terminated.
char *span_decode(struct span raw, struct arena *a);

#endif
