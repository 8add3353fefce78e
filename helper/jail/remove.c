// jail_remove: the way back, in an order in which a helper killed after any step is finished by the next call.
//
// The cgroups go first: a version 2 cgroup can't be removed while a process is in it, and nothing can be born into one that is gone, so that rmdir is
// the proof that the VM has ended, and it can't be overtaken by a jail_spawn. Then disks go back to the daemon, while the record still names them;
// then what the VM left; the record last.
#include <errno.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

#define MOST_ENTRIES 20000 // of one call: a VM that made a million files delays nobody else's request

static bool removed_cgroup;

static int remove_cgroup(int root, const char *name)
{
	if (sys_rmdir(root, name) < 0)
		return errno == ENOENT ? 0 : -1;
	removed_cgroup = true;
	return 0;
}

// give_back returns one disk, if it is still where it was and still what it was.
static int give_back(const struct policy_ids *ids, const struct jail_given *given, uint32_t uid)
{
	struct stat st;
	int file = sys_open_image(jail_state.image_root, given->path);
	int result = 0;

	if (file < 0) // moved or removed by its owner, the daemon: nothing to give back; any other error is one, and the record stays for the next call
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	if (sys_stat(file, &st) < 0)
		result = -1;
	else if (st.st_dev == given->dev && st.st_ino == given->ino && st.st_uid == uid)
		result = sys_chown(file, ids->daemon_uid, ids->daemon_gid);
	sys_close(file);
	return result;
}

static enum op_status give_all_back(struct cell *c, const struct jail_vm *vm)
{
	struct jail_record record;
	int found = jail_read_record(vm, &record);

	if (found < 0 && errno != EBADMSG)
		return cell_fail_errno(c, "read record", errno);
	for (uint32_t slot = 0; found > 0 && slot < JAIL_SLOTS; slot++) {
		const struct jail_given *given = &record.given[slot];
		if (given->used && given->writable && give_back(&c->policy.ids, given, record.uid) < 0)
			return cell_fail_errno(c, "give disk back", errno);
	}
	return OPS_OK;
}

static enum op_status remove_root(struct cell *c, const struct jail_vm *vm)
{
	int root = jail_open_taken(vm->dir, JAIL_ROOT_DIR);

	if (root < 0)
		return errno == ENOENT ? OPS_OK : cell_fail_errno(c, "open root", errno);
	int emptied = jail_empty(root, MOST_ENTRIES);
	int why = errno;
	sys_close(root);
	if (emptied < 0)
		return cell_fail_errno(c, "empty root", why);
	if (emptied == 0)
		return cell_fail(c, OPS_BUSY, "more to remove", 0);
	return sys_rmdir(vm->dir, JAIL_ROOT_DIR) < 0 ? cell_fail_errno(c, "remove root", errno) : OPS_OK;
}

static enum op_status remove_files(struct cell *c, const struct jail_vm *vm)
{
	static const char *const names[] = {JAIL_KEEPER_NEW, JAIL_KEEPER, JAIL_RECORD_NEW, JAIL_RECORD};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (sys_unlink(vm->dir, names[i]) < 0 && errno != ENOENT)
			return cell_fail_errno(c, "remove record", errno);
	return sys_rmdir(jail_state.jail_root, vm->path) < 0 ? cell_fail_errno(c, "remove jail", errno) : OPS_OK;
}

enum op_status op_jail_remove(struct cell *c, const struct op_jail_remove_args *a, const int *fds, struct op_jail_remove_res *r, int *out_fds)
{
	struct jail_vm vm;
	enum op_status status = jail_find(c, &vm, a->vmm, a->id);

	(void)fds, (void)out_fds;
	if (status != OPS_OK)
		return status;
	removed_cgroup = false;
	if (jail_each_cgroup(remove_cgroup, vm.cgroup) < 0)
		status = errno == EBUSY ? cell_fail(c, OPS_BUSY, "cgroup", 0) : cell_fail_errno(c, "remove cgroup", errno);
	r->has_changed = true;
	r->changed = vm.dir >= 0 || removed_cgroup;
	if (status == OPS_OK && vm.dir >= 0)
		status = give_all_back(c, &vm);
	if (status == OPS_OK && vm.dir >= 0)
		status = remove_root(c, &vm);
	if (status == OPS_OK && vm.dir >= 0)
		status = remove_files(c, &vm);
	jail_done(&vm);
	return status;
}
