// From a name that the daemon says to a device that is pinned. Three things must hold: policy lists the name as said (the loop has asked); the name, or the one link that
// it is, leads to a block device inside /dev; and what is mounted in the end has that device's number.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helper/vol/sys.h"
#include "helper/vol/vol.h"

bool source_canonical(char out[static sizeof(wire_relpath)], const char *name, const char *link)
{
	size_t depth = 0, left; // directories of `name`; how many the link leaves of them
	char joined[2 * sizeof(wire_relpath)];
	const char *slash = strrchr(name, '/');

	for (const char *p = name; *p; p++)
		depth += *p == '/';
	for (left = depth; left > 0 && !strncmp(link, "../", 3); left--)
		link += 3; // each takes one directory of the name away
	// udev's links go up all the way, or stand beside what they name
	if (left == 0 || left == depth) {
		size_t prefix = left && slash ? (size_t)(slash - name) + 1 : 0;
		int length = snprintf(joined, sizeof joined, "%.*s%s", (int)prefix, name, link);
		if (length > 0 && (size_t)length < sizeof(wire_relpath) && wire_relpath_ok(joined)) {
			memcpy(out, joined, (size_t)length + 1);
			return true;
		}
	}
	return false;
}

// resolve follows the last component, once and by text: what it leads to is opened without following anything.
static bool resolve(wire_relpath canonical, const char *name)
{
	wire_relpath link;
	ssize_t length = sys_read_link(vol_state.dev, name, link, sizeof link - 1);

	if (length < 0 && errno == EINVAL) { // not a link
		snprintf(canonical, sizeof(wire_relpath), "%s", name);
		return true;
	}
	if (length < 0)
		return false;
	link[length] = '\0';
	errno = EXDEV;
	return source_canonical(canonical, name, link);
}

enum op_status source_open(struct cell *c, struct vol_source *source, const wire_relpath name)
{
	wire_relpath canonical;
	struct stat st;

	source->fd = -1;
	if (!resolve(canonical, name))
		return errno == EXDEV ? cell_fail(c, OPS_DENIED, "mount-source", errno) : cell_fail_errno(c, "source", errno);
	source->fd = sys_open_path(vol_state.dev, canonical);
	if (source->fd < 0)
		return errno == ELOOP || errno == EXDEV ? cell_fail(c, OPS_DENIED, "mount-source", errno) : cell_fail_errno(c, "source", errno);
	if (sys_stat(source->fd, &st) < 0 || !S_ISBLK(st.st_mode)) {
		sys_close(source->fd);
		source->fd = -1;
		return cell_fail(c, OPS_DENIED, "block device", 0);
	}
	source->device = st.st_rdev;
	snprintf(source->path, sizeof source->path, "/dev/%s", canonical);
	return OPS_OK;
}

bool source_same(const struct vol_source *source)
{
	struct stat st;
	int fd = sys_open_path(vol_state.dev, source->path + strlen("/dev/"));
	bool same = fd >= 0 && sys_stat(fd, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == source->device;

	sys_close(fd);
	return same;
}
