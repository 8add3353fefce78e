// CHOWN and FOWNER are good for every file of the host, and neither Landlock nor a seccomp filter has a say in whose file a descriptor of O_PATH is.
// So the cell is put where there are no other files.  Runs once, before confinement.  See enclose.h.
#include "helper/jail/enclose.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int enclose_begin(void)
{
	struct mount_attr slave = {.propagation = MS_SLAVE};

	if (unshare(CLONE_NEWNS) < 0)
		return -1;
	return mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave);
}

static int new_root(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -1;

	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) == 0 && fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		root = fsmount(fs, FSMOUNT_CLOEXEC, ROOT_ATTR);
	close(fs);
	return root;
}

// Attaches a copy of the tree at root/name, and opens that in place of *fd.
static int take_over(int root, const struct enclose_tree *tree)
{
	int copy, inside, ok;

	if (*tree->fd < 0)
		return 0;
	if (mkdirat(root, tree->name, 0755) < 0)
		return -1;
	copy = open_tree(*tree->fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (copy < 0)
		return -1;
	ok = move_mount(copy, "", root, tree->name, MOVE_MOUNT_F_EMPTY_PATH);
	close(copy);
	inside = ok < 0 ? -1 : openat(root, tree->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inside < 0)
		return -1;
	ok = dup3(inside, *tree->fd, O_CLOEXEC);
	close(inside);
	return ok;
}

// pivot_root(2): with both names ".", the old root ends up on top of the new one, and is taken away whole.
static int enter(int root)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -1;
	return mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof read_only);
}

int enclose(const struct enclose_tree *trees, unsigned n)
{
	int root = new_root(), failed, why;

	if (root < 0)
		return -1;
	failed = move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	for (unsigned i = 0; failed >= 0 && i < n; i++)
		failed = take_over(root, &trees[i]);
	if (failed >= 0)
		failed = enter(root);
	why = errno;
	close(root);
	errno = why;
	return failed < 0 ? -1 : 0;
}
