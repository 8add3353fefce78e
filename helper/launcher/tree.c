// Starts broker and cells, and waits for them.  See launcher.h; the descriptors they get are listed in helper/common/cell.h.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper/common/cell.h"
#include "helper/common/confine.h"
#include "helper/launcher/launcher.h"
#include "helper/launcher/lease_sockets.h"

#define LIBEXEC       "/usr/libexec/postern/"
#define RUN_DIR       "/run/postern-helper"
#define BROKER        CELL_COUNT
#define PROCESSES     (CELL_COUNT + 1)
#define HIGH          100       // descriptors are moved up here, out of the way of the fixed numbers
#define SOCKET_BUFFER (4 << 20) // bytes: room for the broker's whole table of requests in flight

static const struct process {
	const char *path, *name;
	enum policy_reader part;
} processes[PROCESSES] = {
    [CELL_NET] = {LIBEXEC "postern-net", "postern-net", POLICY_FOR_NET},
    [CELL_VOL] = {LIBEXEC "postern-vol", "postern-vol", POLICY_FOR_VOL},
    [CELL_JAIL] = {LIBEXEC "postern-jail", "postern-jail", POLICY_FOR_JAIL},
    [CELL_SPAWN] = {LIBEXEC "postern-spawn", "postern-spawn", POLICY_FOR_SPAWN},
    [BROKER] = {LIBEXEC "postern-broker", "postern-broker", POLICY_FOR_BROKER},
};

// Everything the children inherit, all at HIGH or above.
struct ends {
	int peer, lock, life, tun, checkpoints;
	int cell[CELL_COUNT], broker[CELL_COUNT]; // the two ends of each pair
	int lease[NET_LEASE_FDS];                 // -1 where there is none
};

static pid_t pids[PROCESSES];

static int must_fd(int fd, const char *what)
{
	if (fd < 0)
		confine_refuse(LAUNCHER, what, errno);
	return fd;
}

static void must(bool ok, const char *what)
{
	if (!ok)
		confine_refuse(LAUNCHER, what, errno);
}

static int high(int fd, const char *what)
{
	int up = must_fd(fcntl(must_fd(fd, what), F_DUPFD_CLOEXEC, HIGH), what);

	close(fd);
	return up;
}

// The directory belongs to root and can be entered by all: init's socket may stand beside the lock.
static int run_dir(void)
{
	struct stat st;
	bool made = mkdir(RUN_DIR, 0711) == 0;
	int dir = must_fd(open(RUN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), RUN_DIR);

	must(!made || fchmod(dir, 0711) == 0, RUN_DIR);
	must(fstat(dir, &st) == 0, RUN_DIR);
	errno = 0;
	must(st.st_uid == 0 && (st.st_mode & 022) == 0, RUN_DIR " doesn't belong to root alone");
	return dir;
}

int tree_lock(void)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	int dir = run_dir();
	int fd = must_fd(openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), RUN_DIR "/lock");

	close(dir);
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		must(errno == EWOULDBLOCK && tries < 100, "another helper is running");
		nanosleep(&pause, NULL);
	}
	return high(fd, "lock");
}

// What the net cell's checkpoints are kept in, beyond its own life and this tree's; gone with the next boot, as what it describes.
static int checkpoints_file(void)
{
	struct stat st;
	int dir = run_dir();
	int fd = must_fd(openat(dir, "checkpoints", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), RUN_DIR "/checkpoints");

	close(dir);
	must(fstat(fd, &st) == 0, RUN_DIR "/checkpoints");
	errno = 0;
	must(S_ISREG(st.st_mode) && st.st_uid == 0 && (st.st_mode & 077) == 0 && st.st_nlink == 1, RUN_DIR "/checkpoints doesn't belong to root alone");
	return high(fd, "checkpoints");
}

static int policy_memfd(const struct policy *all, enum policy_reader who)
{
	static struct policy part;
	int fd = must_fd(memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");

	policy_part(&part, all, who);
	must(write(fd, &part, sizeof(part)) == (ssize_t)sizeof(part), "policy part");
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, "policy part");
	return high(fd, "policy part");
}

// A file system of one node, mounted nowhere: /run is nodev on many hosts, and the net cell may open no other device.
static int tun_node(const struct policy_ids *ids)
{
	int fs = must_fd(fsopen("tmpfs", FSOPEN_CLOEXEC), "fsopen");
	int dir;

	must(fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0711", 0) == 0 && fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) == 0 &&
	         fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0,
	     "fsconfig");
	dir = must_fd(fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "fsmount");
	must(mknodat(dir, "tun", S_IFCHR | 0600, makedev(10, 200)) == 0, "mknod tun");
	must(fchownat(dir, "tun", ids->net_uid, ids->net_uid, AT_SYMLINK_NOFOLLOW) == 0, "chown tun");
	close(fs);
	return high(dir, "tun");
}

static void pair(int *a, int *b)
{
	const int size = SOCKET_BUFFER;
	int s[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0, "socketpair");
	for (int i = 0; i < 2; i++)
		must(setsockopt(s[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0, "SO_SNDBUFFORCE");
	*a = high(s[0], "socketpair");
	*b = high(s[1], "socketpair");
}

// In the child: puts fd at its fixed number, without close-on-exec.
static void place(int fd, int number)
{
	if (dup2(fd, number) != number)
		confine_refuse(LAUNCHER, "dup2", errno);
}

static _Noreturn void become(const struct process *p, unsigned who, const struct ends *e, int policy)
{
	char *const argv[] = {(char *)(uintptr_t)p->name, NULL};
	char *const envp[] = {NULL};

	place(who == BROKER ? e->peer : e->cell[who], CELL_FD_PEER);
	place(policy, CELL_FD_POLICY);
	place(e->life, CELL_FD_LIFE);
	place(e->lock, CELL_FD_LOCK);
	if (who == CELL_NET) {
		place(e->tun, CELL_FD_EXTRA);
		place(e->checkpoints, CELL_FD_CHECKPOINTS);
	}
	for (int i = 0; who == CELL_NET && i < NET_LEASE_FDS; i++)
		if (e->lease[i] >= 0)
			place(e->lease[i], NET_FD_LEASE + i);
	for (int i = 0; who == BROKER && i < CELL_COUNT; i++)
		place(e->broker[i], CELL_FD_CELLS + i);
	execve(p->path, argv, envp);
	confine_refuse(LAUNCHER, p->path, errno);
}

static void open_leases(const struct policy *p, int fds[NET_LEASE_FDS])
{
	const char *failed = lease_sockets(&p->net, fds);

	must(failed == NULL, failed);
	for (unsigned i = 0; i < NET_LEASE_FDS; i++)
		if (fds[i] >= 0)
			fds[i] = high(fds[i], "lease-interface");
}

static void start(unsigned who, const struct policy *p, const struct ends *e)
{
	int policy = policy_memfd(p, processes[who].part);

	pids[who] = fork();
	must(pids[who] >= 0, "fork");
	if (pids[who] == 0)
		become(&processes[who], who, e, policy);
	close(policy);
}

int tree_start(struct policy *p, int lock)
{
	const int size = SOCKET_BUFFER;
	struct ends e = {.peer = high(CELL_FD_PEER, "peer"), .lock = lock, .tun = tun_node(&p->ids), .checkpoints = checkpoints_file()};
	int life[2], mine;

	p->launcher = getpid();
	open_leases(p, e.lease);
	must(setsockopt(e.peer, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0, "SO_SNDBUFFORCE");
	must(pipe2(life, O_CLOEXEC) == 0, "pipe");
	e.life = high(life[0], "pipe");
	mine = high(life[1], "pipe");
	for (unsigned i = 0; i < CELL_COUNT; i++)
		pair(&e.cell[i], &e.broker[i]);
	for (unsigned i = 0; i < PROCESSES; i++)
		start(i, p, &e);
	place(mine, CELL_FD_LIFE);
	place(e.lock, CELL_FD_LOCK);
	must(close_range(CELL_FD_PEER, CELL_FD_POLICY, 0) == 0 && close_range(CELL_FD_LOCK + 1, ~0u, 0) == 0, "close_range");
	return CELL_FD_LIFE;
}

// The exit status of the one that ended, 4 for death by signal.
static int status_of(const int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : HELPER_EXIT_DIED;
}

// A refusal of any process is the helper's; else the broker says why it ended, since the cells end with it.
int tree_wait(int life)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	int verdict = HELPER_EXIT_DIED, status, left = PROCESSES;
	bool refused = false;

	for (int tries = 0; left > 0 && tries < 200;) {
		pid_t pid = waitpid(-1, &status, left == PROCESSES ? 0 : WNOHANG);

		if (pid <= 0) {
			tries++;
			nanosleep(&pause, NULL);
			continue;
		}
		if (left-- == PROCESSES)
			close(life);
		refused = refused || status_of(status) == HELPER_EXIT_REFUSED;
		if (pid == pids[BROKER])
			verdict = status_of(status);
	}
	if (refused)
		return HELPER_EXIT_REFUSED;
	return verdict == HELPER_EXIT_PEER || verdict == HELPER_EXIT_MALFORMED ? verdict : HELPER_EXIT_DIED;
}
