// postern-net: links, taps, addresses, the firewall table and a few sysctls, with NET_ADMIN and nothing else, under a uid of its own.
//
// Ownership is read from the kernel in the request that uses it: a link is ours when its alias begins with our mark, an address when its
// IFA_PROTO is ours, a firewall rule when it stands in table inet postern.  What isn't ours is denied, not changed.
#define CELL_IS_NET
#include "helper/common/cell_table.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "filter_net.h"
#include "helper/common/confine.h"
#include "helper/net/checkpoint.h"
#include "helper/net/ct_forward.h"
#include "helper/net/lease_relay.h"
#include "helper/net/reaper.h"
#include "helper/net/stream.h"
#include "helper/net/sys.h"

#define NAME "postern-net"

static void drop_rights(const struct cell *c, const struct confine_path *paths, size_t npaths)
{
	static const struct confine_limit limits[] = {{RLIMIT_NOFILE, 64}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, CHECKPOINT_FILE_MAX}, {RLIMIT_DATA, 256u << 20}};
	const struct confine want = {
	    .name = NAME,
	    .uid = c->policy.ids.net_uid,
	    .gid = c->policy.ids.net_uid,
	    .caps = UINT64_C(1) << CAP_NET_ADMIN,
	    .mdwe = true,
	    .landlock = CONFINE_FS_DENY,
	    .paths = paths,
	    .npaths = npaths,
	    .limits = limits,
	    .nlimits = sizeof(limits) / sizeof(limits[0]),
	    .filter = filter_net,
	    .filter_len = filter_net_len,
	    .parent = c->policy.launcher,
	};

	confine_or_refuse(&want);
}

static void tick(struct cell *c)
{
	ct_forward_tick();
	streams_tick(c);
	checkpoint_tick(c);
}

int main(void)
{
	static struct cell cell;
	struct confine_path paths[SYS_PATHS_MAX];
	size_t npaths;
	const char *failed;

	cell_start(&cell, NAME);
	reaper_start(&cell);
	failed = sys_open(paths, &npaths);
	if (failed != NULL)
		confine_refuse(NAME, failed, errno);
	cell.tick = tick;
	drop_rights(&cell, paths, npaths);
	checkpoint_start(&cell);
	cell.watch = lease_watch;
	cell.watched = lease_watched;
	cell_loop(&cell, cell_table);
}
