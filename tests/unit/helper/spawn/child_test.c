// The spawn cell without a kernel: every system call is written down, and can fail. What matters is the order in which a child gives up its rights, that
// nothing is executed when a step failed, and that the cell loses no descriptor.
// LINK: helper/spawn/child.o helper/spawn/plan.o helper/spawn/limits.o helper/spawn/spawn.o helper/spawn/ovs.o helper/jail/layout.o helper/jail/cgroup.o
// LINK: helper/common/cell.o helper/common/rules.o helper/common/recheck.o helper/common/fdpass.o helper/common/confine.o
// LINK: helper/common/policy.o helper/common/rootpath.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -lcap-ng
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"
#include "tests/lib/test.h"

#define UID 900001u

static char said[16384];
static int step, fail_at, next_fd, open_fds;
static bool fork_is_child, child_reports;
static struct spawn_failure reported;
static const struct spawn_failure *ovs_reports;
static jmp_buf end;
static struct jail_record record;
static const char *pidfile = "77\n";
static struct cell cell;

__attribute__((format(printf, 1, 2))) static int call(const char *format, ...)
{
	size_t used = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + used, sizeof said - used, format, args);
	va_end(args);
	strncat(said, "\n", sizeof said - strlen(said) - 1);
	errno = EPERM;
	return ++step == fail_at ? -1 : 0;
}

static int give_fd(int failed)
{
	if (failed < 0)
		return -1;
	open_fds++;
	return next_fd++;
}

int sys_prepare(void) { return 0; }
int sys_open_dir(int dir, const char *path) { (void)dir; return give_fd(call("open_dir %s", path)); }
int sys_open_path(int dir, const char *path) { (void)dir; return give_fd(call("open_path %s", path)); }
int sys_open_policy(const char *path) { return give_fd(call("open_policy %s", path)); }
void sys_close(int fd) { open_fds -= fd >= 100; }
int sys_create(int dir, const char *name, const void *bytes, size_t size) { (void)dir, (void)bytes, (void)size; return call("create %s", name); }
int sys_unlink(int dir, const char *name) { (void)dir; return call("unlink %s", name); }
int sys_rename(int dir, const char *name, const char *to) { (void)dir; return call("rename %s %s", name, to); }
int sys_write(int dir, const char *name, const char *text) { (void)dir; return call("write %s %s", name, text); }
int sys_open_write(int dir, const char *name) { (void)dir; return give_fd(call("open_write %s", name)); }
int sys_start_time(pid_t pid, uint64_t *ticks) { *ticks = 5; return call("start_time %d", pid); }
int sys_clone_tree(int fd, uint64_t attr) { (void)fd; return give_fd(call("clone_tree %llx", (unsigned long long)attr)); }
int sys_pipe(int ends[2])
{
	if (call("pipe") < 0)
		return -1;
	ends[0] = give_fd(0), ends[1] = give_fd(0);
	return 0;
}
pid_t sys_fork(int cgroup, int *pidfd)
{
	(void)cgroup;
	if (call("fork") < 0)
		return -1;
	if (fork_is_child)
		return 0;
	*pidfd = give_fd(0);
	return 4321;
}
pid_t sys_fork_plain(void) { return call("fork_plain") < 0 ? -1 : fork_is_child ? 0 : 4321; }
int sys_unix_socket(void) { return give_fd(call("socket")); }
int sys_connect(int fd, int o_path) { return call("connect %d %d", fd, o_path); }
ssize_t sys_read_report(int fd, void *bytes, size_t size, int timeout)
{
	const struct spawn_failure failure = {.step = 3, .err = ENOENT};
	(void)fd, (void)timeout;
	if (call("read_report") < 0)
		return -1;
	if (!child_reports)
		return 0;
	memcpy(bytes, ovs_reports ? ovs_reports : &failure, size);
	return (ssize_t)size;
}
void sys_reap(void) { }
int sys_stat(int fd, struct stat *st)
{
	(void)fd;
	const char *last = strstr(said, "kernel") ? "file" : strstr(said, "open_path root") ? "root" : "base";
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFDIR | 0755;
	if (strstr(said, "openvswitch"))
		st->st_mode = strstr(said, ".sock") || strstr(said, ".ctl") ? S_IFSOCK | 0750 : strstr(said, "path ovs-vswitchd.pid") ? S_IFREG | 0644 : st->st_mode;
	if (!strcmp(last, "root"))
		st->st_uid = UID;
	if (!strcmp(last, "file")) {
		st->st_mode = S_IFREG | 0644;
		st->st_dev = 1, st->st_ino = 2, st->st_nlink = 1, st->st_uid = UID;
	}
	return call("stat");
}
ssize_t sys_read(int dir, const char *name, void *bytes, size_t size)
{
	(void)dir;
	if (call("read %s", name) < 0)
		return -1;
	if (!strcmp(name, JAIL_RECORD)) {
		memcpy(bytes, &record, sizeof record);
		return sizeof record;
	}
	if (!strcmp(name, "ovs-vswitchd.pid"))
		return snprintf(bytes, size, "%s", pidfile);
	snprintf(bytes, size, "populated 0\n");
	return 12;
}

int sys_join(int fd) { return call("join %d", fd); }
int sys_new_session(void) { return call("setsid"); }
int sys_private_mounts(void) { return call("private"); }
int sys_new_tmpfs(unsigned attr, const char *size) { (void)size; return give_fd(call("tmpfs %x", attr)); }
int sys_make_node(int dir, const char *name, mode_t mode, unsigned major, unsigned minor) { (void)dir, (void)mode; return call("node %s %u:%u", name, major, minor); }
int sys_attach(int mount, int dir, const char *name) { (void)mount, (void)dir; return call("attach %s", name); }
int sys_attach_root(int mount) { (void)mount; return call("attach /"); }
int sys_seal_mount(int mount) { (void)mount; return call("seal"); }
int sys_enter_root(int mount) { (void)mount; return call("pivot_root"); }
int sys_hostname(const char *name) { return call("hostname %s", name); }
int sys_limit(int resource, uint64_t most) { (void)most; return call("limit %d", resource); }
int sys_move_fd(int fd, int least) { (void)least; return call("move %d", fd) < 0 ? -1 : fd + 1000; }
int sys_place_fd(int fd, int at, bool keep) { return call("place %d at %d%s", fd, at, keep ? "" : " cloexec"); }
int sys_open_null(int at) { return call("null at %d", at); }
int sys_close_from(int first) { return call("close_from %d", first); }
int sys_become(uint32_t uid, uint32_t gid) { return call("become %u %u", uid, gid); }
int sys_filter(const void *filter, size_t length) { (void)filter; return length ? call("filter") : -1; }
int sys_exec(const char *program, const char *name) { (void)name; if (call("exec %s", program) < 0) return -1; longjmp(end, 1); }
void sys_report(int fd, const void *bytes, size_t size)
{
	(void)fd;
	memcpy(&reported, bytes, size);
	longjmp(end, 2);
}

static void reset(int fail)
{
	said[0] = '\0';
	step = open_fds = 0;
	fail_at = fail;
	next_fd = 100;
	fork_is_child = child_reports = false;
}

static struct spawn_plan plan_for_child(void)
{
	struct spawn_plan plan;

	plan_init(&plan);
	plan.id = "vm1";
	plan.uid = UID;
	plan.pids_max = 100;
	plan.base = 20, plan.run = 21, plan.given[SLOT_KERNEL] = 22, plan.given[SLOT_DISK0] = 23, plan.v1[CGROUP_MEMORY] = 24;
	plan.spec = 30, plan.taps[0] = 31, plan.taps[1] = 32, plan.report = 40;
	return plan;
}

// run_child answers 1 when it executed the keeper, 2 when it reported.
static int run_child(struct spawn_plan *plan)
{
	int how = setjmp(end);
	if (how == 0)
		child_run(plan);
	return how;
}

static bool before(const char *first, const char *second)
{
	const char *a = strstr(said, first), *b = strstr(said, second);
	return a && b && a < b;
}

TEST("a child joins its cgroups first and executes the keeper last, with its filter just before")
{
	struct spawn_plan plan = plan_for_child();

	reset(0);
	CHECK(run_child(&plan) == 1);
	CHECK(!strncmp(said, "join 24\n", 8));
	CHECK(strstr(said, "filter\nexec /postern-keeper\n"));
	CHECK(before("become", "unlink /run/vsock.sock") && before("unlink /run/console.sock", "filter"));
	CHECK(before("become", "filter") && before("pivot_root", "become") && before("close_from", "become") && before("limit", "become"));
}

TEST("mounts are private before the first is attached, each is sealed after it is filled, and all are there before pivot_root")
{
	CHECK(before("private", "attach /") && before("node null", "attach dev") && before("attach dev", "seal") && before("attach kernel", "pivot_root"));
	CHECK(before("attach vm", "attach kernel") && before("attach run", "pivot_root") && before("attach disk0", "pivot_root"));
	CHECK(!strstr(said, "kvm") && !strstr(said, "disk1") && !strstr(said, "initrd"));
}

TEST("only what was named stays open: null at 0 to 2, spec at 3, taps from 4, the report until exec")
{
	CHECK(strstr(said, "null at 0\nnull at 1\nnull at 2\nplace 1030 at 3\nplace 1031 at 4\nplace 1032 at 5\nplace 1040 at 6 cloexec\nclose_from 7\n"));
	CHECK(before("pivot_root", "null at 0"));
}

TEST("/dev/kvm is made only when policy says so")
{
	struct spawn_plan plan = plan_for_child();

	reset(0);
	plan.kvm = true;
	CHECK(run_child(&plan) == 1);
	CHECK(strstr(said, "node kvm 10:232\n"));
}

TEST("every resource limit is set before the uid changes")
{
	char line[32];

	for (int resource = 0; resource < 16; resource++) {
		snprintf(line, sizeof line, "limit %d\n", resource);
		CHECK(before(line, "become"));
	}
}

TEST("whichever call of a child fails, the keeper is not executed, and the step is told by name")
{
	struct spawn_plan plan;
	int n = 1;

	for (;; n++) {
		plan = plan_for_child();
		reset(n);
		if (run_child(&plan) == 1)
			break;
		CHECK(!strstr(said, "exec /") || !strcmp(child_step_name(reported.step), "exec keeper"));
		CHECK(reported.err == EPERM && strcmp(child_step_name(reported.step), "child") != 0);
	}
	CHECK(n > 50);
	CHECK_STR(child_step_name(4000000000u), "child");
}

static enum op_status spawn_vm(struct op_jail_spawn_res *r, int *pidfd)
{
	struct op_jail_spawn_args a = {.vmm = VMM_QEMU, .id = "vm1", .has_cpu_percent = true, .cpu_percent = 150, .has_memory_max_mib = true, .memory_max_mib = 64};
	const int fds[4] = {50, 51, -1, -1};

	*r = (struct op_jail_spawn_res){0};
	*pidfd = -1;
	return op_jail_spawn(&cell, &a, fds, r, pidfd);
}

TEST("a spawn pins everything, sets limits, forks, and notes the keeper after the exec")
{
	struct op_jail_spawn_res r;
	int pidfd;

	reset(0);
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_OK);
	CHECK(r.pid == 4321 && r.start_time == 5 && pidfd >= 0);
	CHECK(before("open_policy /base", "fork") && before("open_path kernel", "fork") && before("memory.max 67108864", "fork") &&
	      before("cpu.cfs_quota_us 150000", "fork") && before("pids.max 512", "fork") && before("read_report", "rename keeper.new keeper"));
	CHECK(open_fds == 1); // the pidfd, which the loop sends and closes
}

TEST("whichever call of a spawn fails, the answer is a failure and no descriptor is lost")
{
	struct op_jail_spawn_res r;
	int pidfd, n = 1, forgiven = 0;

	for (;; n++) {
		reset(n);
		enum op_status status = spawn_vm(&r, &pidfd);
		if (step < n)
			break;
		CHECK(open_fds == (pidfd >= 0));
		// a keeper.new that isn't there, and the kill of a child that is gone, are no failures
		forgiven += status == OPS_OK;
	}
	CHECK(n > 20);
	CHECK_INT(forgiven, 1);
}

TEST("a child that reports a step makes the spawn fail by that name, and notes no keeper")
{
	struct op_jail_spawn_res r;
	int pidfd;

	reset(0);
	child_reports = true;
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_IO);
	CHECK_STR(cell.rep.rule, child_step_name(3));
	CHECK_INT(cell.rep.err, ENOENT);
	CHECK(!strstr(said, "keeper"));
}

TEST("a child whose note can't be written is killed through its cgroup")
{
	struct op_jail_spawn_res r;
	int pidfd, n = 1;

	for (;; n++) {
		reset(n);
		enum op_status status = spawn_vm(&r, &pidfd);
		if (step < n)
			break;
		if (status != OPS_OK && strstr(said, "read_report"))
			CHECK(strstr(said, "write cgroup.kill 1"));
	}
}

TEST("a limit that the host has no controller for is unsupported, when it is asked for")
{
	struct op_jail_spawn_res r;
	int pidfd, v1 = spawn_state.cgroups.v1[CGROUP_CPU];

	spawn_state.cgroups.v1[CGROUP_CPU] = -1;
	reset(0);
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_UNSUPPORTED);
	CHECK(!strstr(said, "fork"));
	spawn_state.cgroups.v1[CGROUP_CPU] = v1;
}

TEST("a record of another uid range, a damaged one, and a swapped file are refused before anything is forked")
{
	struct jail_record whole = record;
	struct op_jail_spawn_res r;
	int pidfd;

	reset(0);
	record.uid = 0;
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_DENIED);
	record = whole, record.uid = 5;
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_DENIED);
	record = whole, record.given[SLOT_KERNEL].ino++;
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_DENIED);
	record = whole, strcpy(record.given[SLOT_KERNEL].path, "../x");
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_DENIED);
	record = whole, memset(record.given[SLOT_KERNEL].path, 'a', sizeof record.given[0].path);
	CHECK_INT(spawn_vm(&r, &pidfd), OPS_DENIED);
	record = whole;
	CHECK(!strstr(said, "fork"));
}

// connect_to answers the status; what the child says is `err`.
static enum op_status connect_to(uint32_t door, int err, int *sock)
{
	const struct spawn_failure result = {.err = err};
	const struct op_ovs_socket_args a = {.door = door};
	struct op_ovs_socket_res r;

	*sock = -1;
	child_reports = true;
	ovs_reports = &result;
	enum op_status status = op_ovs_socket(&cell, &a, NULL, &r, sock);
	ovs_reports = NULL;
	return status;
}

TEST("a connection to Open vSwitch: everything is pinned before the fork, and what the cell keeps is the socket")
{
	int sock;

	reset(0);
	CHECK_INT(connect_to(OVS_DATABASE, 0, &sock), OPS_OK);
	CHECK(before("open_policy /run/openvswitch", "open_path db.sock") && before("open_path db.sock", "fork_plain") && before("socket", "fork_plain"));
	CHECK(sock >= 0 && open_fds == 1);
	reset(0);
	CHECK_INT(connect_to(OVS_SWITCH, 0, &sock), OPS_OK);
	CHECK(before("read ovs-vswitchd.pid", "open_path ovs-vswitchd.77.ctl"));
}

// True where the child reported, which is its only end.
static bool ovs_child_reports(int fail)
{
	int sock;

	reset(fail);
	fork_is_child = true;
	if (setjmp(end) != 0)
		return true;
	connect_to(OVS_DATABASE, 0, &sock);
	return false;
}

TEST("its child has three descriptors, no capability and its filter before it connects")
{
	CHECK(ovs_child_reports(0));
	CHECK_INT(reported.err, 0);
	CHECK(strstr(said, "place 1102 at 0 cloexec\nplace 1104 at 1 cloexec\nplace 1101 at 2 cloexec\nclose_from 3\nbecome 0 0\nfilter\nconnect 0 2\n"));
	int calls = step;
	for (int n = 1; n <= calls; n++)
		if (ovs_child_reports(n))
			CHECK(reported.err == EPERM && (n == calls || !strstr(said, "connect")));
}

TEST("whichever call of a connection fails, the answer is a failure and no descriptor is lost")
{
	for (uint32_t door = 0; door <= OVS_DOOR_MAX; door++)
		for (int n = 1, sock;; n++) {
			reset(n);
			enum op_status status = connect_to(door, 0, &sock);
			if (step < n)
				break;
			CHECK(status != OPS_OK && sock < 0 && open_fds == 0);
		}
}

TEST("what a child says of its connection is the answer: nobody listens, or another failure; one that says nothing failed")
{
	static const struct op_ovs_socket_args a = {.door = OVS_DATABASE};
	struct op_ovs_socket_res r;
	int sock = -1;

	reset(0);
	CHECK_INT(connect_to(OVS_DATABASE, ECONNREFUSED, &sock), OPS_UNSUPPORTED);
	CHECK_STR(cell.rep.rule, "ovs");
	reset(0);
	CHECK_INT(connect_to(OVS_DATABASE, EAGAIN, &sock), OPS_IO);
	CHECK_INT(cell.rep.err, EAGAIN);
	reset(0);
	CHECK_INT(op_ovs_socket(&cell, &a, NULL, &r, &sock), OPS_IO);
	CHECK_INT(cell.rep.err, EPROTO);
	CHECK(sock < 0 && open_fds == 0);
}

TEST("a pidfile that holds no process's number leads nowhere")
{
	static const char *const bad[] = {"", "\n", "0\n", "77", "077\n", "-7\n", "7 \n", "4194305\n", "99999999\n", "7\n7\n", "x\n"};
	int sock;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		reset(0);
		pidfile = bad[i];
		CHECK_INT(connect_to(OVS_SWITCH, 0, &sock), OPS_DENIED);
		CHECK(!strstr(said, "fork") && open_fds == 0);
	}
	pidfile = "77\n";
}

int main(void)
{
	record = (struct jail_record){.magic = JAIL_RECORD_MAGIC, .uid = UID};
	record.given[SLOT_KERNEL] = (struct jail_given){.used = 1, .dev = 1, .ino = 2, .path = "kernel"};
	cell.policy.uids = (struct policy_range){900000, 900999};
	strcpy(cell.policy.jail.vmm[VMM_QEMU], "/base");
	spawn_state = (struct spawn_state){.jail_root = 10, .image_root = 11};
	spawn_state.cgroups = (struct cgroup_roots){.v2 = 12, .v1 = {13, -1, 14}, .in_v2 = {false, true, false}};
	return test_main();
}
