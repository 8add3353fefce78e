// Taps, for the methods that make them and for VMs.
#ifndef POSTERN_POSTERND_TAP_H
#define POSTERN_POSTERND_TAP_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/helper.h"
#include "unpriv/posternd/store.h"

// Finds a name that no tap has and that isn't among taken[0..ntaken): <prefix>t<number>.  False where there is none.
bool tap_free_name(const char *prefix, char out[16], const char (*taken)[16], size_t ntaken);

// The helper's arguments for a tap as its row describes it.
void tap_args(const struct row_tap *row, struct op_tap_create_args *a);

#endif
