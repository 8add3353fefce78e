// LINK: helper/launcher/policy_load.o helper/launcher/policy_parse.o helper/launcher/policy_words.o helper/common/policy.o helper/common/rootpath.o proto/wire.o proto/wire_kinds.o proto/mp.o
//
// Needs root: files must be root's.  Works in a directory of its own below /run, which belongs to root alone.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/launcher/policy_file.h"
#include "tests/lib/test.h"

static char dir[64], file[96], link_to[96];
static struct policy p;
static struct policy_error err;

static void put(const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, 0644) != 0)
		abort();
	close(fd);
}

static bool refused(const char *path, const char *what)
{
	err.what = NULL;
	return !policy_load(&p, path, &err) && err.what != NULL && strcmp(err.what, what) == 0;
}

#define NOT_ALONE "it, or a directory above it, doesn't belong to root alone"
#define SYMLINK   "it, or a directory above it, is a symlink"

TEST("H3: a file of root's is read")
{
	put("daemon-uid 5000\n");
	CHECK(policy_load(&p, file, &err));
	CHECK_INT(p.ids.daemon_uid, 5000);
}

TEST("H3: an error of the file comes with its line")
{
	put("daemon-uid 5000\nnonsense\n");
	CHECK(refused(file, "unknown keyword"));
	CHECK_INT(err.line, 2);
}

TEST("H3: absent is the strict default")
{
	unlink(file);
	CHECK(policy_load(&p, file, &err));
	CHECK_INT(p.ids.daemon_uid, 990);
	CHECK(policy_load(&p, "/run/no/such/directory/policy.conf", &err));
}

TEST("H3: a file that group or others may write is refused")
{
	put("");
	chmod(file, 0664);
	CHECK(refused(file, NOT_ALONE));
	chmod(file, 0646);
	CHECK(refused(file, NOT_ALONE));
}

TEST("H3: a file of somebody else's is refused")
{
	put("");
	if (chown(file, 1234, 0) != 0)
		FAIL("chown");
	CHECK(refused(file, NOT_ALONE));
	if (chown(file, 0, 0) != 0)
		FAIL("chown");
}

TEST("H3: a directory above it that others may write, or own, is refused")
{
	put("");
	chmod(dir, 0777);
	CHECK(refused(file, NOT_ALONE));
	chmod(dir, 01777);
	CHECK(refused(file, NOT_ALONE));
	chmod(dir, 0755);
	if (chown(dir, 1234, 0) != 0)
		FAIL("chown");
	CHECK(refused(file, NOT_ALONE));
	if (chown(dir, 0, 0) != 0)
		FAIL("chown");
	CHECK(policy_load(&p, file, &err));
}

TEST("H3: a symlink, at the end or on the way, is refused")
{
	char through[128];

	put("");
	unlink(link_to);
	if (symlink(file, link_to) != 0)
		FAIL("symlink");
	CHECK(refused(link_to, SYMLINK));
	unlink(link_to);
	if (symlink(dir, link_to) != 0)
		FAIL("symlink");
	snprintf(through, sizeof(through), "%s/policy.conf", link_to);
	CHECK(refused(through, SYMLINK));
	unlink(link_to);
}

TEST("H3: a FIFO, a directory and a device are refused, without waiting")
{
	unlink(file);
	if (mkfifo(file, 0644) != 0)
		FAIL("mkfifo");
	CHECK(refused(file, "not a regular file"));
	unlink(file);
	if (mkdir(file, 0755) != 0)
		FAIL("mkdir");
	CHECK(refused(file, "not a regular file"));
	rmdir(file);
}

TEST("H3: 1 GiB is refused unread, 64 KiB of comments are not")
{
	char line[65] = "################################################################\n";

	line[63] = '\n';
	line[64] = '\0';
	put("");
	if (truncate(file, 1 << 30) != 0)
		FAIL("truncate");
	CHECK(refused(file, "longer than 64 KiB"));
	put("");
	int fd = open(file, O_WRONLY | O_APPEND);
	for (int i = 0; i < 1024; i++)
		if (write(fd, line, 64) != 64)
			FAIL("write");
	CHECK(policy_load(&p, file, &err));
	if (write(fd, "#", 1) != 1)
		FAIL("write");
	close(fd);
	CHECK(refused(file, "longer than 64 KiB"));
}

TEST("H3: a file without a newline at its end is read to its end")
{
	put("net-uid 77");
	CHECK(policy_load(&p, file, &err));
	CHECK_INT(p.ids.net_uid, 77);
}

int main(void)
{
	int status;

	if (geteuid() != 0) {
		printf("ok - H3: the policy file is read from root's hands alone # SKIP needs root\n");
		return 0;
	}
	snprintf(dir, sizeof(dir), "/run/postern-policy-test.%d", (int)getpid());
	snprintf(file, sizeof(file), "%s/policy.conf", dir);
	snprintf(link_to, sizeof(link_to), "/run/postern-policy-link.%d", (int)getpid());
	if (mkdir(dir, 0755) != 0 || chmod(dir, 0755) != 0)
		return 1;
	status = test_main();
	unlink(file);
	unlink(link_to);
	rmdir(dir);
	return status;
}
