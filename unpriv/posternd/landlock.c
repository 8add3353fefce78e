// Landlock by its three system calls. See landlock(7) and landlock.h.
//
// Rules hang on inodes, and procfs forgets inodes that nobody holds: the O_PATH descriptors stay open
// for the life of the process.
#include "unpriv/posternd/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unpriv/common/log.h"

// Since 6.2, 6.7, 6.10 and 6.12; the build's headers may be older than the running kernel.
#define FS_TRUNCATE  (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_ALL      3ULL // bind and connect of TCP
#define SCOPE_ALL    3ULL // abstract Unix sockets and signals of other domains

#define FS_ABI2 ((LANDLOCK_ACCESS_FS_REFER << 1) - 1)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_OWN                                                                                                                                       \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |        \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)
// What a rule on something that is no directory may say.
#define FS_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

// struct landlock_ruleset_attr as of ABI 6; older kernels take a shorter one.
struct ruleset {
	uint64_t fs, net, scoped;
};

static uint64_t handled_fs;

static bool fail_step(const char *step, const char *path)
{
	log_error("can't confine the daemon", "step=%s path=%s error=%s", step, path, strerror(errno));
	return false;
}

int landlock_begin(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 2) {
		errno = abi < 0 ? errno : ENOSYS;
		fail_step("landlock ABI 2", "-");
		return -1;
	}
	handled_fs = FS_ABI2 | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
	struct ruleset r = {.fs = handled_fs, .net = abi >= 4 ? NET_ALL : 0, .scoped = abi >= 6 ? SCOPE_ALL : 0};
	size_t size = abi >= 6 ? sizeof r : abi >= 4 ? 16 : 8;
	int rules = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (rules < 0)
		fail_step("landlock rule set", "-");
	return rules;
}

static bool allow(int rules, const char *path, uint64_t access)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		access &= FS_FILE;
	struct landlock_path_beneath_attr rule = {.allowed_access = access & handled_fs, .parent_fd = fd};
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

bool landlock_read(int rules, const char *path)
{
	return allow(rules, path, FS_READ) || errno == ENOENT || errno == EACCES || fail_step("landlock rule", path);
}

bool landlock_edit(int rules, const char *path)
{
	return allow(rules, path, FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE) || errno == ENOENT || errno == EACCES || fail_step("landlock rule", path);
}

bool landlock_own(int rules, const char *path)
{
	return allow(rules, path, FS_OWN) || fail_step("landlock rule", path);
}

bool landlock_enter(int rules)
{
	bool entered = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return entered || fail_step("landlock", "-");
}
