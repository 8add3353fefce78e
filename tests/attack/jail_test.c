// The jail cell on the real kernel: creating, giving, killing, removing, and a daemon that asks for what isn't its own.
// LINK: helper/common/fdpass.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include "tests/lib/cells.h"

#define JAIL CELLS_BASE "/jail/qemu/vm1"
#define ROOT JAIL "/root"
#define IMG CELLS_BASE "/img"

static struct policy policy;
static struct cell_run jail;
static struct cell_rep rep;

static enum op_status create(const char *id, uint32_t uid)
{
	struct op_jail_create_args a = {.vmm = VMM_QEMU, .uid = uid};
	strcpy(a.id, id);
	return CELLS_CALL(&jail, jail_create, &a, NULL, 0, &rep, NULL);
}

static enum op_status remove_jail(const char *id)
{
	struct op_jail_remove_args a = {.vmm = VMM_QEMU};
	strcpy(a.id, id);
	return CELLS_CALL(&jail, jail_remove, &a, NULL, 0, &rep, NULL);
}

static enum op_status kill_jail(const char *id)
{
	struct op_jail_kill_args a = {.vmm = VMM_QEMU};
	strcpy(a.id, id);
	return CELLS_CALL(&jail, jail_kill, &a, NULL, 0, &rep, NULL);
}

static enum op_status signal_jail(const char *id)
{
	struct op_jail_signal_args a = {.vmm = VMM_QEMU};
	strcpy(a.id, id);
	return CELLS_CALL(&jail, jail_signal, &a, NULL, 0, &rep, NULL);
}

static enum op_status give(uint32_t slot, const char *path, int fd, bool writable)
{
	struct op_jail_give_args a = {.vmm = VMM_QEMU, .id = "vm1", .slot = slot, .has_writable = true, .writable = writable};
	snprintf(a.path, sizeof a.path, "%s", path);
	enum op_status status = CELLS_CALL(&jail, jail_give, &a, &fd, 1, &rep, NULL);
	close(fd);
	return status;
}

// dies_giving: a descriptor or path that broker and rows refuse comes only from a broken broker, and the cell ends rather than answer.
static bool dies_giving_args(const struct op_jail_give_args *a, int fd)
{
	struct cell_run run;

	cells_start(&run, "postern-jail", &policy);
	enum op_status status = CELLS_CALL(&run, jail_give, a, &fd, 1, &rep, NULL);
	int ended = cells_stop(&run);
	close(fd);
	return status == OPS_COUNT && WIFEXITED(ended) && WEXITSTATUS(ended) == HELPER_EXIT_DIED;
}

static bool dies_giving(const char *path, int fd)
{
	struct op_jail_give_args a = {.vmm = VMM_QEMU, .id = "vm1"};

	snprintf(a.path, sizeof a.path, "%s", path);
	return dies_giving_args(&a, fd);
}

static void fresh(void)
{
	cells_must(remove_jail("vm1") == OPS_OK && create("vm1", CELLS_UID) == OPS_OK, "fresh jail");
}

static int file(const char *path, uint32_t uid, mode_t mode, int flags)
{
	unlink(path);
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	cells_must(fd >= 0 && ftruncate(fd, 4096) == 0 && fchown(fd, uid, uid) == 0 && fchmod(fd, mode) == 0, path);
	close(fd);
	return open(path, flags | O_CLOEXEC);
}

static bool is(const char *path, uint32_t uid, uint32_t gid, mode_t mode)
{
	struct stat st;
	return lstat(path, &st) == 0 && st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == mode;
}

static bool owned(const char *path, uint32_t uid)
{
	struct stat st;
	return lstat(path, &st) == 0 && st.st_uid == uid;
}

// sleeper starts a process in the VM's version 2 cgroup.
static pid_t sleeper(const char *id, uint32_t uid)
{
	char path[512];
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(path, sizeof path, "%s/qemu@%s/cgroup.procs", policy.jail.cgroup_root, id);
		int fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "0", 1) != 1 || setresuid(uid, uid, uid) != 0)
			_exit(99);
		close(fd);
		for (;;)
			pause();
	}
	usleep(100000);
	return pid;
}

static void end(pid_t pid)
{
	cells_must(cells_kill(pid), "a process of the test's own");
	waitpid(pid, NULL, 0);
}

TEST("a jail is born with its owners and modes, its record and its cgroup")
{
	char path[512];

	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
	CHECK(rep.res.jail_create.changed);
	CHECK(is(CELLS_BASE "/jail/qemu", 0, CELLS_DAEMON, 0750) && is(JAIL, 0, CELLS_DAEMON, 0750) && is(ROOT, CELLS_UID, CELLS_DAEMON, 02710));
	CHECK(owned(JAIL "/record", 0) && is(JAIL "/record", 0, CELLS_DAEMON, 0600));
	snprintf(path, sizeof path, "%s/qemu@vm1/cgroup.procs", policy.jail.cgroup_root);
	CHECK(access(path, F_OK) == 0);
}

TEST("creating a jail again changes nothing")
{
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
	CHECK(!rep.res.jail_create.changed);
}

TEST("creating mends a jail that a killed helper left half made")
{
	CHECK(unlink(JAIL "/record") == 0 && rmdir(ROOT) == 0);
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
	CHECK(is(ROOT, CELLS_UID, CELLS_DAEMON, 02710));
	CHECK(chown(ROOT, 0, 0) == 0 && chmod(ROOT, 0700) == 0);
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
	CHECK(is(ROOT, CELLS_UID, CELLS_DAEMON, 02710));
	close(open(JAIL "/record.new", O_CREAT | O_WRONLY, 0600));
	CHECK(unlink(JAIL "/record") == 0);
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
	CHECK(access(JAIL "/record", F_OK) == 0 && access(JAIL "/record.new", F_OK) != 0);
}

TEST("a jail keeps its uid, and a uid has one jail")
{
	CHECK_INT(create("vm1", CELLS_UID + 1), OPS_EXISTS);
	CHECK_INT(create("vm2", CELLS_UID), OPS_BUSY);
}

TEST("uids outside the range are refused: 1, the daemon's, nobody, one below, one above, 2^32-2 (G1)")
{
	static const uint32_t uids[] = {1, CELLS_DAEMON, 65534, CELLS_UID - 1, CELLS_UID + 1000, 4294967294u};
	for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
		CHECK_INT(create("vm2", uids[i]), OPS_DENIED);
		CHECK_STR(rep.rule, "uid-range");
	}
	CHECK(access(CELLS_BASE "/jail/qemu/vm2", F_OK) != 0);
}

TEST("a VMM that policy doesn't name has no jails")
{
	const struct op_jail_create_args a = {.vmm = VMM_FIRECRACKER, .id = "vm2", .uid = CELLS_UID + 2};
	CHECK_INT(CELLS_CALL(&jail, jail_create, &a, NULL, 0, &rep, NULL), OPS_DENIED);
}

TEST("the quota holds at exactly N and refuses N+1 (H2)")
{
	char id[8];

	for (uint32_t i = 2; i <= policy.limits.jails; i++) {
		snprintf(id, sizeof id, "vm%u", i);
		CHECK_INT(create(id, CELLS_UID + i), OPS_OK);
	}
	CHECK_INT(create("one-more", CELLS_UID + 100), OPS_QUOTA);
	for (uint32_t i = 2; i <= policy.limits.jails; i++) {
		snprintf(id, sizeof id, "vm%u", i);
		CHECK_INT(remove_jail(id), OPS_OK);
	}
}

TEST("a kernel that everybody may read is given, and stays its owner's")
{
	fresh();
	CHECK_INT(give(SLOT_KERNEL, "kernel", file(IMG "/kernel", 0, 0644, O_RDONLY), false), OPS_OK);
	CHECK(is(IMG "/kernel", 0, 0, 0644));
}

TEST("a file that the VM couldn't read is refused")
{
	CHECK_INT(give(SLOT_INITRD, "secret", file(IMG "/secret", 0, 0600, O_RDONLY), false), OPS_DENIED);
	CHECK_STR(rep.rule, "readable by others");
}

TEST("giving the same again is no change, giving another for the slot is refused")
{
	CHECK_INT(give(SLOT_KERNEL, "kernel", open(IMG "/kernel", O_RDONLY), false), OPS_OK);
	CHECK_INT(give(SLOT_KERNEL, "kernel2", file(IMG "/kernel2", 0, 0644, O_RDONLY), false), OPS_EXISTS);
}

TEST("a writable disk becomes the VM's, and the daemon's again when the jail goes")
{
	fresh();
	CHECK_INT(give(SLOT_DISK0, "disk", file(IMG "/disk", CELLS_DAEMON, 0600, O_RDWR), true), OPS_OK);
	CHECK(is(IMG "/disk", CELLS_UID, CELLS_DAEMON, 0600));
	CHECK_INT(remove_jail("vm1"), OPS_OK);
	CHECK(is(IMG "/disk", CELLS_DAEMON, CELLS_DAEMON, 0600));
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
}

TEST("a disk that was swapped under its name doesn't go back to anybody")
{
	CHECK_INT(give(SLOT_DISK0, "disk", file(IMG "/disk", CELLS_DAEMON, 0600, O_RDWR), true), OPS_OK);
	close(file(IMG "/disk", 0, 0600, O_RDONLY));
	CHECK_INT(remove_jail("vm1"), OPS_OK);
	CHECK(is(IMG "/disk", 0, 0, 0600));
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
}

TEST("a descriptor of another file than the path leads to is refused (C4, C6)")
{
	int other = file(IMG "/other", CELLS_DAEMON, 0644, O_RDWR);

	fresh();
	close(file(IMG "/disk", CELLS_DAEMON, 0644, O_RDONLY));
	CHECK_INT(give(SLOT_DISK0, "disk", other, true), OPS_DENIED);
	CHECK_STR(rep.rule, "same file");
	CHECK(owned(IMG "/disk", CELLS_DAEMON) && owned(IMG "/other", CELLS_DAEMON));
}

TEST("the caller must hold the file open for what the VM may do: O_PATH gives nothing, read-only no disk, write-only no kernel (C6)")
{
	close(file(IMG "/disk", CELLS_DAEMON, 0644, O_RDONLY));
	CHECK_INT(give(SLOT_DISK0, "disk", open(IMG "/disk", O_RDONLY), true), OPS_DENIED);
	CHECK(dies_giving("disk", open(IMG "/disk", O_PATH)));
	CHECK(dies_giving("disk", open(IMG "/disk", O_WRONLY)));
	CHECK(owned(IMG "/disk", CELLS_DAEMON));
}

TEST("a disk with a second name is refused (D6)")
{
	int fd = file(IMG "/disk", CELLS_DAEMON, 0644, O_RDWR);

	CHECK(link(IMG "/disk", CELLS_BASE "/out/second") == 0);
	CHECK_INT(give(SLOT_DISK0, "disk", fd, true), OPS_DENIED);
	CHECK_STR(rep.rule, "single link");
	unlink(CELLS_BASE "/out/second");
}

TEST("root's file and another VM's disk are given to nobody")
{
	CHECK_INT(give(SLOT_DISK0, "disk", file(IMG "/disk", 0, 0666, O_RDWR), true), OPS_DENIED);
	CHECK_STR(rep.rule, "file owner");
	CHECK_INT(give(SLOT_DISK0, "disk", file(IMG "/disk", CELLS_UID + 5, 0666, O_RDWR), true), OPS_DENIED);
	CHECK(owned(IMG "/disk", CELLS_UID + 5));
}

TEST("a symlink at each component of an image's path is refused (D2)")
{
	mkdir(IMG "/dir", 0755);
	close(file(IMG "/dir/kernel", 0, 0644, O_RDONLY));
	unlink(IMG "/link"), unlink(IMG "/dirlink"), unlink(IMG "/out");
	CHECK(symlink("dir/kernel", IMG "/link") == 0 && symlink("dir", IMG "/dirlink") == 0 && symlink("/etc", IMG "/out") == 0);
	CHECK_INT(give(SLOT_KERNEL, "link", open(IMG "/dir/kernel", O_RDONLY), false), OPS_DENIED);
	CHECK_INT(give(SLOT_KERNEL, "dirlink/kernel", open(IMG "/dir/kernel", O_RDONLY), false), OPS_DENIED);
	CHECK_INT(give(SLOT_KERNEL, "out/passwd", open("/etc/passwd", O_RDONLY), false), OPS_DENIED);
	CHECK_INT(give(SLOT_KERNEL, "dir/kernel", open(IMG "/dir/kernel", O_RDONLY), false), OPS_OK);
}

TEST("a directory, a FIFO and a device instead of a file end the cell as a descriptor, and are refused as a path (D7)")
{
	fresh();
	mkfifo(IMG "/fifo", 0644), mknod(IMG "/null", S_IFCHR | 0666, 0x103);
	CHECK(dies_giving("dir", open(IMG "/dir", O_RDONLY)));
	CHECK(dies_giving("fifo", open(IMG "/fifo", O_RDONLY | O_NONBLOCK)));
	CHECK(dies_giving("null", open(IMG "/null", O_RDONLY)));
	CHECK_INT(give(SLOT_KERNEL, "dir", open(IMG "/kernel", O_RDONLY), false), OPS_DENIED);
	CHECK_INT(give(SLOT_KERNEL, "fifo", open(IMG "/kernel", O_RDONLY), false), OPS_DENIED);
	CHECK_INT(give(SLOT_KERNEL, "null", open(IMG "/kernel", O_RDONLY), false), OPS_DENIED);
}

TEST("paths with dot-dot, an absolute one and an empty one end the cell, since the broker never lets them through (D1)")
{
	static const char *const paths[] = {"../img/kernel", "/etc/passwd", "", ".", "a//b", "a/../b", "a/", "a\nb"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		CHECK(dies_giving(paths[i], open("/etc/passwd", O_RDONLY)));
}

// A flag that the row calls absent, holding neither 0 nor 1: what it does to a `bool` that is read all the same is the compiler's to say.
TEST("I8: a writable that isn't there but holds 2 gives nobody root's file: the cell ends")
{
	struct op_jail_give_args a = {.has_vmm = true, .vmm = VMM_QEMU, .has_id = true, .has_slot = true, .slot = SLOT_DISK0, .has_path = true};
	const uint8_t two = 2;

	fresh();
	snprintf(a.id, sizeof a.id, "vm1");
	snprintf(a.path, sizeof a.path, "roots");
	memcpy(&a.writable, &two, 1);
	bool died = dies_giving_args(&a, file(IMG "/roots", 0, 0644, O_RDONLY));
	CHECK(owned(IMG "/roots", 0));
	CHECK(died);
}

TEST("only a disk is given for writing")
{
	CHECK_INT(give(SLOT_KERNEL, "disk", file(IMG "/disk", CELLS_DAEMON, 0644, O_RDWR), true), OPS_INVALID);
}

TEST("a jail in which a process lives is not removed")
{
	fresh();
	pid_t pid = sleeper("vm1", CELLS_UID);
	CHECK_INT(remove_jail("vm1"), OPS_BUSY);
	CHECK_STR(rep.rule, "cgroup");
	CHECK(is(ROOT, CELLS_UID, CELLS_DAEMON, 02710) && access(JAIL "/record", F_OK) == 0);
	end(pid);
	CHECK_INT(remove_jail("vm1"), OPS_OK);
	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
}

TEST("jail_kill kills everything in the VM's cgroup and nothing else")
{
	int status;

	CHECK_INT(create("vm2", CELLS_UID + 2), OPS_OK);
	pid_t a = sleeper("vm1", CELLS_UID), b = sleeper("vm1", CELLS_UID), other = sleeper("vm2", CELLS_UID + 2);
	CHECK_INT(kill_jail("vm1"), OPS_OK);
	CHECK(waitpid(a, &status, 0) == a && WTERMSIG(status) == SIGKILL && waitpid(b, &status, 0) == b && WTERMSIG(status) == SIGKILL);
	CHECK(waitpid(other, &status, WNOHANG) == 0);
	end(other);
	CHECK_INT(kill_jail("vm1"), OPS_OK);
	CHECK(rep.res.jail_kill.empty);
	CHECK_INT(remove_jail("vm2"), OPS_OK);
}

TEST("jail_kill of a VM that never was finds it empty")
{
	CHECK_INT(kill_jail("never"), OPS_OK);
	CHECK(rep.res.jail_kill.empty);
}

// note_keeper writes what the spawn cell would.
static void note_keeper(pid_t pid)
{
	const struct {
		uint32_t magic, pid;
		uint64_t start;
	} keeper = {0x314b5450u, (uint32_t)pid, 0};
	int fd = open(JAIL "/keeper", O_CREAT | O_TRUNC | O_WRONLY, 0600);
	cells_must(fd >= 0 && write(fd, &keeper, sizeof keeper) == sizeof keeper, "keeper");
	close(fd);
}

TEST("jail_signal ends the noted keeper, if it is in the VM's cgroup and the VM's (G2)")
{
	int status;
	pid_t outside = fork();

	if (outside == 0)
		for (;;)
			pause();
	note_keeper(outside);
	pid_t pid = sleeper("vm1", CELLS_UID);
	CHECK_INT(signal_jail("vm1"), OPS_NOT_FOUND);
	note_keeper(1);
	CHECK_INT(signal_jail("vm1"), OPS_NOT_FOUND);
	note_keeper(pid);
	CHECK_INT(signal_jail("vm1"), OPS_OK);
	CHECK(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM);
	CHECK(waitpid(outside, &status, WNOHANG) == 0);
	end(outside);
	pid = sleeper("vm1", CELLS_UID + 7);
	note_keeper(pid);
	CHECK_INT(signal_jail("vm1"), OPS_DENIED);
	end(pid);
	CHECK_INT(signal_jail("never"), OPS_NOT_FOUND);
}

TEST("removing takes away whatever the VM made: depth, mode 0, many names, sockets, its own traps, and follows no symlink")
{
	fresh();
	CHECK(system("cd " ROOT " && p=.; for i in $(seq 300); do mkdir $p/d && p=$p/d; done && touch $p/f && seq 2000 | sed 's/^/f/' | xargs touch"
		     " && mkdir m .lifted-0 .lifted-1 && touch .lifted-1/x m/x .lifted-2 && ln -s " CELLS_BASE "/out out && ln -s /etc m/etc"
		     " && mkfifo m/p && mkdir -p m/a/b/c/d m/a2/b2 && touch m/a/b/c/d/f m/a2/b2/f && touch " CELLS_BASE "/out/keep"
		     " && chown -hR 900000 . && chmod 000 m/a/b m/a m") == 0);
	CHECK_INT(remove_jail("vm1"), OPS_OK);
	CHECK(access(JAIL, F_OK) != 0 && access(CELLS_BASE "/out/keep", F_OK) == 0);
	CHECK(owned("/etc", 0) && owned(CELLS_BASE "/out", 0));
	CHECK_INT(remove_jail("vm1"), OPS_OK);
	CHECK(!rep.res.jail_remove.changed);
}

TEST("a jail with more than one call removes is busy until it is gone")
{
	int calls = 1;

	CHECK_INT(create("vm1", CELLS_UID), OPS_OK);
	CHECK(system("cd " ROOT " && seq 45000 | sed 's/^/f/' | xargs touch") == 0);
	while (remove_jail("vm1") == OPS_BUSY && calls < 10)
		calls++;
	CHECK_INT(rep.status, OPS_OK);
	CHECK(calls >= 2);
}

TEST("a request of another cell's operation ends the cell")
{
	struct op_jail_spawn_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	struct cell_run run;
	int fd = cells_memfd("x", 1);

	cells_start(&run, "postern-jail", &policy);
	enum op_status status = CELLS_CALL(&run, jail_spawn, &a, &fd, 1, &rep, NULL);
	int ended = cells_stop(&run);
	close(fd);
	CHECK(status == OPS_COUNT && WIFEXITED(ended) && WEXITSTATUS(ended) == HELPER_EXIT_DIED);
}

TEST("a jail root that others may write is a refusal to start")
{
	struct cell_run run;

	CHECK(chmod(CELLS_BASE "/jail", 0777) == 0);
	cells_start(&run, "postern-jail", &policy);
	int status = cells_stop(&run);
	CHECK(chmod(CELLS_BASE "/jail", 0755) == 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == HELPER_EXIT_REFUSED);
}

int main(void)
{
	cells_world(&policy, "jail");
	cells_start(&jail, "postern-jail", &policy);
	int failed = test_main();
	remove_jail("vm1");
	remove_jail("vm2");
	cells_stop(&jail);
	cells_world_end(&policy);
	return failed;
}
