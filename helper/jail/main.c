// postern-jail: the cell that keeps the trees, files and cgroups of VMs, and hands their sockets to the daemon.
//
// Runs as uid 0, because jails and cgroups are root's, with the daemon's gid, so that it may search a VM's directory (2710) without a capability for
// it, and with three capabilities: CHOWN and FOWNER give things away and take them back, KILL sends the one signal of jail_signal. No capability
// reads or writes past permission bits. Its root is one of its own, with jails, images and cgroups in it and no other file of the host: what CHOWN
// and FOWNER are good for ends there.
//
//	layout.c  names and the record          create.c  jail_create        kill.c    jail_kill, jail_signal
//	cgroup.c  where cgroups live            give.c    jail_give          remove.c  jail_remove, with empty.c
//	common.c  finding a VM                  grant.c   grant_*            sys.c     every system call
//	enclose.c  the root of its own
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/stat.h>

#define CELL_IS_JAIL
#include "filter_jail.h"
#include "helper/common/cell.h"
#include "helper/common/cell_table.h"
#include "helper/common/confine.h"
#include "helper/common/rootpath.h"
#include "helper/jail/enclose.h"
#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

#define NAME "postern-jail"

// open_root opens a directory that root's policy names: all above it must be nobody else's to change.
static int open_root(const char *path, const char *keyword)
{
	if (!path[0])
		return -1;
	int fd = rootpath_open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		confine_refuse(NAME, keyword, errno);
	return fd;
}

static void check_jail_root(int fd)
{
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !rootpath_alone(&st)))
		confine_refuse(NAME, "jail-root: must be root's, and writable by nobody else", 0);
}

static void open_all(const struct policy *policy)
{
	jail_state.jail_root = open_root(policy->jail.jail_root, "jail-root");
	jail_state.image_root = open_root(policy->jail.image_root, "image-root");
	check_jail_root(jail_state.jail_root);
	if (jail_state.jail_root < 0)
		return;
	const char *failed = cgroup_open(&jail_state.cgroups, policy->jail.cgroup_root);
	if (failed)
		confine_refuse(NAME, failed, errno);
}

static void prepare(const struct policy *policy)
{
	int proc = -1;
	const struct enclose_tree trees[] = {
	    {"proc", &proc},
	    {"jails", &jail_state.jail_root},
	    {"images", &jail_state.image_root},
	    {"cgroup", &jail_state.cgroups.v2},
	    {"cgroup-cpu", &jail_state.cgroups.v1[CGROUP_CPU]},
	    {"cgroup-memory", &jail_state.cgroups.v1[CGROUP_MEMORY]},
	    {"cgroup-pids", &jail_state.cgroups.v1[CGROUP_PIDS]},
	};

	if (enclose_begin() < 0)
		confine_refuse(NAME, "mount namespace", errno);
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	open_all(policy);
	if (proc < 0 || enclose(trees, sizeof trees / sizeof *trees) < 0)
		confine_refuse(NAME, "root of its own", errno);
	if (sys_prepare(proc) < 0)
		confine_refuse(NAME, "/proc", errno);
}

#define TREE_RIGHTS                                                                                                                                  \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |                  \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | ALL_MAKE)
// Moving what a VM made to another parent asks for the right to make it there.
#define ALL_MAKE                                                                                                                                     \
	(LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_CHAR |                  \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define CGROUP_RIGHTS                                                                                                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |                  \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR)

static void give_up_rights(const struct cell *c)
{
	struct confine_path paths[2 + CGROUP_CONTROLLERS];
	size_t npaths = 0;

	if (jail_state.jail_root >= 0) {
		paths[npaths++] = (struct confine_path){jail_state.jail_root, TREE_RIGHTS};
		paths[npaths++] = (struct confine_path){jail_state.cgroups.v2, CGROUP_RIGHTS};
		for (int i = 0; i < CGROUP_CONTROLLERS; i++)
			if (jail_state.cgroups.v1[i] >= 0)
				paths[npaths++] = (struct confine_path){jail_state.cgroups.v1[i], CGROUP_RIGHTS};
	}
	const struct confine how = {
	    .name = NAME,
	    .gid = c->policy.ids.daemon_gid,
	    .caps = 1u << CAP_CHOWN | 1u << CAP_FOWNER | 1u << CAP_KILL,
	    .mdwe = true,
	    .signals_out = true,
	    .landlock = CONFINE_FS_DENY,
	    .paths = paths,
	    .npaths = npaths,
	    .filter = filter_jail,
	    .filter_len = filter_jail_len,
	    .parent = c->policy.launcher,
	};
	confine_or_refuse(&how);
}

int main(void)
{
	static struct cell cell;

	cell_start(&cell, NAME);
	prepare(&cell.policy);
	give_up_rights(&cell);
	cell.tick_ms = -1;
	cell_loop(&cell, cell_table);
}
