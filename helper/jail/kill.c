// jail_kill and jail_signal: ending a VM. Both reach processes through the VM's version 2 cgroup alone, where every process of the VM was born.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

// open_cgroup answers the VM's version 2 cgroup, -1 with errno.
static int open_cgroup(const struct jail_vm *vm)
{
	return sys_open_dir(jail_state.cgroups.v2, vm->cgroup);
}

enum op_status op_jail_kill(struct cell *c, const struct op_jail_kill_args *a, const int *fds, struct op_jail_kill_res *r, int *out_fds)
{
	char events[128] = "";
	struct jail_vm vm;
	enum op_status status = jail_find(c, &vm, a->vmm, a->id);

	(void)fds, (void)out_fds;
	if (status != OPS_OK)
		return status;
	jail_done(&vm);
	r->has_empty = true;
	int cgroup = open_cgroup(&vm);
	if (cgroup < 0 && errno == ENOENT) {
		r->empty = true;
		return OPS_OK;
	}
	if (cgroup < 0 || sys_write(cgroup, "cgroup.kill", "1") < 0 || sys_read(cgroup, "cgroup.events", events, sizeof events - 1) < 0)
		status = cell_fail_errno(c, "cgroup.kill", errno);
	r->empty = strstr(events, "populated 0") != NULL;
	sys_close(cgroup);
	return status;
}

// lists_pid reads cgroup.procs; only the first page of it, in which the keeper, the VM's oldest process, stands.
static bool lists_pid(int cgroup, uint32_t pid)
{
	char text[4096], *rest = text;
	ssize_t got = sys_read(cgroup, "cgroup.procs", text, sizeof text - 1);

	if (got < 0)
		return false;
	text[got] = '\0';
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line && strtoul(line, NULL, 10) == pid)
			return true;
	return false;
}

// The pid is only a hint: the descriptor is opened first, then the cgroup must still hold that pid and the process must be the VM's. So a pid that
// was used again elsewhere is never signalled.
static enum op_status signal_keeper(struct cell *c, const struct jail_vm *vm, int cgroup, int signal)
{
	struct jail_keeper keeper;
	struct jail_record record;
	uint32_t uid;

	if (jail_read_record(vm, &record) != 1)
		return cell_fail(c, OPS_NOT_FOUND, "record", 0);
	ssize_t got = sys_read(vm->dir, JAIL_KEEPER, &keeper, sizeof keeper);
	if (got != sizeof keeper || keeper.magic != JAIL_KEEPER_MAGIC)
		return cell_fail(c, OPS_NOT_FOUND, "keeper", 0);
	int pidfd = sys_pidfd(keeper.pid);
	if (pidfd < 0)
		return cell_fail(c, OPS_NOT_FOUND, "keeper", 0);
	enum op_status status = OPS_OK;
	if (!lists_pid(cgroup, keeper.pid))
		status = cell_fail(c, OPS_NOT_FOUND, "keeper", 0);
	else if (sys_process_uid(keeper.pid, &uid) < 0 || uid != record.uid)
		status = cell_fail(c, OPS_DENIED, "keeper's uid", 0);
	else if (sys_signal(pidfd, signal) < 0)
		status = cell_fail_errno(c, "signal", errno);
	sys_close(pidfd);
	return status;
}

enum op_status op_jail_signal(struct cell *c, const struct op_jail_signal_args *a, const int *fds, struct op_jail_signal_res *r, int *out_fds)
{
	struct jail_vm vm;
	enum op_status status = jail_find(c, &vm, a->vmm, a->id);

	(void)fds, (void)r, (void)out_fds;
	if (status != OPS_OK)
		return status;
	int cgroup = open_cgroup(&vm);
	if (vm.dir < 0 || cgroup < 0)
		status = cell_fail(c, OPS_NOT_FOUND, "jail", 0);
	else
		status = signal_keeper(c, &vm, cgroup, a->kill ? SIGKILL : SIGTERM);
	sys_close(cgroup);
	jail_done(&vm);
	return status;
}
