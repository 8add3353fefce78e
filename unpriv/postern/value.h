// Words of a command line as JSON values, by the kinds of the rows.
#ifndef POSTERN_UNPRIV_POSTERN_VALUE_H
#define POSTERN_UNPRIV_POSTERN_VALUE_H

#include <jansson.h>

#include "proto/rpc.h"

// One value of a kind from its text: objects as JSON or key=value,key=value, maps as JSON or key=value.
// Returns a new reference, or NULL with a sentence in why.  Patterns of texts are the daemon's to check.
json_t *value_read(enum rpc_kind kind, const char *text, char *why, size_t why_size);

// Puts what `text` says for a field into params: appends to a list (elements apart by commas where the kind can't hold one, or a
// JSON array), merges into a map, sets anything else and refuses to set it twice.  Returns false with a sentence in why.
bool value_put(json_t *params, const struct rpc_field *f, const char *text, char *why, size_t why_size);

#endif
