// jail_create: made from the outside in, each step harmless when it is found done, so that a helper killed at any point is finished by the next call.
// The record comes first of what matters: it says whose uid this is before anything belongs to that uid.
#include <errno.h>
#include <string.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

// What a look at all the jails finds.
struct census {
	uint32_t jails;
	bool uid_used; // by another VM
};

// look_at_vmm counts the jails of one VMM and looks for the uid in their records.
static int look_at_vmm(struct census *census, int vmm_dir, const char *but, uint32_t uid)
{
	struct jail_names names = {.dir = vmm_dir, .again = true};
	const char *id;
	int more;

	while ((more = jail_names_next(&names, &id)) > 0) {
		struct jail_record record;
		struct jail_vm other = {.dir = sys_open_dir(vmm_dir, id)};
		if (other.dir < 0)
			continue; // removed meanwhile, or nothing of ours
		census->jails++;
		if (jail_read_record(&other, &record) == 1 && record.uid == uid && (!but || strcmp(id, but) != 0))
			census->uid_used = true;
		jail_done(&other);
	}
	return more;
}

static int take_census(struct census *census, const struct op_jail_create_args *a)
{
	for (uint32_t vmm = 0; vmm <= VMM_MAX; vmm++) {
		int dir = sys_open_dir(jail_state.jail_root, layout_vmm(vmm));
		if (dir < 0 && errno == ENOENT)
			continue;
		int result = dir < 0 ? -1 : look_at_vmm(census, dir, vmm == a->vmm ? a->id : NULL, a->uid);
		sys_close(dir);
		if (result < 0)
			return -1;
	}
	return 0;
}

// make_dir makes one directory of the tree, or finds it, and gives it its owner and mode. Answers its descriptor.
static int make_dir(int at, const char *name, uint32_t uid, uint32_t gid, mode_t mode)
{
	if (sys_make_dir(at, name) < 0 && errno != EEXIST)
		return -1;
	int fd = sys_open_path(at, name);
	if (fd < 0)
		return -1;
	if (sys_chown(fd, uid, gid) == 0 && sys_chmod(fd, mode) == 0)
		return fd;
	int why = errno;
	sys_close(fd);
	errno = why;
	return -1;
}

// An empty cgroup is made anew: one that has been killed once kills whatever clone3 puts into it later (the kernel compares its kill_seq with that of
// the parent's own cgroup; seen on 6.18). One that holds processes stays as it is.
static int make_cgroup(int root, const char *name)
{
	(void)sys_rmdir(root, name);
	return sys_make_dir(root, name) < 0 && errno != EEXIST ? -1 : 0;
}

// The cgroups' mode 0700 keeps other users from reading limits and counters; cgroup.procs is root's in any case.
static enum op_status make_tree(struct cell *c, struct jail_vm *vm, const struct op_jail_create_args *a)
{
	uint32_t gid = c->policy.ids.daemon_gid;
	int vmm_dir = make_dir(jail_state.jail_root, layout_vmm(a->vmm), 0, gid, JAIL_DIR_MODE);
	int dir = vmm_dir < 0 ? -1 : make_dir(vmm_dir, a->id, 0, gid, JAIL_DIR_MODE);
	int why = errno;

	sys_close(vmm_dir);
	sys_close(dir);
	if (dir < 0)
		return cell_fail_errno(c, "make jail", why);
	vm->dir = sys_open_dir(jail_state.jail_root, vm->path);
	return vm->dir < 0 ? cell_fail_errno(c, "open jail", errno) : OPS_OK;
}

static enum op_status finish(struct cell *c, struct jail_vm *vm, uint32_t uid)
{
	struct jail_record record;
	int found = jail_read_record(vm, &record);

	if (found < 0)
		return cell_fail_errno(c, "read record", errno);
	if (found && record.uid != uid)
		return cell_fail(c, OPS_EXISTS, "uid", 0);
	if (!found) {
		record = (struct jail_record){.magic = JAIL_RECORD_MAGIC, .uid = uid};
		if (jail_write_record(vm, &record) < 0)
			return cell_fail_errno(c, "write record", errno);
	}
	int root = make_dir(vm->dir, JAIL_ROOT_DIR, uid, c->policy.ids.daemon_gid, JAIL_ROOT_MODE);
	if (root < 0)
		return cell_fail_errno(c, "make root", errno);
	sys_close(root);
	return jail_each_cgroup(make_cgroup, vm->cgroup) < 0 ? cell_fail_errno(c, "make cgroup", errno) : OPS_OK;
}

static enum op_status admit(struct cell *c, const struct op_jail_create_args *a, bool is_new)
{
	struct census census = {0};

	if (take_census(&census, a) < 0)
		return cell_fail_errno(c, "list jails", errno);
	if (census.uid_used)
		return cell_fail(c, OPS_BUSY, "uid", 0);
	if (is_new && census.jails >= c->policy.limits.jails)
		return cell_fail(c, OPS_QUOTA, "limit jails", 0);
	return OPS_OK;
}

enum op_status op_jail_create(struct cell *c, const struct op_jail_create_args *a, const int *fds, struct op_jail_create_res *r, int *out_fds)
{
	struct jail_vm vm;
	enum op_status status = jail_find(c, &vm, a->vmm, a->id);

	(void)fds, (void)out_fds;
	if (status != OPS_OK)
		return status;
	r->has_changed = true;
	r->changed = vm.dir < 0;
	status = admit(c, a, vm.dir < 0);
	if (status == OPS_OK && vm.dir < 0)
		status = make_tree(c, &vm, a);
	if (status == OPS_OK)
		status = finish(c, &vm, a->uid);
	jail_done(&vm);
	return status;
}
