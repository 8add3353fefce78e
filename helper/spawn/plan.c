// From the jail's record to descriptors: everything that has a name on the host is looked up here, in the cell, once, and pinned; the child gets
// detached mounts of exactly the inodes that were compared with the record.
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "helper/common/rootpath.h"
#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"

#define READ_ONLY    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define PIDS_DEFAULT 512

void plan_init(struct spawn_plan *plan)
{
	*plan = (struct spawn_plan){.base = -1, .run = -1, .cgroup = -1, .spec = -1, .report = -1};
	for (int i = 0; i < JAIL_SLOTS; i++)
		plan->given[i] = -1;
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		plan->v1[i] = -1;
	for (int i = 0; i < SPAWN_TAPS; i++)
		plan->taps[i] = -1;
}

void plan_drop(struct spawn_plan *plan)
{
	sys_close(plan->base);
	sys_close(plan->run);
	sys_close(plan->cgroup);
	for (int i = 0; i < JAIL_SLOTS; i++)
		sys_close(plan->given[i]);
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		sys_close(plan->v1[i]);
	plan_init(plan);
}

// Seals and kinds were asked by the loop (helper/common/rules.c).
static void take_passed(struct spawn_plan *plan, const int *fds)
{
	plan->spec = fds[FD_jail_spawn_spec];
	for (int i = 0; i < SPAWN_TAPS; i++)
		plan->taps[i] = fds[FD_jail_spawn_tap0 + i];
}

// The base and all above it are root's, and nobody else may write there: asked at each start, for vmm-base replaces it while the helper runs.
static enum op_status open_base(struct cell *c, struct spawn_plan *plan, const char *path)
{
	struct stat st;

	int fd = sys_open_policy(path);
	if (fd < 0 || sys_stat(fd, &st) < 0) {
		int why = errno;
		sys_close(fd);
		return why == EPERM || why == ELOOP ? cell_fail(c, OPS_DENIED, "vmm", why) : cell_fail_errno(c, "open base", why);
	}
	bool safe = rootpath_alone(&st);
	if (safe && S_ISDIR(st.st_mode))
		plan->base = sys_clone_tree(fd, READ_ONLY);
	int why = errno;
	sys_close(fd);
	if (!safe)
		return cell_fail(c, OPS_DENIED, "vmm", 0);
	if (!S_ISDIR(st.st_mode))
		return cell_fail(c, OPS_UNSUPPORTED, "vmm", 0);
	return plan->base < 0 ? cell_fail_errno(c, "clone base", why) : OPS_OK;
}

// open_given pins one file of the record, if it is still the one that jail_give compared.
static enum op_status open_given(struct cell *c, const struct jail_given *given, uint32_t uid, int *mount)
{
	struct stat st;
	uint64_t attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (given->writable ? 0 : MOUNT_ATTR_RDONLY);
	int file = sys_open_path(spawn_state.image_root, given->path);

	if (file < 0)
		return cell_fail_errno(c, "open image", errno);
	bool same = sys_stat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == given->dev && st.st_ino == given->ino;
	if (same && given->writable)
		same = st.st_nlink == 1 && st.st_uid == uid;
	if (same)
		*mount = sys_clone_tree(file, attr);
	int why = errno;
	sys_close(file);
	if (!same)
		return cell_fail(c, OPS_DENIED, "same file", 0);
	return *mount < 0 ? cell_fail_errno(c, "bind image", why) : OPS_OK;
}

static enum op_status open_run(struct cell *c, struct spawn_plan *plan, int jail)
{
	struct stat st;
	int root = sys_open_path(jail, JAIL_ROOT_DIR);

	if (root < 0)
		return cell_fail_errno(c, "open root", errno);
	bool ours = sys_stat(root, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == plan->uid;
	if (ours)
		plan->run = sys_clone_tree(root, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int why = errno;
	sys_close(root);
	if (!ours)
		return cell_fail(c, OPS_DENIED, "jail root", 0);
	return plan->run < 0 ? cell_fail_errno(c, "bind root", why) : OPS_OK;
}

static enum op_status open_jail(struct cell *c, struct spawn_plan *plan, int jail)
{
	struct jail_record record;
	ssize_t got = sys_read(jail, JAIL_RECORD, &record, sizeof record);

	if (got < 0)
		return cell_fail_errno(c, "record", errno);
	if (!layout_record_ok(&record, (size_t)got) || !policy_in_range(&c->policy.uids, record.uid))
		return cell_fail(c, OPS_DENIED, "record", 0);
	plan->uid = record.uid;
	enum op_status status = open_run(c, plan, jail);
	for (uint32_t slot = 0; slot < JAIL_SLOTS && status == OPS_OK; slot++)
		if (record.given[slot].used)
			status = open_given(c, &record.given[slot], record.uid, &plan->given[slot]);
	return status;
}

enum op_status plan_make(struct cell *c, struct spawn_plan *plan, const struct op_jail_spawn_args *a, const int *fds)
{
	char path[JAIL_NAME_SIZE];
	enum op_status status = open_base(c, plan, c->policy.jail.vmm[a->vmm]);

	take_passed(plan, fds);
	if (status != OPS_OK)
		return status;
	plan->id = a->id;
	plan->kvm = c->policy.jail.kvm;
	plan->pids_max = a->has_pids_max ? a->pids_max : PIDS_DEFAULT;
	layout_path(path, a->vmm, a->id);
	int jail = sys_open_dir(spawn_state.jail_root, path);
	if (jail < 0)
		return cell_fail_errno(c, "jail", errno);
	status = open_jail(c, plan, jail);
	sys_close(jail);
	return status;
}
