// jail_spawn: one child per request, born into its cgroup. The order: everything is checked and pinned, limits are set, then the fork; the answer is
// sent when the keeper has been executed, or when the child said which step failed.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"

#define CHILD_TIMEOUT_MS 10000

struct spawn_state spawn_state = {.jail_root = -1, .image_root = -1};

// open_cgroups opens what the child joins. A cgroup that isn't empty is a VM that runs.
static enum op_status open_cgroups(struct cell *c, struct spawn_plan *plan, const char *cgroup)
{
	char events[128] = "", path[JAIL_NAME_SIZE + 16];

	plan->cgroup = sys_open_dir(spawn_state.cgroups.v2, cgroup);
	if (plan->cgroup < 0 || sys_read(plan->cgroup, "cgroup.events", events, sizeof events - 1) < 0)
		return cell_fail_errno(c, "cgroup", errno);
	if (!strstr(events, "populated 0"))
		return cell_fail(c, OPS_BUSY, "running", 0);
	snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
	for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
		if (spawn_state.cgroups.v1[i] < 0)
			continue;
		plan->v1[i] = sys_open_write(spawn_state.cgroups.v1[i], path);
		if (plan->v1[i] < 0)
			return cell_fail_errno(c, "cgroup", errno);
	}
	return OPS_OK;
}

// wait_for_exec answers once the child is the keeper. A child that hangs is killed through its cgroup: its uid may be out of reach by then.
static enum op_status wait_for_exec(struct cell *c, const struct spawn_plan *plan, int report)
{
	struct spawn_failure failure;
	ssize_t got = sys_read_report(report, &failure, sizeof failure, CHILD_TIMEOUT_MS);

	if (got == 0)
		return OPS_OK;
	if (got == sizeof failure)
		return cell_fail(c, OPS_IO, child_step_name(failure.step), failure.err);
	int why = got < 0 ? errno : EPROTO;
	sys_write(plan->cgroup, "cgroup.kill", "1");
	return cell_fail(c, OPS_IO, "child", why);
}

// fork_child answers with the pidfd in *pidfd. In the child it doesn't return.
static enum op_status fork_child(struct cell *c, struct spawn_plan *plan, int *pid, int *pidfd)
{
	int ends[2];

	if (sys_pipe(ends) < 0)
		return cell_fail_errno(c, "pipe", errno);
	plan->report = ends[1];
	*pid = sys_fork(plan->cgroup, pidfd);
	if (*pid == 0)
		child_run(plan);
	int why = errno;
	sys_close(ends[1]);
	enum op_status status = *pid < 0 ? cell_fail_errno(c, "clone3", why) : wait_for_exec(c, plan, ends[0]);
	sys_close(ends[0]);
	return status;
}

// note_keeper tells the jail cell whom jail_signal means.
static int note_keeper(const char *path, const struct jail_keeper *keeper)
{
	int dir = sys_open_dir(spawn_state.jail_root, path);
	if (dir < 0)
		return -1;
	sys_unlink(dir, JAIL_KEEPER_NEW);
	int result = sys_create(dir, JAIL_KEEPER_NEW, keeper, sizeof *keeper);
	if (result == 0)
		result = sys_rename(dir, JAIL_KEEPER_NEW, JAIL_KEEPER);
	int why = errno;
	sys_close(dir);
	errno = why;
	return result;
}

static enum op_status spawn(struct cell *c, struct spawn_plan *plan, const struct op_jail_spawn_args *a, struct jail_keeper *keeper, int *pidfd)
{
	char path[JAIL_NAME_SIZE], cgroup[JAIL_NAME_SIZE];
	int pid = -1;

	layout_path(path, a->vmm, a->id);
	layout_cgroup(cgroup, a->vmm, a->id);
	enum op_status status = open_cgroups(c, plan, cgroup);
	if (status == OPS_OK)
		status = limits_set(c, plan, cgroup, a);
	if (status == OPS_OK)
		status = fork_child(c, plan, &pid, pidfd);
	if (status != OPS_OK)
		return status;
	*keeper = (struct jail_keeper){.magic = JAIL_KEEPER_MAGIC, .pid = (uint32_t)pid};
	if (sys_start_time(pid, &keeper->start_time) < 0 || note_keeper(path, keeper) < 0) {
		status = cell_fail_errno(c, "note keeper", errno);
		sys_write(plan->cgroup, "cgroup.kill", "1");
	}
	return status;
}

enum op_status op_jail_spawn(struct cell *c, const struct op_jail_spawn_args *a, const int *fds, struct op_jail_spawn_res *r, int *out_fds)
{
	struct spawn_plan plan;
	struct jail_keeper keeper;

	plan_init(&plan);
	enum op_status status = plan_make(c, &plan, a, fds);
	if (status == OPS_OK)
		status = spawn(c, &plan, a, &keeper, &out_fds[RESFD_jail_spawn_pidfd]);
	plan_drop(&plan);
	if (status != OPS_OK)
		return status;
	r->has_pid = r->has_start_time = true;
	r->pid = keeper.pid;
	r->start_time = keeper.start_time;
	return OPS_OK;
}
