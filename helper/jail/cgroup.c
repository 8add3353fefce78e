// Runs once, before confinement, on paths that root's policy named; so plain opens are right here: on hybrid hosts /sys/fs/cgroup/cpu is a symlink.
#include "helper/jail/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP_MOUNTS "/sys/fs/cgroup"

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	static const char *const names[CGROUP_CONTROLLERS] = {"cpu", "memory", "pids"};
	return names[controller];
}

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_and_open(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -1;
	return open_dir(path);
}

static bool is_fs(int fd, unsigned long magic)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

// lists says whether the space-separated words of the file `name` below dir hold `word`.
static bool lists(int dir, const char *name, const char *word)
{
	char text[512], *rest = text;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	if (got < 0)
		return false;
	text[got] = '\0';
	for (char *item; (item = strsep(&rest, " \n"));)
		if (!strcmp(item, word))
			return true;
	return false;
}

// enable lets the children of dir use the controller. A failure shows when it is looked for below.
static void enable(int dir, const char *controller)
{
	char text[32];
	int length = snprintf(text, sizeof text, "+%s", controller);
	int fd = openat(dir, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, (size_t)length) < 0)
		errno = 0;
	close(fd);
}

static int open_v1(const char *controller, const char *leaf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, CGROUP_MOUNTS "/%s", controller);
	int fd = open_dir(path);
	bool right = fd >= 0 && is_fs(fd, CGROUP_SUPER_MAGIC);
	if (fd >= 0)
		close(fd);
	if (!right)
		return -1;
	snprintf(path, sizeof path, CGROUP_MOUNTS "/%s/%s", controller, leaf);
	return make_and_open(path);
}

static const char *open_v2(struct cgroup_roots *roots, const char *cgroup_root)
{
	roots->v2 = make_and_open(cgroup_root);
	if (roots->v2 < 0)
		return "cgroup-root";
	if (!is_fs(roots->v2, CGROUP2_SUPER_MAGIC)) {
		errno = EINVAL;
		return "cgroup-root: not a version 2 cgroup";
	}
	return NULL;
}

const char *cgroup_open(struct cgroup_roots *roots, const char *cgroup_root)
{
	const char *leaf = strrchr(cgroup_root, '/');
	const char *failed = open_v2(roots, cgroup_root);

	if (failed || !leaf)
		return failed ? failed : "cgroup-root";
	int parent = openat(roots->v2, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return "cgroup-root";
	for (enum cgroup_controller i = 0; i < CGROUP_CONTROLLERS; i++) {
		const char *name = cgroup_controller_name(i);
		enable(parent, name);
		enable(roots->v2, name);
		roots->in_v2[i] = lists(roots->v2, "cgroup.subtree_control", name);
		roots->v1[i] = roots->in_v2[i] ? -1 : open_v1(name, leaf + 1);
	}
	close(parent);
	return NULL;
}
