// The vol cell without a kernel: every system call is written down, and can fail.
// LINK: helper/vol/mount.o helper/vol/source.o helper/vol/target.o helper/vol/mountinfo.o
// LINK: helper/common/cell.o helper/common/rules.o helper/common/recheck.o helper/common/fdpass.o helper/common/confine.o
// LINK: helper/common/policy.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -lcap-ng
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "helper/vol/sys.h"
#include "helper/vol/vol.h"
#include "tests/lib/test.h"

static char said[8192];
static int step, fail_at, open_fds, next_fd, fail_errno = EIO;
static dev_t mounted_device;
static bool something_there;
static const char *info = "";
static size_t info_at;
static struct cell cell;

__attribute__((format(printf, 1, 2))) static int call(const char *format, ...)
{
	size_t used = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + used, sizeof said - used, format, args);
	va_end(args);
	strncat(said, "\n", sizeof said - strlen(said) - 1);
	errno = fail_errno;
	return ++step == fail_at ? -1 : 0;
}

enum { DEV = 7, ROOT = 8, MOUNT = 500 };

static int give_fd(int failed, int fd)
{
	open_fds += failed == 0;
	return failed < 0 ? -1 : fd;
}

int sys_prepare(void) { return 0; }
int sys_open_path(int dir, const char *path) { return give_fd(call("open_path %s", path), dir == DEV ? 300 : next_fd++); }
int sys_open_dir(int dir, const char *path) { (void)dir; return give_fd(call("open_dir %s", path), !strcmp(path, ".") ? 401 : next_fd++); }
void sys_close(int fd) { open_fds -= fd >= 100; }
int sys_stat(int fd, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFBLK;
	st->st_rdev = 77;
	st->st_dev = fd == MOUNT ? mounted_device : 1;
	return call("stat");
}
int sys_mount_id(int fd, uint64_t *id)
{
	*id = fd == 401 || !something_there ? 1 : 22;
	return call("mount_id");
}
ssize_t sys_read_link(int dir, const char *path, char *target, size_t size)
{
	(void)dir, (void)target, (void)size;
	if (call("readlink %s", path) == 0)
		errno = EINVAL;
	return -1;
}
int sys_make_dir(int dir, const char *name) { (void)dir; return call("mkdir %s", name); }
int sys_open_mountinfo(void) { info_at = 0; return give_fd(call("mountinfo"), next_fd++); }
ssize_t sys_read(int fd, void *bytes, size_t size)
{
	size_t left = strlen(info) - info_at, n = left < 13 ? left : 13; // short reads
	(void)fd, (void)size;
	if (call("read") < 0)
		return -1;
	memcpy(bytes, info + info_at, n);
	info_at += n;
	return (ssize_t)n;
}
int sys_fs_open(const char *fstype) { return give_fd(call("fsopen %s", fstype), next_fd++); }
int sys_fs_string(int fs, const char *key, const char *value) { (void)fs; return call("%s=%s", key, value); }
int sys_fs_flag(int fs, const char *key) { (void)fs; return call("flag %s", key); }
int sys_fs_create(int fs) { (void)fs; return call("fscreate"); }
int sys_fs_mount(int fs, unsigned attr) { (void)fs; return give_fd(call("fsmount %x", attr), MOUNT); }
int sys_attach(int mount, int target) { (void)mount, (void)target; return call("attach"); }
int sys_unmount(int dir, const char *name, int flags) { (void)dir; return call("umount %s %x", name, (unsigned)flags); }

static void reset(int fail)
{
	said[0] = '\0';
	step = open_fds = 0;
	fail_at = fail;
	next_fd = 600;
	mounted_device = 77;
	something_there = false;
}

static struct op_mount_args args(void)
{
	return (struct op_mount_args){.source = "sda1", .target = "a", .fstype = FSTYPE_EXT4};
}

static enum op_status mount_it(const struct op_mount_args *a, bool *changed)
{
	struct op_mount_res r = {0};
	enum op_status status = op_mount(&cell, a, NULL, &r, NULL);

	*changed = r.changed;
	return status;
}

static bool before(const char *first, const char *second)
{
	const char *a = strstr(said, first), *b = strstr(said, second);
	return a && b && a < b;
}

TEST("a mount is attached last, after its flags are set and its device compared, and nothing stays open")
{
	struct op_mount_args a = args();
	bool changed;

	reset(0);
	CHECK_INT(mount_it(&a, &changed), OPS_OK);
	CHECK(changed && open_fds == 0);
	CHECK(before("fscreate", "fsmount e") && strstr(strstr(said, "fsmount"), "stat") && !strcmp(said + strlen(said) - 7, "attach\n"));
	CHECK(strstr(said, "fsopen ext4\nsource=/dev/sda1\nerrors=remount-ro\nfscreate\n"));
}

TEST("a mount of another device than the pinned one is dropped")
{
	struct op_mount_args a = args();
	bool changed;

	reset(0);
	mounted_device = 78;
	CHECK_INT(mount_it(&a, &changed), OPS_DENIED);
	CHECK_STR(cell.rep.rule, "device changed");
	CHECK(!changed && open_fds == 0 && !strstr(said, "attach"));
}

TEST("whichever call fails, nothing is attached before, nothing stays open, and the answer is a failure (E16)")
{
	struct op_mount_args a = args();
	bool changed;
	int n = 1, fine = 0;

	a.create_target = true;
	for (;; n++) {
		reset(n);
		enum op_status status = mount_it(&a, &changed);
		if (step < n)
			break;
		CHECK(open_fds == 0);
		CHECK(changed == (status == OPS_OK));
		fine += status == OPS_OK;
	}
	CHECK(n > 15 && fine == 0);
}

TEST("options are flags and strings of an allow list, and attributes of the mount")
{
	struct op_mount_args a = args();
	bool changed;

	a.fstype = FSTYPE_BTRFS;
	a.options = MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_DISCARD | MOUNT_COMPRESS_ZSTD | MOUNT_DEGRADED;
	a.readonly = a.exec = true;
	reset(0);
	CHECK_INT(mount_it(&a, &changed), OPS_OK);
	CHECK(strstr(said, "fsopen btrfs\nsource=/dev/sda1\nflag ro\nflag discard\ncompress=zstd\nflag degraded\nfscreate\n"));
	char want[32];
	snprintf(want, sizeof want, "fsmount %x\n", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME);
	CHECK(strstr(said, want));
	a.fstype = FSTYPE_EXT4;
	CHECK_INT(mount_it(&a, &changed), OPS_INVALID);
}

TEST("what is mounted there already is no change when it is exactly the same, and busy when anything differs")
{
	struct op_mount_args a = args();
	bool changed;

	reset(0);
	something_there = true;
	info = "21 1 8:2 / /srv rw - ext4 /dev/sda2 rw\n22 21 8:1 / /srv/mnt/a rw,nosuid,nodev,noexec,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n";
	CHECK_INT(mount_it(&a, &changed), OPS_OK);
	CHECK(!changed && !strstr(said, "fsopen") && open_fds == 0);
	a.exec = true;
	CHECK_INT(mount_it(&a, &changed), OPS_BUSY);
	a = args(), a.readonly = true;
	CHECK_INT(mount_it(&a, &changed), OPS_BUSY);
	a = args(), a.fstype = FSTYPE_XFS;
	CHECK_INT(mount_it(&a, &changed), OPS_BUSY);
	strcpy(a.source, "sda2"), a.fstype = FSTYPE_EXT4;
	CHECK_INT(mount_it(&a, &changed), OPS_BUSY);
}

TEST("unmounting asks first whether something is mounted there, and passes lazy and force on")
{
	struct op_unmount_args a = {.target = "x/y", .lazy = true, .force = true};
	struct op_unmount_res r = {0};

	reset(0);
	CHECK_INT(op_unmount(&cell, &a, NULL, &r, NULL), OPS_OK);
	CHECK(!r.changed && !strstr(said, "umount"));
	strcpy(a.target, "y");
	something_there = true;
	CHECK_INT(op_unmount(&cell, &a, NULL, &r, NULL), OPS_OK);
	CHECK(r.changed && strstr(said, "umount y 3\n") && open_fds == 0);
}

TEST("a link in /dev is resolved by its text: up all the way, or beside what it names, and never out")
{
	wire_relpath out;

	CHECK(source_canonical(out, "disk/by-id/x", "../../sda1"));
	CHECK_STR(out, "sda1");
	CHECK(source_canonical(out, "disk/by-id/x", "y"));
	CHECK_STR(out, "disk/by-id/y");
	CHECK(source_canonical(out, "mapper/x", "../dm-0"));
	CHECK_STR(out, "dm-0");
	CHECK(source_canonical(out, "x", "sda"));
	CHECK_STR(out, "sda");
	static const char *const bad[][2] = {{"disk/by-id/x", "../../../etc/passwd"}, {"disk/by-id/x", "/dev/sda"}, {"disk/by-id/x", "../sda"}, {"x", "../sda"}, {"x", ""},
					     {"disk/by-id/x", "../../a/../b"}, {"disk/by-id/x", "../../"}, {"x", "a//b"}, {"x", "a\nb"}, {"x", "."}, {"x", ".."}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (source_canonical(out, bad[i][0], bad[i][1]))
			FAIL("%s -> %s gave %s", bad[i][0], bad[i][1], out);
}

TEST("a line of mountinfo is taken apart, whatever stands in its optional fields, and broken ones are no match")
{
	struct vol_mount mount;
	char none[] = "36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw", many[] = "36 35 98:0 / /mnt ro master:1 shared:2 - vfat /dev/x rw", other[] = "360 35 98:0 / /mnt ro - vfat /dev/x rw",
	     cut[] = "36 35 98:0 / /mnt", empty[] = "";

	CHECK(mountinfo_line(none, 36, &mount) && !strcmp(mount.fstype, "ext3") && !strcmp(mount.source, "/dev/root") && !strcmp(mount.options, "rw,noatime"));
	CHECK(mountinfo_line(many, 36, &mount) && !strcmp(mount.fstype, "vfat") && !strcmp(mount.options, "ro"));
	CHECK(!mountinfo_line(other, 36, &mount) && !mountinfo_line(cut, 36, &mount) && !mountinfo_line(empty, 36, &mount));
}

int main(void)
{
	vol_state = (struct vol_state){.mount_root = ROOT, .dev = DEV};
	return test_main();
}
