// sysctl_set: a closed list of keys, 0 or 1.
#include <errno.h>

#include "helper/common/cell.h"
#include "helper/net/checkpoint.h"
#include "helper/net/sys.h"

enum op_status op_sysctl_set(struct cell *c, const struct op_sysctl_set_args *a, const int *fds, struct op_sysctl_set_res *r, int *out_fds)
{
	bool on;
	int err = sys_sysctl_get(a->key, &on);

	(void)fds;
	(void)out_fds;
	if (err == -ENOENT)
		return cell_fail(c, OPS_UNSUPPORTED, "the kernel has no such sysctl", ENOENT);
	if (err == 0 && on != a->on) {
		checkpoint_note_sysctl(a->key, on);
		err = sys_sysctl_set(a->key, a->on);
	}
	if (err != 0)
		return cell_fail_errno(c, "sysctl", -err);
	r->changed = on != a->on;
	return OPS_OK;
}
