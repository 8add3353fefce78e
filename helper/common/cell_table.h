// The dispatch table of one cell, made from the rows.  Included once a cell, after one of CELL_IS_NET, CELL_IS_VOL, CELL_IS_JAIL or
// CELL_IS_SPAWN is defined.  A row of this cell without its handler op_<id>() fails the link by name.
#ifndef HELPER_COMMON_CELL_TABLE_H
#define HELPER_COMMON_CELL_TABLE_H

#include "helper/common/cell.h"

#ifdef CELL_IS_NET
#define CELL_NET_(x) x
#else
#define CELL_NET_(x)
#endif
#ifdef CELL_IS_VOL
#define CELL_VOL_(x) x
#else
#define CELL_VOL_(x)
#endif
#ifdef CELL_IS_JAIL
#define CELL_JAIL_(x) x
#else
#define CELL_JAIL_(x)
#endif
#ifdef CELL_IS_SPAWN
#define CELL_SPAWN_(x) x
#else
#define CELL_SPAWN_(x)
#endif

// A twin of each handler with the common signature: picks its members of the two unions.
#define CELL_TWIN_(id)                                                                                                                               \
	static enum op_status run_##id(struct cell *c, const union op_args *a, const int *fds, union op_res *r, int *out)                            \
	{                                                                                                                                            \
		return op_##id(c, &a->id, fds, &r->id, out);                                                                                         \
	}

#define OP(id, cell_, cap, doc, why) CELL_##cell_##_(CELL_TWIN_(id))
#include "proto/helper.def"

static const struct cell_op cell_table[OP_COUNT] = {
#define OP(id, cell_, cap, doc, why) CELL_##cell_##_([OP_##id] = {run_##id} COMMA_)
#define COMMA_                       ,
#include "proto/helper.def"
#undef COMMA_
};

#endif
