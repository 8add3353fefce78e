// event_socket, uplinks: what the daemon needs to see for itself that something has changed, and what it is allowed.
#include <string.h>

#include "helper/common/cell.h"
#include "helper/net/sys.h"

enum op_status op_event_socket(struct cell *c, const struct op_event_socket_args *a, const int *fds, struct op_event_socket_res *r, int *out_fds)
{
	int fd = sys_event_socket();

	(void)a;
	(void)fds;
	(void)r;
	if (fd < 0)
		return cell_fail_errno(c, "event socket", -fd);
	out_fds[RESFD_event_socket_socket] = fd;
	return OPS_OK;
}

enum op_status op_uplinks(struct cell *c, const struct op_uplinks_args *a, const int *fds, struct op_uplinks_res *r, int *out_fds)
{
	(void)a;
	(void)fds;
	(void)out_fds;
	for (uint32_t i = 0; i < c->policy.net.uplinks.n && r->names.n < WIRE_IFNAMES_MAX; i++)
		memcpy(r->names.v[r->names.n++], c->policy.net.uplinks.v[i], sizeof(r->names.v[0]));
	return OPS_OK;
}
