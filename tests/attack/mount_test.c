// The vol cell on the real kernel: ext4 on loop devices, and a daemon that names devices, targets and options that aren't its own.
// LINK: helper/common/fdpass.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "tests/lib/cells.h"

#define MNT CELLS_BASE "/mnt"
#define LINKS "/dev/postern-test"

static struct policy policy;
static struct cell_run vol;
static struct cell_rep rep;
static char loops[2][32]; // "loop3"
static int loop_fds[2];

// make_loop formats a file and attaches it; LO_FLAGS_AUTOCLEAR lets it go with its last user, however this test ends.
static bool make_loop(int i)
{
	char command[256], path[64];
	struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

	if (n < 0)
		return false;
	close(control);
	snprintf(command, sizeof command, "truncate -s 16M %s/disk%d && /usr/sbin/mke2fs -q -t ext4 %s/disk%d", CELLS_BASE "/out", i, CELLS_BASE "/out", i);
	cells_must(system(command) == 0, "mke2fs");
	snprintf(path, sizeof path, CELLS_BASE "/out/disk%d", i);
	config.fd = (uint32_t)open(path, O_RDWR | O_CLOEXEC);
	snprintf(loops[i], sizeof loops[i], "loop%d", n);
	snprintf(path, sizeof path, "/dev/loop%d", n);
	loop_fds[i] = open(path, O_RDWR | O_CLOEXEC);
	return loop_fds[i] >= 0 && ioctl(loop_fds[i], LOOP_CONFIGURE, &config) == 0;
}

static struct op_mount_args args(const char *source, const char *target)
{
	struct op_mount_args a = {.fstype = FSTYPE_EXT4};
	snprintf(a.source, sizeof a.source, "%s", source);
	snprintf(a.target, sizeof a.target, "%s", target);
	return a;
}

static enum op_status mount_it(const struct op_mount_args *a)
{
	return CELLS_CALL(&vol, mount, a, NULL, 0, &rep, NULL);
}

static enum op_status mount_as(const char *source, const char *target)
{
	struct op_mount_args a = args(source, target);
	a.has_create_target = a.create_target = true;
	return mount_it(&a);
}

static enum op_status unmount_it(const char *target)
{
	struct op_unmount_args a = {0};
	snprintf(a.target, sizeof a.target, "%s", target);
	return CELLS_CALL(&vol, unmount, &a, NULL, 0, &rep, NULL);
}

// options copies the mount options that the kernel shows for a path; empty where nothing is mounted.
static const char *options(const char *path)
{
	static char found[256];
	char line[1024], where[512], opts[256];
	FILE *list = fopen("/proc/self/mountinfo", "re");

	found[0] = '\0';
	while (fgets(line, sizeof line, list))
		if (sscanf(line, "%*s %*s %*s %*s %511s %255s", where, opts) == 2 && !strcmp(where, path))
			strcpy(found, opts);
	fclose(list);
	return found;
}

static bool dies_on(const char *source, const char *target)
{
	struct op_mount_args a = args(source, target);
	struct cell_run run;

	cells_start(&run, "postern-vol", &policy);
	enum op_status status = CELLS_CALL(&run, mount, &a, NULL, 0, &rep, NULL);
	int ended = cells_stop(&run);
	return status == OPS_COUNT && WIFEXITED(ended) && WEXITSTATUS(ended) == HELPER_EXIT_DIED;
}

TEST("a listed device is mounted nosuid, nodev and noexec")
{
	CHECK_INT(mount_as(loops[0], "a"), OPS_OK);
	CHECK(rep.res.mount.changed);
	CHECK_STR(options(MNT "/a"), "rw,nosuid,nodev,noexec,relatime");
}

TEST("mounting exactly the same again changes nothing, anything else there is busy")
{
	struct op_mount_args a = args(loops[0], "a");

	CHECK_INT(mount_it(&a), OPS_OK);
	CHECK(!rep.res.mount.changed);
	a.has_readonly = a.readonly = true;
	CHECK_INT(mount_it(&a), OPS_BUSY);
	CHECK_INT(mount_as(loops[1], "a"), OPS_BUSY);
}

TEST("mounts nest, and a mount that has another below it is busy")
{
	CHECK_INT(mount_as(loops[1], "a/inner"), OPS_IO); // root of the file system inside is root's: the cell has no right to make a directory there
	CHECK_INT(rep.err, EACCES);
	CHECK(mkdir(MNT "/a/inner", 0755) == 0);
	CHECK_INT(mount_as(loops[1], "a/inner"), OPS_OK);
	CHECK_INT(unmount_it("a"), OPS_BUSY);
	CHECK_INT(unmount_it("a/inner"), OPS_OK);
	CHECK(rep.res.unmount.changed);
}

TEST("unmounting takes it off, and again changes nothing")
{
	CHECK_INT(unmount_it("a"), OPS_OK);
	CHECK(rep.res.unmount.changed);
	CHECK_STR(options(MNT "/a"), "");
	CHECK_INT(unmount_it("a"), OPS_OK);
	CHECK(!rep.res.unmount.changed);
	CHECK_INT(unmount_it("never"), OPS_OK);
	CHECK_INT(unmount_it("never/deep"), OPS_OK);
	CHECK(!rep.res.unmount.changed);
}

TEST("a busy mount is busy, and lazily unmounted when asked for")
{
	struct op_unmount_args a = {.target = "a", .has_lazy = true, .lazy = true};

	CHECK_INT(mount_as(loops[0], "a"), OPS_OK);
	int held = open(MNT "/a", O_RDONLY | O_DIRECTORY);
	CHECK_INT(unmount_it("a"), OPS_BUSY);
	CHECK_INT(CELLS_CALL(&vol, unmount, &a, NULL, 0, &rep, NULL), OPS_OK);
	close(held);
	CHECK_STR(options(MNT "/a"), "");
}

TEST("read-only, exec and noatime are what is asked for, and never suid or dev (E1)")
{
	struct op_mount_args a = args(loops[0], "a");

	a.has_readonly = a.readonly = a.has_exec = a.exec = true;
	a.has_options = true;
	a.options = MOUNT_NOATIME;
	CHECK_INT(mount_it(&a), OPS_OK);
	CHECK_STR(options(MNT "/a"), "ro,nosuid,nodev,noatime");
	CHECK_INT(unmount_it("a"), OPS_OK);
}

TEST("options of another file system, and bits that mean nothing, are refused (E1)")
{
	struct op_mount_args a = args(loops[0], "a");

	a.has_options = true;
	for (unsigned bit = 0; bit < 32; bit++) {
		a.options = 1u << bit;
		if (a.options & (MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_DISCARD))
			continue;
		CHECK_INT(mount_it(&a), OPS_INVALID);
	}
	CHECK_STR(options(MNT "/a"), "");
}

TEST("a file system that policy doesn't name is refused, and one that the kernel doesn't find on the device fails without a trace (E2)")
{
	struct op_mount_args a = args(loops[0], "a");

	a.fstype = FSTYPE_XFS;
	CHECK_INT(mount_it(&a), OPS_DENIED);
	CHECK_STR(rep.rule, "mount-fstype");
	a.fstype = FSTYPE_BTRFS;
	CHECK(mount_it(&a) != OPS_OK);
	CHECK_STR(options(MNT "/a"), "");
}

TEST("a device that policy doesn't list is refused (E14)")
{
	CHECK_INT(mount_as("vda", "a"), OPS_DENIED);
	CHECK_STR(rep.rule, "mount-source");
	CHECK_INT(mount_as("mem", "a"), OPS_DENIED);
}

// A listed name below /dev that this test may change: /dev is the host's, so it gets a tmpfs of its own over one directory.
static void make_link(const char *to)
{
	unlink(LINKS "/by-id/x");
	cells_must(symlink(to, LINKS "/by-id/x") == 0, "symlink");
}

TEST("a by-id link is resolved once, inside /dev, and the canonical name is what is mounted")
{
	char to[64];

	snprintf(to, sizeof to, "../../%s", loops[0]);
	make_link(to);
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_OK);
	CHECK(options(MNT "/a")[0]);
	CHECK_INT(mount_as(loops[0], "a"), OPS_OK);
	CHECK(!rep.res.mount.changed);
	CHECK_INT(unmount_it("a"), OPS_OK);
}

TEST("a by-id link that leaves /dev, is absolute, leads to a link or to no block device is refused (D2, D3)")
{
	char two[64];

	make_link("../../../etc/passwd");
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_DENIED);
	make_link("/dev/loop0");
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_DENIED);
	make_link("../../fd/3");
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_DENIED);
	make_link("../../null");
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_DENIED);
	snprintf(two, sizeof two, "../%s", loops[0]);
	cells_must(symlink(two, LINKS "/second") == 0, "symlink");
	make_link("../second");
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_DENIED);
	make_link("../../gone");
	CHECK_INT(mount_as("postern-test/by-id/x", "a"), OPS_NOT_FOUND);
	CHECK_STR(options(MNT "/a"), "");
}

TEST("a symlink on the way to the target is refused, and nothing is mounted behind it (D2, E4)")
{
	mkdir(CELLS_BASE "/out/dir", 0755);
	cells_must(symlink(CELLS_BASE "/out/dir", MNT "/lie") == 0, "symlink");
	CHECK_INT(mount_as(loops[0], "lie"), OPS_DENIED);
	CHECK_INT(mount_as(loops[0], "lie/x"), OPS_DENIED);
	CHECK_STR(options(CELLS_BASE "/out/dir"), "");
	CHECK_INT(unmount_it("lie/x"), OPS_DENIED);
	unlink(MNT "/lie");
}

TEST("a file as the target is refused (D7)")
{
	close(open(MNT "/file", O_CREAT | O_WRONLY, 0644));
	CHECK_INT(mount_as(loops[0], "file"), OPS_DENIED);
	unlink(MNT "/file");
}

TEST("a missing target without create_target is not found")
{
	struct op_mount_args a = args(loops[0], "missing");
	CHECK_INT(mount_it(&a), OPS_NOT_FOUND);
}

TEST("dot-dot, absolute, empty and the root itself end the cell, as source and as target, since the broker never lets them through (D1, E4)")
{
	static const char *const bad[] = {"..", ".", "", "/", "/etc", "a/../..", "a//b", "a/", "../mnt"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(dies_on(loops[0], bad[i]));
		CHECK(dies_on(bad[i], "a"));
	}
}

TEST("what lies outside the mount root is not unmounted, whatever is mounted there (E8)")
{
	cells_must(mkdir(CELLS_BASE "/out/foreign", 0755) == 0 && mount("tmpfs", CELLS_BASE "/out/foreign", "tmpfs", 0, NULL) == 0, "tmpfs");
	cells_must(symlink("../out/foreign", MNT "/lie") == 0, "symlink");
	CHECK(unmount_it("lie") != OPS_OK || !rep.res.unmount.changed);
	CHECK(options(CELLS_BASE "/out/foreign")[0]);
	unlink(MNT "/lie");
	umount2(CELLS_BASE "/out/foreign", MNT_DETACH);
}

struct poller {
	pid_t pid;
	int stop, found;
};

// A poller in another process looks for the mount without nosuid and nodev while it comes and goes.
static struct poller start_poller(void)
{
	int stop[2], found[2];
	struct poller p;

	cells_must(pipe(stop) == 0 && pipe(found) == 0, "pipe");
	p.pid = fork();
	if (p.pid == 0) {
		struct pollfd end = {.fd = stop[0], .events = POLLIN};
		close(stop[1]);
		while (poll(&end, 1, 0) == 0) {
			const char *opts = options(MNT "/a");
			if (opts[0] && !(strstr(opts, "nosuid") && strstr(opts, "nodev") && strstr(opts, "noexec")))
				_exit(1);
		}
		_exit(0);
	}
	close(stop[0]), close(found[0]), close(found[1]);
	p.stop = stop[1];
	return p;
}

TEST("a poller of mountinfo never sees the mount without nosuid, nodev and noexec (E3)")
{
	struct poller p = start_poller();
	bool ok = true;
	int status;

	for (int i = 0; i < 100 && ok; i++)
		ok = mount_as(loops[0], "a") == OPS_OK && unmount_it("a") == OPS_OK;
	close(p.stop);
	waitpid(p.pid, &status, 0);
	CHECK(ok && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	int failed = 1;

	cells_world(&policy, "mount");
	cells_must(mkdir(LINKS, 0755) == 0 && mount("tmpfs", LINKS, "tmpfs", 0, NULL) == 0 && mkdir(LINKS "/by-id", 0755) == 0, LINKS);
	if (!make_loop(0) || !make_loop(1)) {
		printf("ok - mounting is tested on loop devices # SKIP this kernel has no free loop devices\n");
		failed = 0;
	} else {
		policy.vol.fstypes = 1u << FSTYPE_EXT4 | 1u << FSTYPE_BTRFS;
		policy.vol.sources.n = 3;
		snprintf(policy.vol.sources.v[0], POLICY_PATH, "/dev/%s", loops[0]);
		snprintf(policy.vol.sources.v[1], POLICY_PATH, "/dev/%s", loops[1]);
		snprintf(policy.vol.sources.v[2], POLICY_PATH, LINKS "/by-id/*");
		cells_start(&vol, "postern-vol", &policy);
		failed = test_main();
		cells_stop(&vol);
	}
	umount2(LINKS, MNT_DETACH);
	rmdir(LINKS);
	umount2(MNT "/a", MNT_DETACH);
	close(loop_fds[0]);
	close(loop_fds[1]);
	cells_world_end(&policy);
	return failed;
}
