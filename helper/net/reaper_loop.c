// The reaper itself.  See reaper.h.
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter_reaper.h"
#include "helper/common/confine.h"
#include "helper/net/fds.h"
#include "helper/net/group.h"
#include "helper/net/reaper.h"
#include "helper/net/sys.h"
#include "helper/net/victims.h"

#define NAME  "postern-reaper"
#define BATCH (VICTIMS_MAX / WIRE_IFNAMES_MAX)

static struct victims victims;
static struct reaper_req requests[BATCH];
static struct reaper_rep answers[BATCH];

static void drop_rights(const struct cell *c, int cell_pid)
{
	static const struct confine_limit limits[] = {{RLIMIT_NOFILE, 64}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_DATA, 256u << 20}};
	const struct confine want = {
	    .name = NAME,
	    .uid = c->policy.ids.net_uid,
	    .gid = c->policy.ids.net_uid,
	    .caps = UINT64_C(1) << CAP_NET_ADMIN,
	    .mdwe = true,
	    .landlock = CONFINE_FS_DENY,
	    .limits = limits,
	    .nlimits = sizeof(limits) / sizeof(limits[0]),
	    .filter = filter_reaper,
	    .filter_len = filter_reaper_len,
	    .parent = cell_pid,
	};

	confine_or_refuse(&want);
}

// Receives one request, if there is one or wait says so.  False where there is none.
static bool next(struct reaper_req *q, bool wait)
{
	int fds[FDPASS_MAX];
	unsigned nfds;
	ssize_t n = fdpass_recv(NET_FD_REAPER, q, sizeof(*q), fds, &nfds, wait ? 0 : MSG_DONTWAIT);

	if (n == 0)
		_exit(HELPER_EXIT_PEER);
	if (n < 0 && errno == EAGAIN && !wait)
		return false;
	if (n != (ssize_t)sizeof(*q) || nfds != 0)
		_exit(HELPER_EXIT_DIED);
	return true;
}

static void note(struct cell *c, struct reaper_rep *r, enum op_status s)
{
	r->status = s;
	r->err = c->rep.err;
	memcpy(r->rule, c->rep.rule, sizeof(r->rule));
}

static void look_up(struct cell *c, const struct reaper_req *q, struct reaper_rep *r)
{
	memset(r, 0, sizeof(*r));
	memset(&c->rep, 0, sizeof(c->rep));
	r->id = q->id;
	note(c, r, victims_add(c, &q->args, &victims, &r->removed));
}

// Everything that waits, together; where the deletion fails, for all.
static void serve(struct cell *c)
{
	unsigned n = 0;
	uint32_t names = 0;
	int err;

	while (n < BATCH && next(&requests[n], n == 0))
		names += requests[n++].args.names.n;
	victims_begin(&victims, names);
	for (unsigned i = 0; i < n; i++)
		look_up(c, &requests[i], &answers[i]);
	err = victims_delete(&victims);
	for (unsigned i = 0; i < n; i++) {
		if (err != 0 && answers[i].status == OPS_OK && answers[i].removed > 0)
			note(c, &answers[i], cell_fail_errno(c, "delete", -err));
		if (fdpass_send(NET_FD_REAPER, &answers[i], sizeof(answers[i]), NULL, 0, 0) != 0)
			_exit(HELPER_EXIT_PEER);
	}
}

_Noreturn void reaper_main(struct cell *c, int cell_pid)
{
	c->name = NAME;
	group_space(GROUPS_OF_REAPER);
	// Of the cell's descriptors it keeps life and lock.
	if (prctl(PR_SET_NAME, NAME) != 0 || close_range(CELL_FD_PEER, CELL_FD_POLICY, 0) != 0 ||
	    close_range(CELL_FD_EXTRA, NET_FD_REAPER - 1, 0) != 0 || close_range(NET_FD_REAPER + 1, ~0u, 0) != 0)
		confine_refuse(NAME, "descriptors", errno);
	if (!sys_open_route())
		confine_refuse(NAME, "rtnetlink", errno);
	drop_rights(c, cell_pid);
	for (;;) {
		struct pollfd p[2] = {{.fd = NET_FD_REAPER, .events = POLLIN}, {.fd = CELL_FD_LIFE, .events = POLLIN}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(HELPER_EXIT_DIED);
		if (p[1].revents != 0)
			_exit(HELPER_EXIT_DIED);
		if (p[0].revents != 0)
			serve(c);
	}
}
