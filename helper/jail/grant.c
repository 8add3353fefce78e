// grant_api, grant_vsock, grant_console: hands a socket that a VMM or keeper made inside its jail to the daemon.
//
// The caller names the VM, not a path; the shape is <vmm>/<id>/root/<leaf>, and each operation knows its one leaf. The walk goes down from the jail
// root without a symlink. The leaf is pinned by an O_PATH descriptor before it is looked at, and everything after is done to that descriptor, so
// swapping the name changes nothing. It goes to root first: from then on the VM's uid can't change its mode behind our back. The daemon gets the
// descriptor and connects through it, because the directory is the VM's and any name in it can be swapped.
#include <errno.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

#define SOCKET_MODE 0660

// may_grant: made by the VM, or found half or wholly granted; and with no second name.
static bool may_grant(struct cell *c, const struct stat *st, uint32_t uid)
{
	return st->st_nlink == 1 && (st->st_uid == uid || st->st_uid == 0 || st->st_uid == c->policy.ids.daemon_uid);
}

static enum op_status hand_over(struct cell *c, int leaf, uint32_t uid)
{
	const struct policy_ids *ids = &c->policy.ids;
	struct stat st;

	if (sys_stat(leaf, &st) < 0)
		return cell_fail_errno(c, "stat socket", errno);
	if (!S_ISSOCK(st.st_mode))
		return cell_fail(c, OPS_DENIED, "socket", 0);
	if (!may_grant(c, &st, uid))
		return cell_fail(c, OPS_DENIED, "socket owner", 0);
	if (sys_chown(leaf, 0, ids->daemon_gid) < 0 || sys_chmod(leaf, SOCKET_MODE) < 0 || sys_chown(leaf, ids->daemon_uid, ids->daemon_gid) < 0)
		return cell_fail_errno(c, "grant socket", errno);
	return OPS_OK;
}

// A part that isn't there yet is pending; one that is something else is refused.
static enum op_status missing(struct cell *c, const char *what)
{
	if (errno == ENOENT)
		return cell_fail(c, OPS_PENDING, what, 0);
	return errno == ELOOP || errno == EXDEV || errno == ENOTDIR ? cell_fail(c, OPS_DENIED, what, errno) : cell_fail_errno(c, what, errno);
}

static enum op_status grant_leaf(struct cell *c, const struct jail_vm *vm, const char *name, int *out)
{
	struct jail_record record;
	struct stat st;
	int found = jail_read_record(vm, &record);

	if (found <= 0)
		return found ? cell_fail_errno(c, "read record", errno) : cell_fail(c, OPS_PENDING, "record", 0);
	int root = sys_open_path(vm->dir, JAIL_ROOT_DIR);
	if (root < 0)
		return missing(c, "jail root");
	if (sys_stat(root, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != record.uid) {
		sys_close(root);
		return cell_fail(c, OPS_DENIED, "jail root", 0);
	}
	int leaf = sys_open_path(root, name);
	enum op_status status = leaf < 0 ? missing(c, "socket") : hand_over(c, leaf, record.uid);
	sys_close(root);
	if (status == OPS_OK)
		*out = leaf;
	else
		sys_close(leaf);
	return status;
}

static enum op_status grant(struct cell *c, uint32_t vmm, const wire_vmid id, const char *name, int *out)
{
	struct jail_vm vm;
	enum op_status status = jail_find(c, &vm, vmm, id);

	if (status != OPS_OK)
		return status;
	status = vm.dir < 0 ? cell_fail(c, OPS_PENDING, "jail", 0) : grant_leaf(c, &vm, name, out);
	jail_done(&vm);
	return status;
}

enum op_status op_grant_api(struct cell *c, const struct op_grant_api_args *a, const int *fds, struct op_grant_api_res *r, int *out_fds)
{
	(void)fds, (void)r;
	return grant(c, a->vmm, a->id, "api.socket", &out_fds[RESFD_grant_api_socket]);
}

enum op_status op_grant_vsock(struct cell *c, const struct op_grant_vsock_args *a, const int *fds, struct op_grant_vsock_res *r, int *out_fds)
{
	(void)fds, (void)r;
	return grant(c, a->vmm, a->id, "vsock.sock", &out_fds[RESFD_grant_vsock_socket]);
}

enum op_status op_grant_console(struct cell *c, const struct op_grant_console_args *a, const int *fds, struct op_grant_console_res *r, int *out_fds)
{
	(void)fds, (void)r;
	return grant(c, a->vmm, a->id, "console.sock", &out_fds[RESFD_grant_console_socket]);
}
