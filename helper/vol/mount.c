// mount and unmount. Everything is checked and made before anything is attached: a file system context with typed parameters, a detached mount with
// its flags set, its device compared; only then does a name lead to it. So no one ever sees the mount without nosuid and nodev, and a failure leaves
// nothing.
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "helper/vol/sys.h"
#include "helper/vol/vol.h"

struct vol_state vol_state = {.mount_root = -1, .dev = -1};

static const char *fstype_name(uint32_t fstype)
{
	static const char *const names[FSTYPE_MAX + 1] = {
	    [FSTYPE_EXT4] = "ext4", [FSTYPE_BTRFS] = "btrfs", [FSTYPE_VFAT] = "vfat", [FSTYPE_XFS] = "xfs"};
	return names[fstype];
}

// What each file system takes of enum mount_option. NOATIME and NODIRATIME are the mount's, not the file system's.
static uint32_t options_of(uint32_t fstype)
{
	const uint32_t all = MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_DISCARD;
	return fstype == FSTYPE_BTRFS ? all | MOUNT_COMPRESS_ZSTD | MOUNT_DEGRADED : all;
}

static unsigned attributes(const struct op_mount_args *a)
{
	unsigned attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	if (!a->exec)
		attr |= MOUNT_ATTR_NOEXEC;
	if (a->readonly)
		attr |= MOUNT_ATTR_RDONLY;
	if (a->options & MOUNT_NOATIME)
		attr |= MOUNT_ATTR_NOATIME;
	if (a->options & MOUNT_NODIRATIME)
		attr |= MOUNT_ATTR_NODIRATIME;
	return attr;
}

// configure sets the parameters. A file system that finds itself damaged goes read-only, whatever its own superblock asks for: ext4's may ask for a
// panic.
static int configure(int fs, const struct vol_source *source, const struct op_mount_args *a)
{
	if (sys_fs_string(fs, "source", source->path) < 0 || (a->readonly && sys_fs_flag(fs, "ro") < 0))
		return -1;
	if ((a->fstype == FSTYPE_EXT4 || a->fstype == FSTYPE_VFAT) && sys_fs_string(fs, "errors", "remount-ro") < 0)
		return -1;
	if (a->options & MOUNT_DISCARD && sys_fs_flag(fs, "discard") < 0)
		return -1;
	if (a->options & MOUNT_COMPRESS_ZSTD && sys_fs_string(fs, "compress", "zstd") < 0)
		return -1;
	return a->options & MOUNT_DEGRADED && sys_fs_flag(fs, "degraded") < 0 ? -1 : sys_fs_create(fs);
}

// came_from asks whether the mount is of the pinned device. btrfs gives its files a device number of its own, so there the name is asked a second
// time.
static bool came_from(int mount, const struct vol_source *source, uint32_t fstype)
{
	struct stat st;

	if (sys_stat(mount, &st) < 0 || !source_same(source))
		return false;
	return fstype == FSTYPE_BTRFS || st.st_dev == source->device;
}

static enum op_status make_mount(struct cell *c, const struct vol_source *source, const struct op_mount_args *a, int *mount)
{
	int fs = sys_fs_open(fstype_name(a->fstype));

	*mount = -1;
	if (fs < 0)
		return errno == ENODEV ? cell_fail(c, OPS_UNSUPPORTED, "file system", ENODEV) : cell_fail_errno(c, "fsopen", errno);
	int failed = configure(fs, source, a);
	if (failed == 0)
		*mount = sys_fs_mount(fs, attributes(a));
	int why = errno;
	sys_close(fs);
	if (*mount < 0)
		return cell_fail_errno(c, "mount", why);
	if (came_from(*mount, source, a->fstype))
		return OPS_OK;
	sys_close(*mount);
	*mount = -1;
	return cell_fail(c, OPS_DENIED, "device changed", 0);
}

// find_mounted answers 1 with the mount whose root the directory is, 0 when nothing is mounted there, -1 with errno.
static int find_mounted(int target, int parent, struct vol_mount *mount)
{
	uint64_t id, parent_id;

	if (sys_mount_id(target, &id) < 0 || sys_mount_id(parent, &parent_id) < 0)
		return -1;
	if (id == parent_id)
		return 0;
	int list = sys_open_mountinfo();
	if (list < 0)
		return -1;
	int found = mountinfo_find(list, id, mount);
	int why = errno;
	sys_close(list);
	errno = found == 0 ? ENOENT : why;
	return found == 1 ? 1 : -1;
}

static bool has_option(const char *options, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = options; (p = strstr(p, word)); p += length)
		if ((p == options || p[-1] == ',') && (p[length] == ',' || p[length] == '\0'))
			return true;
	return false;
}

// is_exactly compares what stands there with what is asked for.
static bool is_exactly(const struct vol_mount *mount, const struct vol_source *source, const struct op_mount_args *a)
{
	return !strcmp(mount->source, source->path) && !strcmp(mount->fstype, fstype_name(a->fstype)) &&
	       has_option(mount->options, "ro") == a->readonly && has_option(mount->options, "noexec") == !a->exec &&
	       has_option(mount->options, "nosuid") && has_option(mount->options, "nodev") &&
	       has_option(mount->options, "noatime") == !!(a->options & MOUNT_NOATIME);
}

static enum op_status mount_at(struct cell *c, const struct vol_source *source, const struct op_mount_args *a, int target, int parent, bool *changed)
{
	struct vol_mount there;
	int mount, found = find_mounted(target, parent, &there);

	if (found < 0)
		return cell_fail_errno(c, "list mounts", errno);
	if (found)
		return is_exactly(&there, source, a) ? OPS_OK : cell_fail(c, OPS_BUSY, "target", 0);
	enum op_status status = make_mount(c, source, a, &mount);
	if (status == OPS_OK && sys_attach(mount, target) < 0)
		status = cell_fail_errno(c, "attach", errno);
	sys_close(mount);
	*changed = status == OPS_OK;
	return status;
}

// target_failed tells a way out of the mount root, which is refused, from what isn't there.
static enum op_status target_failed(struct cell *c)
{
	return errno == ELOOP || errno == EXDEV || errno == ENOTDIR ? cell_fail(c, OPS_DENIED, "mount-root", errno)
	                                                            : cell_fail_errno(c, "target", errno);
}

enum op_status op_mount(struct cell *c, const struct op_mount_args *a, const int *fds, struct op_mount_res *r, int *out_fds)
{
	struct vol_source source;
	const char *leaf;

	(void)fds, (void)out_fds;
	if (a->options & ~options_of(a->fstype))
		return cell_fail(c, OPS_INVALID, "options", 0);
	enum op_status status = source_open(c, &source, a->source);
	if (status != OPS_OK)
		return status;
	int target = target_open(a->target, a->create_target);
	int parent = target < 0 ? -1 : target_open_parent(a->target, &leaf);
	status = parent < 0 ? target_failed(c) : mount_at(c, &source, a, target, parent, &r->changed);
	r->has_changed = true;
	sys_close(parent);
	sys_close(target);
	sys_close(source.fd);
	return status;
}

// is_mounted asks whether the name in `parent` is a mount's root: 1, 0, or -1 with errno. The descriptor is closed again, since it would keep the
// mount busy.
static int is_mounted(int parent, const char *leaf)
{
	uint64_t id, parent_id;
	int target = sys_open_path(parent, leaf);
	int result = target < 0 || sys_mount_id(target, &id) < 0 || sys_mount_id(parent, &parent_id) < 0 ? -1 : id != parent_id;
	int why = errno;

	sys_close(target);
	errno = why;
	return result;
}

enum op_status op_unmount(struct cell *c, const struct op_unmount_args *a, const int *fds, struct op_unmount_res *r, int *out_fds)
{
	const char *leaf;
	enum op_status status = OPS_OK;

	(void)fds, (void)out_fds;
	r->has_changed = true;
	int parent = target_open_parent(a->target, &leaf);
	if (parent < 0)
		return errno == ENOENT ? OPS_OK : target_failed(c);
	int mounted = is_mounted(parent, leaf);
	if (mounted < 0 && errno != ENOENT)
		status = target_failed(c);
	if (mounted == 1) {
		r->changed = sys_unmount(parent, leaf, (a->lazy ? MNT_DETACH : 0) | (a->force ? MNT_FORCE : 0)) == 0;
		if (!r->changed)
			status = cell_fail_errno(c, "unmount", errno);
	}
	sys_close(parent);
	return status;
}
