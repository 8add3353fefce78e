// ovs_socket: a connection to Open vSwitch, made by a child that is uid 0, which is what Open vSwitch asks for, and has nothing else: no capability,
// no descriptor but the socket, the file it connects to and the report, and a filter of three calls. The socket itself is made here, before the fork,
// so that the connection is the cell's too and no descriptor has to come back.
//
// Everything with a name is pinned and judged before: /run/openvswitch, all above it and the pidfile must be root's and nobody else's to write, the
// socket root's. A directory that is another user's, as where Open vSwitch runs as one, is refused: whoever may write it may let a connection of
// root's end anywhere.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "filter_ovs.h"
#include "helper/common/rootpath.h"
#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"

#define RUN_DIR    "/run/openvswitch" // the packages of Debian, Fedora and SUSE, and upstream's units
#define DATABASE   "db.sock"
#define PIDFILE    "ovs-vswitchd.pid"
#define PID_MAX    4194304u // PID_MAX_LIMIT of include/linux/threads.h on 64 bits
#define TIMEOUT_MS 10000
#define HIGH_FD    64

enum { AT_SOCKET, AT_REPORT, AT_FILE, AT_END }; // numbers of the child's descriptors

// What stands in the way: where Open vSwitch isn't running, or not here, nothing is wrong.
static enum op_status failed(struct cell *c, const char *what, int why)
{
	if (why == ENOENT || why == ECONNREFUSED)
		return cell_fail(c, OPS_UNSUPPORTED, "ovs", why);
	if (why == EPERM || why == ELOOP || why == ENOTDIR)
		return cell_fail(c, OPS_DENIED, what, why);
	return cell_fail_errno(c, what, why);
}

// open_ours pins what `name` in `dir` is, if it is of that kind and root's, and, but for a socket, which is written by being connected to, nobody
// else's to write.
static enum op_status open_ours(struct cell *c, int dir, const char *name, mode_t kind, const char *what, int *out)
{
	struct stat st;
	int fd = sys_open_path(dir, name);

	if (fd < 0 || sys_stat(fd, &st) < 0) {
		int why = errno;
		sys_close(fd);
		return failed(c, what, why);
	}
	if ((st.st_mode & S_IFMT) != kind || st.st_uid != 0 || (kind != S_IFSOCK && !rootpath_alone(&st))) {
		sys_close(fd);
		return cell_fail(c, OPS_DENIED, what, 0);
	}
	*out = fd;
	return OPS_OK;
}

// True for the number of a process and a newline, and nothing else.
static bool read_pid(const char *text, size_t len, unsigned *pid)
{
	unsigned n = 0;

	if (len < 2 || len > 8 || text[len - 1] != '\n' || text[0] == '0')
		return false;
	for (size_t i = 0; i < len - 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	*pid = n;
	return n <= PID_MAX;
}

// The switch's socket is named after its process, which its pidfile names.
static enum op_status switch_name(struct cell *c, int dir, char *name, size_t size)
{
	char text[16];
	unsigned pid = 0;
	int fd = -1;
	enum op_status status = open_ours(c, dir, PIDFILE, S_IFREG, "ovs pidfile", &fd);

	if (status != OPS_OK)
		return status;
	sys_close(fd); // a name in a directory of root's alone leads to the same file a moment later
	ssize_t got = sys_read(dir, PIDFILE, text, sizeof text);
	if (got < 0)
		return failed(c, "ovs pidfile", errno);
	if (!read_pid(text, (size_t)got, &pid))
		return cell_fail(c, OPS_DENIED, "ovs pidfile", 0);
	snprintf(name, size, "ovs-vswitchd.%u.ctl", pid);
	return OPS_OK;
}

static enum op_status open_file(struct cell *c, uint32_t door, int *file)
{
	char name[32] = DATABASE;
	struct stat st;
	enum op_status status = OPS_OK;
	int dir = sys_open_policy(RUN_DIR);

	if (dir < 0 || sys_stat(dir, &st) < 0) {
		int why = errno;
		sys_close(dir);
		return failed(c, "ovs directory", why);
	}
	if (!S_ISDIR(st.st_mode) || !rootpath_alone(&st))
		status = cell_fail(c, OPS_DENIED, "ovs directory", 0);
	if (status == OPS_OK && door == OVS_SWITCH)
		status = switch_name(c, dir, name, sizeof name);
	if (status == OPS_OK)
		status = open_ours(c, dir, name, S_IFSOCK, "ovs socket", file);
	sys_close(dir);
	return status;
}

// Each goes above every target first, so that none is overwritten on its way down.
static int place(int fds[AT_END])
{
	for (int i = 0; i < AT_END; i++)
		if ((fds[i] = sys_move_fd(fds[i], HIGH_FD)) < 0)
			return -1;
	for (int i = 0; i < AT_END; i++)
		if (sys_place_fd(fds[i], i, false) < 0)
			return -1;
	return sys_close_from(AT_END);
}

_Noreturn static void child(int fds[AT_END])
{
	struct spawn_failure result = {0};
	int report = fds[AT_REPORT];

	errno = 0;
	if (place(fds) < 0) {
		result.err = errno;
		sys_report(report, &result, sizeof result);
	}
	if (sys_become(0, 0) < 0 || sys_filter(filter_ovs, filter_ovs_len) < 0 || sys_connect(AT_SOCKET, AT_FILE) < 0)
		result.err = errno;
	sys_report(AT_REPORT, &result, sizeof result);
}

// A child that says nothing has failed too.
static enum op_status connect_in_child(struct cell *c, int sock, int file)
{
	struct spawn_failure result;
	int ends[2];

	if (sys_pipe(ends) < 0)
		return cell_fail_errno(c, "pipe", errno);
	pid_t pid = sys_fork_plain();
	if (pid == 0)
		child((int[AT_END]){[AT_SOCKET] = sock, [AT_REPORT] = ends[1], [AT_FILE] = file});
	int why = errno;
	sys_close(ends[1]);
	ssize_t got = pid < 0 ? -1 : sys_read_report(ends[0], &result, sizeof result, TIMEOUT_MS);
	if (pid >= 0 && got < 0)
		why = errno;
	sys_close(ends[0]);
	if (got < 0)
		return cell_fail(c, OPS_IO, "ovs child", why);
	if (got != sizeof result)
		return cell_fail(c, OPS_IO, "ovs child", EPROTO);
	return result.err == 0 ? OPS_OK : failed(c, "connect", result.err);
}

enum op_status op_ovs_socket(struct cell *c, const struct op_ovs_socket_args *a, const int *fds, struct op_ovs_socket_res *r, int *out_fds)
{
	int file = -1;
	enum op_status status = open_file(c, a->door, &file);

	(void)fds;
	(void)r;
	if (status != OPS_OK)
		return status;
	int sock = sys_unix_socket();
	status = sock < 0 ? cell_fail_errno(c, "socket", errno) : connect_in_child(c, sock, file);
	sys_close(file);
	if (status == OPS_OK)
		out_fds[RESFD_ovs_socket_socket] = sock;
	else
		sys_close(sock);
	return status;
}
