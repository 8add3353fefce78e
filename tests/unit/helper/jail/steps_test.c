// Create, give and remove on real directories through the cell's own system calls, which here die or fail one by one: a helper that is killed
// after any step must be finished by the next call, and one whose call fails must hold no descriptor and be finished by the next call too.
// LINK: helper/jail/common.o helper/jail/create.o helper/jail/give.o helper/jail/remove.o helper/jail/empty.o helper/jail/layout.o
// LINK: helper/common/cell.o helper/common/rules.o helper/common/recheck.o helper/common/fdpass.o helper/common/confine.o
// LINK: helper/common/policy.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -lcap-ng

#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>

#define REAL(name)      real_##name
#define sys_prepare     REAL(sys_prepare)
#define sys_open_dir    REAL(sys_open_dir)
#define sys_open_path   REAL(sys_open_path)
#define sys_open_image  REAL(sys_open_image)
#define sys_close       REAL(sys_close)
#define sys_stat        REAL(sys_stat)
#define sys_access_mode REAL(sys_access_mode)
#define sys_make_dir    REAL(sys_make_dir)
#define sys_chown       REAL(sys_chown)
#define sys_chmod       REAL(sys_chmod)
#define sys_unlink      REAL(sys_unlink)
#define sys_rmdir       REAL(sys_rmdir)
#define sys_rename      REAL(sys_rename)
#define sys_list        REAL(sys_list)
#define sys_create      REAL(sys_create)
#define sys_read        REAL(sys_read)
#define sys_write       REAL(sys_write)
#define sys_pidfd       REAL(sys_pidfd)
#define sys_signal      REAL(sys_signal)
#define sys_process_uid REAL(sys_process_uid)
#include "helper/jail/sys.c"
#undef sys_prepare
#undef sys_open_dir
#undef sys_open_path
#undef sys_open_image
#undef sys_close
#undef sys_stat
#undef sys_access_mode
#undef sys_make_dir
#undef sys_chown
#undef sys_chmod
#undef sys_unlink
#undef sys_rmdir
#undef sys_rename
#undef sys_list
#undef sys_create
#undef sys_read
#undef sys_write
#undef sys_pidfd
#undef sys_signal
#undef sys_process_uid
#undef HELPER_JAIL_SYS_H
#include "helper/jail/jail.h"
#include "helper/jail/sys.h"
#include "tests/lib/test.h"

#define UID    900001u
#define DAEMON 64990u

static int step, die_at, fail_at, fail_errno; // 0: never
static bool failed_there;

// fails counts one system call, and says whether it is the one that fails; the one to die at doesn't return.
static bool fails(void)
{
	step++;
	if (step == die_at)
		_exit(77);
	if (step != fail_at)
		return false;
	failed_there = true;
	errno = fail_errno;
	return true;
}

int sys_open_dir(int dir, const char *path)
{
	return fails() ? -1 : real_sys_open_dir(dir, path);
}
int sys_open_path(int dir, const char *path)
{
	return fails() ? -1 : real_sys_open_path(dir, path);
}
int sys_open_image(int dir, const char *path)
{
	return fails() ? -1 : real_sys_open_image(dir, path);
}
void sys_close(int fd)
{
	real_sys_close(fd);
}
int sys_stat(int fd, struct stat *st)
{
	return fails() ? -1 : real_sys_stat(fd, st);
}
int sys_access_mode(int fd)
{
	return fails() ? -1 : real_sys_access_mode(fd);
}
int sys_make_dir(int dir, const char *name)
{
	return fails() ? -1 : real_sys_make_dir(dir, name);
}
int sys_chown(int fd, uint32_t uid, uint32_t gid)
{
	return fails() ? -1 : real_sys_chown(fd, uid, gid);
}
int sys_chmod(int fd, mode_t mode)
{
	return fails() ? -1 : real_sys_chmod(fd, mode);
}
int sys_unlink(int dir, const char *name)
{
	return fails() ? -1 : real_sys_unlink(dir, name);
}
int sys_rmdir(int dir, const char *name)
{
	return fails() ? -1 : real_sys_rmdir(dir, name);
}
int sys_rename(int dir, const char *name, int to, const char *to_name)
{
	return fails() ? -1 : real_sys_rename(dir, name, to, to_name);
}
ssize_t sys_list(int dir, void *entries, size_t size, int again)
{
	return fails() ? -1 : real_sys_list(dir, entries, size, again);
}
int sys_create(int dir, const char *name, const void *bytes, size_t size)
{
	return fails() ? -1 : real_sys_create(dir, name, bytes, size);
}
ssize_t sys_read(int dir, const char *name, void *bytes, size_t size)
{
	return fails() ? -1 : real_sys_read(dir, name, bytes, size);
}

static char top[] = "/tmp/postern-steps-XXXXXX";
static struct cell cell;
static int disk_fd = -1;

static const char *at(const char *name)
{
	static char path[4][256];
	static int turn;
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", top, name);
	return path[turn];
}

static int open_dir(const char *name)
{
	if (mkdir(at(name), 0755) < 0)
		return -1;
	return open(at(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool owned(const char *name, uint32_t uid)
{
	struct stat st;
	return lstat(at(name), &st) == 0 && st.st_uid == uid;
}

static int count_fds(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static enum op_status create(void)
{
	const struct op_jail_create_args a = {.vmm = VMM_QEMU, .id = "vm1", .uid = UID};
	struct op_jail_create_res r = {0};
	return op_jail_create(&cell, &a, NULL, &r, NULL);
}

static enum op_status give(void)
{
	const struct op_jail_give_args a = {.vmm = VMM_QEMU, .id = "vm1", .slot = SLOT_DISK0, .path = "disk", .writable = true};
	struct op_jail_give_res r = {0};
	return op_jail_give(&cell, &a, &disk_fd, &r, NULL);
}

static enum op_status remove_jail(void)
{
	const struct op_jail_remove_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	struct op_jail_remove_res r = {0};
	return op_jail_remove(&cell, &a, NULL, &r, NULL);
}

// fill makes what a VM may leave.
static bool fill(void)
{
	char command[512];

	snprintf(command, sizeof command,
	         "cd %s/jail/qemu/vm1/root && mkdir -p a/b/c .lifted-0 && touch f a/f a/b/f a/b/c/f .lifted-0/x && chown -R %u . && chmod 0 a/b", top,
	         UID);
	return system(command) == 0;
}

static bool is_created(void)
{
	struct stat st;
	return lstat(at("jail/qemu/vm1/root"), &st) == 0 && st.st_uid == UID && st.st_gid == DAEMON && (st.st_mode & 07777) == 02710 &&
	       access(at("jail/qemu/vm1/record"), F_OK) == 0 && access(at("v2/qemu@vm1"), F_OK) == 0 && access(at("v1/qemu@vm1"), F_OK) == 0;
}

static bool is_removed(void)
{
	return access(at("jail/qemu/vm1"), F_OK) != 0 && access(at("v2/qemu@vm1"), F_OK) != 0 && access(at("v1/qemu@vm1"), F_OK) != 0 &&
	       owned("img/disk", DAEMON);
}

// dies runs op in a process of its own, killed at the n-th system call; false when it came to its end before.
static bool dies(enum op_status (*op)(void), int n)
{
	int status;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		real_sys_prepare(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)); // /proc/self is another now
		step = 0;
		die_at = n;
		_exit(op() == OPS_OK ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 1)
		abort(); // nothing was to fail
	return WIFEXITED(status) && WEXITSTATUS(status) == 77;
}

static void never(void)
{
	step = die_at = fail_at = 0;
}

TEST("a create that is killed after any step is finished by the next")
{
	int n = 1;

	never();
	for (; dies(create, n); n++) {
		CHECK_INT(create(), OPS_OK);
		CHECK(is_created());
		CHECK_INT(remove_jail(), OPS_OK);
		CHECK(is_removed());
	}
	CHECK(n > 15);
	CHECK_INT(remove_jail(), OPS_OK);
}

TEST("a create that is killed after any step is undone by a remove")
{
	int n = 1;

	for (; dies(create, n); n++) {
		CHECK_INT(remove_jail(), OPS_OK);
		CHECK(is_removed());
	}
	CHECK(n > 15);
	CHECK_INT(remove_jail(), OPS_OK);
}

TEST("a give that is killed after any step leaves a disk that comes back")
{
	int n = 1;

	CHECK_INT(create(), OPS_OK);
	for (; dies(give, n); n++) {
		CHECK_INT(remove_jail(), OPS_OK);
		CHECK(is_removed());
		CHECK_INT(create(), OPS_OK);
	}
	CHECK(n > 8);
	CHECK(owned("img/disk", UID));
	CHECK_INT(give(), OPS_OK);
	CHECK_INT(remove_jail(), OPS_OK);
	CHECK(is_removed());
}

TEST("a remove that is killed after any step is finished by the next, and the disk comes back")
{
	int n = 1;

	for (bool more = true; more; n++) {
		CHECK_INT(create(), OPS_OK);
		CHECK_INT(give(), OPS_OK);
		CHECK(fill());
		more = dies(remove_jail, n);
		CHECK_INT(remove_jail(), OPS_OK);
		CHECK(is_removed());
	}
	CHECK(n > 40);
}

// fails_well lets the n-th call of op fail with err: true while there is an n-th call.
static bool fails_well(enum op_status (*op)(void), int n, int err, bool *good)
{
	int before = count_fds();

	step = 0;
	fail_at = n;
	fail_errno = err;
	failed_there = false;
	(void)op();
	bool reached = failed_there;
	never();
	*good = count_fds() == before;
	return reached;
}

TEST("whichever call of create, give or remove fails, with whatever error, no descriptor is lost and the next call finishes it")
{
	static const int errors[] = {EIO, ENOSPC, EACCES, EMFILE, ENOENT, EBUSY};
	bool good = true, more;

	for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
		for (int n = 1; (more = fails_well(create, n, errors[e], &good)); n++) {
			CHECK(good);
			CHECK_INT(create(), OPS_OK);
			CHECK(is_created());
			CHECK_INT(remove_jail(), OPS_OK);
		}
		CHECK_INT(create(), OPS_OK);
		for (int n = 1; (more = fails_well(give, n, errors[e], &good)); n++) {
			CHECK(good);
			CHECK_INT(give(), OPS_OK);
			CHECK_INT(remove_jail(), OPS_OK);
			CHECK(is_removed());
			CHECK_INT(create(), OPS_OK);
		}
		for (int n = 1; more || n == 1; n++) {
			CHECK_INT(create(), OPS_OK);
			CHECK_INT(give(), OPS_OK);
			CHECK(fill());
			more = fails_well(remove_jail, n, errors[e], &good);
			CHECK(good);
			CHECK_INT(remove_jail(), OPS_OK);
			// a disk that isn't there at that moment is taken for one that its owner removed
			if (errors[e] == ENOENT && !owned("img/disk", DAEMON))
				CHECK(chown(at("img/disk"), DAEMON, DAEMON) == 0);
			CHECK(is_removed());
		}
	}
}

int main(void)
{
	char command[64];

	if (geteuid() != 0) {
		puts("ok - jail operations survive a kill at every step # SKIP needs root to give files away");
		return 0;
	}
	if (!mkdtemp(top) || chmod(top, 0755) < 0 || real_sys_prepare(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	cell.policy.ids = (struct policy_ids){.daemon_uid = DAEMON, .daemon_gid = DAEMON};
	cell.policy.limits.jails = 10;
	jail_state.jail_root = open_dir("jail");
	jail_state.image_root = open_dir("img");
	jail_state.cgroups = (struct cgroup_roots){.v2 = open_dir("v2"), .v1 = {-1, open_dir("v1"), -1}};
	disk_fd = open(at("img/disk"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fchown(disk_fd, DAEMON, DAEMON) < 0)
		return 1;
	int failed = test_main();
	snprintf(command, sizeof command, "rm -rf %s", top);
	return system(command) == 0 ? failed : 1;
}
