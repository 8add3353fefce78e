// Links that are to be deleted: looked up, found to be ours, and deleted together.
#ifndef HELPER_NET_VICTIMS_H
#define HELPER_NET_VICTIMS_H

#include "helper/common/cell.h"

#define VICTIMS_MAX (64u * WIRE_IFNAMES_MAX) // of several requests

struct victims {
	uint32_t n;
	uint32_t index[VICTIMS_MAX];
};

// Begins with none.  names: how many will be asked for; many are looked up in one list of all links, few one by one.
void victims_begin(struct victims *v, uint32_t names);

// Adds the links of one request, of which there must be room for WIRE_IFNAMES_MAX; *removed is how many there were.  One that isn't ours refuses the
// request, and none of it is added; one that is gone, or among the victims already, is passed over.
enum op_status victims_add(struct cell *c, const struct op_links_del_args *a, struct victims *v, uint32_t *removed);

// Deletes them, or none of them.  Returns 0 or -errno.
int victims_delete(const struct victims *v);

// All of it at once, and the caller waits: for a checkpoint's rollback, which goes on with what then is there.
enum op_status victims_now(struct cell *c, const struct op_links_del_args *a, uint32_t *removed);

#endif
