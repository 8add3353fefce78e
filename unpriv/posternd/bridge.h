// Bridges, as their rows describe them.
#ifndef POSTERN_POSTERND_BRIDGE_H
#define POSTERN_POSTERND_BRIDGE_H

#include "proto/helper.h"
#include "unpriv/posternd/store.h"

// The helper's arguments for making one.  bridge_up_args() must follow: what is made here isn't up, and has another MTU than the row's.
void bridge_args(const struct row_bridge *row, struct op_link_add_args *a);

// The helper's arguments for what a bridge that is there must have: up, the row's MTU and MAC.
void bridge_up_args(const struct row_bridge *row, struct op_link_set_args *a);

#endif
