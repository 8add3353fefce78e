// Mounts, for the methods that make them and for the restart that puts them back.
#ifndef POSTERN_POSTERND_MOUNTS_H
#define POSTERN_POSTERND_MOUNTS_H

#include "proto/helper.h"
#include "unpriv/posternd/store.h"

// The helper's arguments for a mount as its row describes it.
void mount_args(const struct row_mount *row, struct op_mount_args *a);

#endif
