// links_del without the reaper: in the process of a test, where the kernel's answers can be made to fail.
#ifndef TESTS_LIB_LINKS_DEL_H
#define TESTS_LIB_LINKS_DEL_H

#include "helper/net/victims.h"

enum op_status op_links_del(struct cell *c, const struct op_links_del_args *a, const int *fds, struct op_links_del_res *r, int *out_fds)
{
	static struct victims v;
	enum op_status s;
	int err;

	(void)fds;
	(void)out_fds;
	victims_begin(&v, a->names.n);
	s = victims_add(c, a, &v, &r->removed);
	if (s != OPS_OK)
		return s;
	err = victims_delete(&v);
	return err == 0 ? OPS_OK : cell_fail_errno(c, "delete", -err);
}

#endif
