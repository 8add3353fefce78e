// Runs release binaries of cells as the launcher would, on the real kernel, and speaks the broker's side of their sockets.
//
//	struct cell_run jail;
//	cells_world(&policy, "jail-test");          private mount namespace, tmpfs with jail, image and mount roots, a policy for them
//	cells_start(&jail, "postern-jail", &policy);
//	status = cells_call(&jail, OP_jail_create, &args, fds, nfds, &reply, out);
//	cells_stop(&jail); cells_world_end(&policy);
//
// Needs root. The binaries are $BUILD/bin/*, BUILD as `make` exports it to tests (default build).
#ifndef TESTS_LIB_CELLS_H
#define TESTS_LIB_CELLS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/common/cell.h"
#include "tests/lib/test.h"

#define CELLS_BASE "/run/postern-cells"
#define CELLS_DAEMON 64990u
#define CELLS_UID 900000u

struct cell_run {
	pid_t pid;
	int sock, life;
	uint32_t next;
};

static inline const char *cells_build(void)
{
	const char *build = getenv("BUILD");
	return build ? build : "build";
}

static inline void cells_must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("not ok - the ground of this test stands: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline const char *cells_v2_mount(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
}

// cells_world makes the tree and fills a policy that names it. One per process.
static inline void cells_world(struct policy *p, const char *name)
{
	static const char *const dirs[] = {CELLS_BASE "/jail", CELLS_BASE "/img", CELLS_BASE "/mnt", CELLS_BASE "/out"};

	cells_must(geteuid() == 0, "needs root");
	cells_must(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount namespace");
	cells_must(mkdir(CELLS_BASE, 0755) == 0 || errno == EEXIST, CELLS_BASE);
	cells_must(mount("tmpfs", CELLS_BASE, "tmpfs", 0, "mode=0755") == 0, "tmpfs");
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		cells_must(mkdir(dirs[i], 0755) == 0, dirs[i]);
	memset(p, 0, sizeof *p);
	p->size = sizeof *p;
	p->ids = (struct policy_ids){CELLS_DAEMON, CELLS_DAEMON, 64991, 64992, 64993};
	p->uids = (struct policy_range){CELLS_UID, CELLS_UID + 999};
	p->limits = (struct policy_limits){16, 16, 8, 1000};
	snprintf(p->jail.jail_root, POLICY_PATH, CELLS_BASE "/jail");
	snprintf(p->jail.image_root, POLICY_PATH, CELLS_BASE "/img");
	snprintf(p->jail.cgroup_root, POLICY_PATH, "%s/postern-test-%s-%d", cells_v2_mount(), name, getpid());
	snprintf(p->jail.vmm[VMM_QEMU], POLICY_PATH, CELLS_BASE "/base");
	snprintf(p->vol.mount_root, POLICY_PATH, CELLS_BASE "/mnt");
}

// cells_base prepares QEMU's base directory.
static inline void cells_base(void)
{
	char command[512];

	snprintf(command, sizeof command, "helper/vmm-base --programs %s/bin " CELLS_BASE "/base >&2", cells_build());
	cells_must(system(command) == 0, "vmm-base");
}

// cells_world_end removes what would stay: the cgroups, in version 2 and in each version 1 hierarchy. Jails must be removed before.
static inline void cells_world_end(const struct policy *p)
{
	const char *leaf = strrchr(p->jail.cgroup_root, '/') + 1;
	char path[POLICY_PATH + 64];

	snprintf(path, sizeof path, "find /sys/fs/cgroup/*/%s /sys/fs/cgroup/%s -depth -type d -exec rmdir {} + 2>/dev/null", leaf, leaf);
	if (system(path) < 0)
		return;
	umount2(CELLS_BASE, MNT_DETACH);
	rmdir(CELLS_BASE);
}

static inline int cells_memfd(const void *bytes, size_t size)
{
	int fd = memfd_create("cells", MFD_ALLOW_SEALING);

	cells_must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "memfd");
	cells_must(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0, "seals");
	return fd;
}

// In the child: the cell's fixed descriptors, nothing else.
static inline void cells_exec(const char *path, const char *name, int sock, const struct policy *policy, int life)
{
	struct policy part = *policy;
	int fds[4];

	part.launcher = getppid();
	fds[0] = fcntl(sock, F_DUPFD, 64);
	fds[1] = fcntl(cells_memfd(&part, sizeof part), F_DUPFD, 64);
	fds[2] = fcntl(life, F_DUPFD, 64);
	fds[3] = fcntl(open("/dev/null", O_RDONLY), F_DUPFD, 64);
	for (int i = 0; i < 4; i++)
		dup2(fds[i], CELL_FD_PEER + i);
	close_range(CELL_FD_EXTRA, ~0u, 0);
	execl(path, name, (char *)NULL);
	_exit(127);
}

static inline void cells_start(struct cell_run *run, const char *name, const struct policy *policy)
{
	static struct cell_rep ready;
	char path[512];
	int pair[2], life[2], none[FDPASS_MAX];
	unsigned got;

	snprintf(path, sizeof path, "%s/bin/%s", cells_build(), name);
	fflush(stdout);
	cells_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 && pipe2(life, O_CLOEXEC) == 0, "socket pair");
	run->pid = fork();
	cells_must(run->pid >= 0, "fork");
	if (run->pid == 0)
		cells_exec(path, name, pair[1], policy, life[0]);
	close(pair[1]);
	close(life[0]);
	run->sock = pair[0];
	run->life = life[1];
	run->next = 1;
	// Its first packet says that it is confined; a cell that refused to start has closed instead.
	fdpass_recv(run->sock, &ready, sizeof ready, none, &got, 0);
}

// cells_stop answers wait(2)'s status.
static inline int cells_stop(struct cell_run *run)
{
	int status = -1;

	close(run->sock);
	waitpid(run->pid, &status, 0);
	close(run->life);
	return status;
}

// cells_call sends one request and waits for its answer: OPS_COUNT when the cell hung up instead. out[FDPASS_MAX] gets the descriptors, -1 where none.
static inline enum op_status cells_call(struct cell_run *run, enum op_id op, const void *args, size_t size, const int *fds, unsigned nfds,
					struct cell_rep *rep, int *out)
{
	static struct cell_req req;
	unsigned got = 0;
	int none[FDPASS_MAX];

	memset(&req, 0, sizeof req);
	memset(rep, 0, sizeof *rep);
	req.id = run->next++;
	req.op = op;
	req.nfds = nfds;
	memcpy(&req.args, args, size);
	if (!out)
		out = none;
	for (unsigned i = 0; i < FDPASS_MAX; i++)
		out[i] = -1;
	if (fdpass_send(run->sock, &req, sizeof req, fds, nfds, 0) != 0 || fdpass_recv(run->sock, rep, sizeof *rep, out, &got, 0) != sizeof *rep)
		return OPS_COUNT;
	for (unsigned i = 0; out == none && i < got; i++)
		close(none[i]);
	return rep->status;
}

// cells_kill kills one process, and only one: -1, what a look for a process that isn't there gives, means everybody to kill(2).
static inline bool cells_kill(pid_t pid)
{
	return pid > 1 && kill(pid, SIGKILL) == 0;
}

#define CELLS_CALL(run, op, args, fds, nfds, rep, out) cells_call(run, OP_##op, args, sizeof *(args), fds, nfds, rep, out)

#endif
