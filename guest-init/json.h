// A small strict JSON reader (RFC 8259) that flattens a document into (path, key, text) calls.
//
// {"network":[{"mtu":1500,"addresses":["10.0.0.2/24"]}]} becomes
//
//	network[]             starts an element of an array of objects, text NULL
//	network[].mtu         "1500"
//	network[].addresses[] "10.0.0.2/24"
//
// It works inside the caller's buffer: strings are unescaped and NUL-terminated where they stand.  No allocation, depth at most 6.
#ifndef POSTERN_GUEST_INIT_JSON_H
#define POSTERN_GUEST_INIT_JSON_H

#include <stdbool.h>
#include <stddef.h>

// Takes one value.  path is the callee's only during the call; key is its last name, borrowed from the document, as is text, which
// is the string, the number as written, "true", "false" or "null".  False refuses the document.
typedef bool json_take(void *ctx, const char *path, char *key, char *text);

// Reads doc[0..len), which gets overwritten.  Returns NULL, or what is wrong; *at is then where (bytes).
const char *json_read(char *doc, size_t len, json_take *take, void *ctx, size_t *at);

#endif
