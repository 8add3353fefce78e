// jail_empty: removes a tree that a VM filled as it liked. No recursion: a directory that isn't empty gives its subdirectories to the top under fresh
// names, so the tree gets flatter until it is gone, and depth costs neither stack nor descriptors. The VM's processes are gone by then, and before
// anything is looked up in a directory it is taken over by root, mode 0700: that is what CHOWN and FOWNER are for, and why DAC_OVERRIDE is not
// needed.
#include <errno.h>
#include <stdio.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

int jail_open_taken(int dir, const char *name)
{
	int path = sys_open_path(dir, name);
	if (path < 0)
		return -1;
	int result = sys_chown(path, 0, 0) < 0 || sys_chmod(path, 0700) < 0 ? -1 : sys_open_dir(dir, name);
	int why = errno;
	sys_close(path);
	errno = why;
	return result;
}

enum removed { GONE, FULL_DIRECTORY, FAILED };

static enum removed remove_one(int dir, const char *name)
{
	if (sys_unlink(dir, name) == 0 || errno == ENOENT)
		return GONE;
	if (errno != EISDIR)
		return FAILED;
	if (sys_rmdir(dir, name) == 0 || errno == ENOENT)
		return GONE;
	return errno == ENOTEMPTY || errno == EEXIST ? FULL_DIRECTORY : FAILED;
}

// lift moves a directory to the top. It must be ours first: the kernel asks for write permission on a directory whose ".." changes.
static int lift(int top, int from, const char *name)
{
	static unsigned next;
	char fresh[32];
	int moved;

	int dir = jail_open_taken(from, name);
	if (dir < 0)
		return -1;
	sys_close(dir);
	do {
		snprintf(fresh, sizeof fresh, ".lifted-%u", next++);
		moved = sys_rename(from, name, top, fresh);
	} while (moved < 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)); // the VM used that name
	return moved;
}

// flatten empties one directory of the top into the top. What a listing that changes under us left out is found by the next pass.
static int flatten(int top, const char *name, unsigned *left)
{
	struct jail_names names = {.dir = jail_open_taken(top, name), .again = true};
	enum removed removed;
	const char *child;
	int more = 0;

	if (names.dir < 0)
		return -1;
	while (*left && (more = jail_names_next(&names, &child)) > 0) {
		--*left;
		removed = remove_one(names.dir, child);
		if (removed == FAILED || (removed == FULL_DIRECTORY && lift(top, names.dir, child) < 0)) {
			more = -1;
			break;
		}
	}
	int why = errno;
	sys_close(names.dir);
	errno = why;
	return more;
}

int jail_empty(int top, unsigned most)
{
	unsigned left = most, found;

	do {
		struct jail_names names = {.dir = top, .again = true};
		const char *name;
		int more = 0;
		for (found = 0; left && (more = jail_names_next(&names, &name)) > 0; found++) {
			left--;
			enum removed removed = remove_one(top, name);
			if (removed == FAILED || (removed == FULL_DIRECTORY && flatten(top, name, &left) < 0))
				return -1;
		}
		if (more < 0)
			return -1;
	} while (found && left);
	return left ? 1 : 0;
}
