// Directories below the mount root, which is postern's alone. Mounts nest, so mount points may be crossed; symlinks are not followed anywhere.
#include <errno.h>
#include <string.h>

#include "helper/vol/sys.h"
#include "helper/vol/vol.h"

// open_or_make opens one component, and makes it when it isn't there.
static int open_or_make(int dir, const char *name)
{
	int fd = sys_open_dir(dir, name);

	if (fd >= 0 || errno != ENOENT || (sys_make_dir(dir, name) < 0 && errno != EEXIST))
		return fd;
	return sys_open_dir(dir, name);
}

static int make_all(const char *path)
{
	wire_relpath copy;
	char *rest = copy, *name;
	int dir = -1;

	memcpy(copy, path, strlen(path) + 1);
	while ((name = strsep(&rest, "/"))) {
		int next = open_or_make(dir < 0 ? vol_state.mount_root : dir, name);
		int why = errno;
		sys_close(dir);
		errno = why;
		if (next < 0)
			return -1;
		dir = next;
	}
	return dir;
}

int target_open(const char *path, bool create)
{
	return create ? make_all(path) : sys_open_dir(vol_state.mount_root, path);
}

int target_open_parent(const char *path, const char **leaf)
{
	wire_relpath parent;
	const char *slash = strrchr(path, '/');

	*leaf = slash ? slash + 1 : path;
	if (!slash)
		return sys_open_dir(vol_state.mount_root, ".");
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return sys_open_dir(vol_state.mount_root, parent);
}
