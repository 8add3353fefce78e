// The rows' checks once more, on structs that crossed a socket: a cell doesn't trust the broker, nor the broker a cell.
#ifndef HELPER_COMMON_RECHECK_H
#define HELPER_COMMON_RECHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/wire.h"

// True when each field of the struct in holds what its row allows: flags are 0 or 1, texts end inside their array and have their kind's
// alphabet, numbers lie in their range.  A required field is looked at whatever its has_… says, as wire_encode() does; an
// optional one that is absent must be all zero, for handlers may read it without asking.  Bytes stand behind such a struct, and in it only
// their number, with no pointer; a list of them can't be in one and fails.
bool recheck(const struct wire_field *fields, size_t n, const void *in);

// The struct's field of kind `bytes`; NULL where it has none.
struct mp_slice *recheck_bytes(const struct wire_field *fields, size_t n, void *in);

#endif
