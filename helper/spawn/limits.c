// The VM's cgroup limits, written before the child is born into the cgroup. Kernel files: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"

#define PERIOD_US 100000u // of the cpu controller, its default

// write_limit writes `text` to the file of the controller that this host has.
static int write_limit(const char *cgroup, enum cgroup_controller controller, const char *v2_file, const char *v1_file, const char *text)
{
	const struct cgroup_roots *roots = &spawn_state.cgroups;
	char path[JAIL_NAME_SIZE + 32];

	if (!roots->in_v2[controller] && roots->v1[controller] < 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	snprintf(path, sizeof path, "%s/%s", cgroup, roots->in_v2[controller] ? v2_file : v1_file);
	return sys_write(roots->in_v2[controller] ? roots->v2 : roots->v1[controller], path, text);
}

static int limit_cpu(const char *cgroup, uint32_t percent)
{
	char text[48];
	uint64_t quota = (uint64_t)percent * PERIOD_US / 100;

	if (spawn_state.cgroups.in_v2[CGROUP_CPU])
		snprintf(text, sizeof text, "%" PRIu64 " %u", quota, PERIOD_US);
	else
		snprintf(text, sizeof text, "%" PRIu64, quota);
	return write_limit(cgroup, CGROUP_CPU, "cpu.max", "cpu.cfs_quota_us", text);
}

static int limit_memory(const char *cgroup, uint32_t mib)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, (uint64_t)mib << 20);
	return write_limit(cgroup, CGROUP_MEMORY, "memory.max", "memory.limit_in_bytes", text);
}

static int limit_pids(const char *cgroup, uint32_t most)
{
	char text[16];

	snprintf(text, sizeof text, "%u", most);
	return write_limit(cgroup, CGROUP_PIDS, "pids.max", "pids.max", text);
}

static enum op_status failed(struct cell *c, const char *what)
{
	return errno == EOPNOTSUPP ? cell_fail(c, OPS_UNSUPPORTED, what, 0) : cell_fail_errno(c, what, errno);
}

// A limit that is asked for and can't be set is a failure; the limit on processes always holds where the host has the controller, for it has a
// default.
enum op_status limits_set(struct cell *c, const struct spawn_plan *plan, const char *cgroup, const struct op_jail_spawn_args *a)
{
	if (a->has_cpu_percent && limit_cpu(cgroup, a->cpu_percent) < 0)
		return failed(c, "cpu limit");
	if (a->has_memory_max_mib && limit_memory(cgroup, a->memory_max_mib) < 0)
		return failed(c, "memory limit");
	if (limit_pids(cgroup, plan->pids_max) < 0 && (a->has_pids_max || errno != EOPNOTSUPP))
		return failed(c, "pids limit");
	return OPS_OK;
}
