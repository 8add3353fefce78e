// Taps, for the methods that make them and for VMs.
#ifndef POSTERN_POSTERND_TAP_H
#define POSTERN_POSTERND_TAP_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/helper.h"
#include "unpriv/posternd/store.h"

#define TAP_POOL_MAX 256 // most that tap_pool may say

// Finds a name that no tap has and none had recently: <prefix>t<number>, the number one that rises.  False where there is none.
bool tap_free_name(const char *prefix, char out[16]);

// The helper's arguments for a tap as its row describes it.
void tap_args(const struct row_tap *row, struct op_tap_create_args *a);

#endif
