// LINK: helper/common/confine.o
// LIBS: -lcap-ng
//
// I5 and I6 for confine() itself: a child drops its rights and is looked at, from inside and through /proc.  Needs root.  (The filters are
// judged by tests/attack; here it is one that allows everything, since a sanitizer's own calls are in none.)
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/common/confine.h"
#include "tests/lib/test.h"

static const struct sock_filter allow[] = {{0x06, 0, 0, SECCOMP_RET_ALLOW}};
static const struct confine_limit limits[] = {{RLIMIT_NOFILE, 32}, {RLIMIT_FSIZE, 0}};

static struct confine usual(void)
{
	return (struct confine){
	    .name = "confine-test",
	    .uid = 64999,
	    .gid = 64998,
	    .caps = UINT64_C(1) << CAP_NET_ADMIN,
	    .mdwe = false, // a sanitizer's runtime may want executable memory
	    .landlock = CONFINE_FS_DENY,
	    .limits = limits,
	    .nlimits = 2,
	    .filter = allow,
	    .filter_len = 1,
	    .parent = getppid(),
	};
}

// What a child says of itself: 0 where everything is as it should be, else the line of the check that failed.
#define MUST(cond)                                                                                                                                   \
	do {                                                                                                                                         \
		if (!(cond))                                                                                                                         \
			return __LINE__ % 250 + 1;                                                                                                   \
	} while (0)

static int in_child(int (*f)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(f());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool status_has(const char *line)
{
	static char text[8192];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, line) != NULL;
}

static int drops(void)
{
	const struct confine_path proc = {.fd = open("/proc", O_RDONLY | O_DIRECTORY),
	                                  .access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR};
	struct confine c = usual();
	struct rlimit r;

	c.paths = &proc;
	c.npaths = 1;
	MUST(confine(&c) == NULL);
	// A process that isn't dumpable owns nothing in its own /proc any more, but the files that matter are world-readable.
	MUST(status_has("Uid:\t64999\t64999\t64999\t64999"));
	MUST(status_has("Gid:\t64998\t64998\t64998\t64998"));
	MUST(status_has("Groups:\t \n"));
	MUST(status_has("CapInh:\t0000000000000000"));
	MUST(status_has("CapPrm:\t0000000000001000"));
	MUST(status_has("CapEff:\t0000000000001000"));
	MUST(status_has("CapBnd:\t0000000000000000"));
	MUST(status_has("CapAmb:\t0000000000000000"));
	MUST(status_has("NoNewPrivs:\t1"));
	MUST(status_has("Seccomp:\t2"));
	MUST(prctl(PR_GET_SECUREBITS) == 0xef);
	MUST(prctl(PR_SET_SECUREBITS, 0ul) != 0);
	MUST(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 32 && r.rlim_max == 32);
	MUST(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0);
	MUST(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	MUST(open("/", O_RDONLY | O_DIRECTORY) < 0);
	MUST(setuid(0) != 0 && setgid(0) != 0);
	return 0;
}

TEST("I5: confine leaves exactly one capability, one uid, no group, no bounding set, and says so in /proc")
{
	CHECK_INT(in_child(drops), 0);
}

static int keeps_none(void)
{
	struct confine c = usual();

	c.uid = c.gid = 0;
	c.caps = 0;
	MUST(confine(&c) == NULL);
	MUST(getuid() == 0);
	MUST(open("/etc/shadow", O_RDONLY) < 0);
	MUST(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
	MUST(setgroups(0, NULL) != 0);
	MUST(prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_RAISE, (unsigned long)CAP_NET_ADMIN, 0ul, 0ul) != 0);
	return 0;
}

TEST("I5: uid 0 without capabilities is uid 0 without capabilities")
{
	CHECK_INT(in_child(keeps_none), 0);
}

static int free_paths(void)
{
	struct confine c = usual();

	c.landlock = CONFINE_FS_FREE;
	MUST(confine(&c) == NULL);
	MUST(open("/etc/passwd", O_RDONLY) >= 0);
	return 0;
}

TEST("a process whose work is with paths keeps them")
{
	CHECK_INT(in_child(free_paths), 0);
}

static int wrong_parent(void)
{
	struct confine c = usual();

	c.parent = 1;
	const char *failed = confine(&c);
	MUST(failed != NULL && strcmp(failed, "parent-death signal") == 0);
	return 0;
}

TEST("I6: a parent that isn't the launcher any more is a refusal")
{
	CHECK_INT(in_child(wrong_parent), 0);
}

static int bad_filter(void)
{
	static const struct sock_filter nonsense[] = {{0xffff, 0, 0, 0}};
	struct confine c = usual();

	c.filter = nonsense;
	const char *failed = confine(&c);
	MUST(failed != NULL && strcmp(failed, "seccomp filter") == 0);
	return 0;
}

TEST("I6: a filter that the kernel doesn't take is a refusal")
{
	CHECK_INT(in_child(bad_filter), 0);
}

static int no_setpcap(void)
{
	struct confine c = usual();

	MUST(prctl(PR_CAPBSET_DROP, (unsigned long)CAP_SYS_BOOT) == 0);
	if (setgroups(0, NULL) != 0 || setresuid(64997, 64997, 64997) != 0)
		return 1;
	const char *failed = confine(&c);
	MUST(failed != NULL && strcmp(failed, "ids and capabilities") == 0);
	return 0;
}

TEST("A28 and I6: started without the rights it needs to drop the rest, it refuses")
{
	CHECK_INT(in_child(no_setpcap), 0);
}

static int limit_too_high(void)
{
	static const struct confine_limit more[] = {{RLIMIT_NPROC, 1000}};
	struct rlimit low = {10, 10};
	struct confine c = usual();

	// Without SYS_RESOURCE no limit goes up.
	c.limits = more;
	c.nlimits = 1;
	MUST(setrlimit(RLIMIT_NPROC, &low) == 0);
	MUST(setgroups(0, NULL) == 0 && setresuid(64997, 64997, 64997) == 0);
	const char *failed = confine(&c);
	MUST(failed != NULL && strcmp(failed, "resource limits") == 0);
	return 0;
}

TEST("A8 and I6: a limit that can't be set is a refusal")
{
	CHECK_INT(in_child(limit_too_high), 0);
}

static int full_pipe(void)
{
	int p[2];

	MUST(pipe2(p, O_NONBLOCK) == 0);
	while (write(p[1], "x", 1) == 1)
		;
	MUST(fcntl(p[1], F_SETFL, 0) == 0);
	MUST(dup2(p[1], 2) == 2);
	confine_refuse("confine-test", "nobody reads", EPERM);
}

TEST("a refusal ends with 2 even where nobody reads its line")
{
	CHECK_INT(in_child(full_pipe), 2);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("ok - I5: confine leaves exactly what it says # SKIP needs root\n");
		return 0;
	}
	return test_main();
}
