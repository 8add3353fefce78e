// postern-spawn: the cell that starts VMs. It forks one child per request, which becomes the keeper of a VM, in the VM's jail, as the VM's uid, or
// which connects to Open vSwitch.
//
// Runs as uid 0, because the record and the cgroups are root's, with the daemon's gid for the way to images, and with four capabilities: SYS_ADMIN
// for mounts, namespaces and pivot_root, MKNOD for the three nodes of a jail's /dev, SETUID and SETGID for the step down. The filter is the union of
// the cell's own calls, its children's and what a VMM may do later, since a filter is inherited; each child loads the VM's own, tighter one before
// exec.
//
//	spawn.c  jail_spawn                 plan.c   record and names to descriptors    limits.c  cgroup limits
//	child.c  the steps of a child       ovs.c    ovs_socket, and its child        sys.c    every system call
//
// Children outlive the cell: they have no parent-death signal and none of its descriptors.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>

#define CELL_IS_SPAWN
#include "filter_spawn.h"
#include "helper/common/cell.h"
#include "helper/common/cell_table.h"
#include "helper/common/confine.h"
#include "helper/common/rootpath.h"
#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"

#define NAME    "postern-spawn"
#define REAP_MS 1000

static int open_root(const char *path, const char *keyword)
{
	if (!path[0])
		return -1;
	int fd = rootpath_open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		confine_refuse(NAME, keyword, errno);
	return fd;
}

static void prepare(const struct policy *policy)
{
	if (sys_prepare() < 0)
		confine_refuse(NAME, "/proc", errno);
	spawn_state.jail_root = open_root(policy->jail.jail_root, "jail-root");
	spawn_state.image_root = open_root(policy->jail.image_root, "image-root");
	if (spawn_state.jail_root < 0)
		return;
	const char *failed = cgroup_open(&spawn_state.cgroups, policy->jail.cgroup_root);
	if (failed)
		confine_refuse(NAME, failed, errno);
}

// No Landlock file system rule: under one, move_mount(2) is refused. No MDWE: a VMM's translator makes code, and the setting is inherited.
static void give_up_rights(const struct cell *c)
{
	const struct confine how = {
	    .name = NAME,
	    .gid = c->policy.ids.daemon_gid,
	    .caps = 1u << CAP_SYS_ADMIN | 1u << CAP_MKNOD | 1u << CAP_SETUID | 1u << CAP_SETGID,
	    .landlock = CONFINE_FS_FREE,
	    .filter = filter_spawn,
	    .filter_len = filter_spawn_len,
	    .parent = c->policy.launcher,
	};
	confine_or_refuse(&how);
}

static void reap(struct cell *c)
{
	(void)c;
	sys_reap();
}

int main(void)
{
	static struct cell cell;

	cell_start(&cell, NAME);
	prepare(&cell.policy);
	umask(0); // each mode is said where something is made: the nodes of a jail's /dev are everybody's
	give_up_rights(&cell);
	cell.tick = reap;
	cell.tick_ms = REAP_MS;
	cell_loop(&cell, cell_table);
}
