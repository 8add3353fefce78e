// LINK: helper/common/rootpath.o
//
// A path that the policy names, and everybody who could have put something else there.  Needs root; works in a directory of its own below /run.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/common/rootpath.h"
#include "tests/lib/test.h"

static char top[64], mid[80], leaf[96];

static void reset(void)
{
	if (chown(top, 0, 0) != 0 || chmod(top, 0755) != 0 || chown(mid, 0, 0) != 0 || chmod(mid, 0755) != 0 || chown(leaf, 0, 0) != 0 || chmod(leaf, 0755) != 0)
		abort();
}

static int says(const char *path)
{
	int fd = rootpath_open(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

TEST("a directory below root's is opened, whoever's it is itself")
{
	reset();
	CHECK_INT(says(leaf), 0);
	CHECK(chown(leaf, 1000, 1000) == 0 && chmod(leaf, 0777) == 0);
	CHECK_INT(says(leaf), 0);
}

TEST("one that lies below a stranger's directory is refused, at any depth")
{
	reset();
	CHECK(chown(mid, 1000, 0) == 0);
	CHECK_INT(says(leaf), EPERM);
	reset();
	CHECK(chown(top, 1000, 0) == 0);
	CHECK_INT(says(leaf), EPERM);
}

TEST("one below a directory that its group or others may write is refused, a sticky one too")
{
	const mode_t modes[] = {0775, 0757, 01777};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		reset();
		CHECK(chmod(mid, modes[i]) == 0);
		CHECK_INT(says(leaf), EPERM);
	}
}

TEST("a symlink is refused as the last component and on the way")
{
	char link_to[96], through[112];

	reset();
	snprintf(link_to, sizeof(link_to), "%s/link", top);
	snprintf(through, sizeof(through), "%s/leaf", link_to);
	unlink(link_to);
	CHECK(symlink(mid, link_to) == 0);
	CHECK(says(link_to) == ELOOP || says(link_to) == ENOTDIR);
	CHECK(says(through) == ELOOP || says(through) == ENOTDIR);
	unlink(link_to);
}

TEST("empty components, relative paths and what isn't there are refused")
{
	char path[128];

	reset();
	snprintf(path, sizeof(path), "%s//leaf", mid);
	CHECK_INT(says(path), EINVAL);
	snprintf(path, sizeof(path), "%s/none", mid);
	CHECK_INT(says(path), ENOENT);
	snprintf(path, sizeof(path), "%s/", leaf);
	CHECK_INT(says(path), EINVAL);
}

int main(void)
{
	snprintf(top, sizeof(top), "/run/postern-rootpath-%d", getpid());
	snprintf(mid, sizeof(mid), "%s/mid", top);
	snprintf(leaf, sizeof(leaf), "%s/leaf", mid);
	if (mkdir(top, 0755) != 0 || mkdir(mid, 0755) != 0 || mkdir(leaf, 0755) != 0)
		abort();
	int failed = test_main();
	rmdir(leaf);
	rmdir(mid);
	rmdir(top);
	return failed;
}
