// postern-vol: the cell that mounts and unmounts, below one directory that is postern's alone.
//
// Runs as its own uid with SYS_ADMIN, and neither uid 0 nor a capability that overrides permissions: it can attach what policy lists, and cannot read
// it.
//
//	mount.c   mount, unmount            source.c  from a name to a pinned block device
//	target.c  below the mount root      mountinfo.c  what is mounted already        sys.c  every system call
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CELL_IS_VOL
#include "filter_vol.h"
#include "helper/common/cell.h"
#include "helper/common/cell_table.h"
#include "helper/common/confine.h"
#include "helper/common/rootpath.h"
#include "helper/vol/sys.h"
#include "helper/vol/vol.h"

#define NAME "postern-vol"

// The mount root belongs to this cell's uid, so that it makes mount points without a capability. Nobody but root may choose what that directory is.
static int open_mount_root(const struct policy *policy)
{
	if (!policy->vol.mount_root[0])
		return -1;
	int fd = rootpath_open(policy->vol.mount_root, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fchown(fd, policy->ids.vol_uid, policy->ids.vol_uid) < 0 || fchmod(fd, 0755) < 0)
		confine_refuse(NAME, "mount-root", errno);
	return fd;
}

static void prepare(const struct policy *policy)
{
	if (sys_prepare() < 0)
		confine_refuse(NAME, "/proc", errno);
	vol_state.dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (vol_state.dev < 0)
		confine_refuse(NAME, "/dev", errno);
	vol_state.mount_root = open_mount_root(policy);
}

// No Landlock file system rule: under one, move_mount(2) is refused.
static void give_up_rights(const struct cell *c)
{
	static const struct confine_limit limits[] = {{RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}};
	const struct confine how = {
	    .name = NAME,
	    .uid = c->policy.ids.vol_uid,
	    .gid = c->policy.ids.vol_uid,
	    .caps = 1u << CAP_SYS_ADMIN,
	    .mdwe = true,
	    .landlock = CONFINE_FS_FREE,
	    .limits = limits,
	    .nlimits = sizeof limits / sizeof limits[0],
	    .filter = filter_vol,
	    .filter_len = filter_vol_len,
	    .parent = c->policy.launcher,
	};
	confine_or_refuse(&how);
}

int main(void)
{
	static struct cell cell;

	cell_start(&cell, NAME);
	prepare(&cell.policy);
	umask(022); // whoever may use a mount passes through the directories that were made for it
	give_up_rights(&cell);
	cell.tick_ms = -1;
	cell_loop(&cell, cell_table);
}
