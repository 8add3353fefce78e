// The rows' checks once more, on structs that crossed a socket: a cell doesn't trust the broker, nor the broker a cell.
#ifndef HELPER_COMMON_RECHECK_H
#define HELPER_COMMON_RECHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/wire.h"

// True when each field of the struct in holds what its row allows: flags are 0 or 1, texts end inside their array and have their kind's
// alphabet, numbers lie in their range.  A required field is looked at whatever its has_… says, as wire_encode() does; an
// optional one that is absent must be all zero, for handlers may read it without asking.  Kinds that borrow bytes can't
// be in such a struct and fail.
bool recheck(const struct wire_field *fields, size_t n, const void *in);

#endif
