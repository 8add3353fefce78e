// Goes down component by component, each pinned before it is judged: a name that is swapped meanwhile leads nowhere else.  See rootpath.h.
#include "helper/common/rootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper/common/policy.h"

bool rootpath_alone(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_below(int dir, const char *name, int flags)
{
	const struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_NOFOLLOW | O_CLOEXEC,
	                             .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int fail(int dir, int why)
{
	if (dir >= 0)
		close(dir);
	errno = why;
	return -1;
}

int rootpath_open(const char *path, int flags)
{
	char part[POLICY_PATH];
	struct stat st;
	int dir = open_below(AT_FDCWD, "/", O_PATH | O_DIRECTORY);

	while (dir >= 0 && *path == '/') {
		size_t len = strcspn(++path, "/");
		int next;

		if (len == 0 || len >= sizeof(part))
			return fail(dir, EINVAL);
		if (fstat(dir, &st) != 0 || !rootpath_alone(&st))
			return fail(dir, EPERM);
		memcpy(part, path, len);
		part[len] = '\0';
		path += len;
		next = open_below(dir, part, *path == '\0' ? flags : O_PATH | O_DIRECTORY);
		fail(dir, errno); // with the errno of the open
		dir = next;
	}
	return dir;
}
