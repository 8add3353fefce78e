// Gives up rights and reads back that they are gone.  See confine.h.
//
// libcap-ng does what it covers: bounding set, ids, capability sets.  Securebits, no_new_privs, MDWE, Landlock and the filter are prctl(2)
// and system calls of their own.  The result is read from the kernel directly, not through the library that made it.
#include "helper/common/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// All four bits that can be locked are: KEEP_CAPS locked off, the other three locked on.
#define SECURE_ALL                                                                                                                                   \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |                   \
	 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

// <linux/prctl.h> and <linux/landlock.h> of newer kernels than the build's headers; older kernels say EINVAL, or a lower ABI.
#define OUR_PR_SET_MDWE           65
#define OUR_PR_GET_MDWE           66
#define OUR_MDWE_REFUSE_EXEC_GAIN 1ul
#define FS_ABI2                   ((UINT64_C(1) << 14) - 1) // EXECUTE to REFER
#define FS_TRUNCATE               (UINT64_C(1) << 14)       // ABI 3
#define FS_IOCTL_DEV              (UINT64_C(1) << 15)       // ABI 5
#define NET_TCP                   UINT64_C(3)               // ABI 4: bind, connect
#define SCOPE_ABSTRACT            UINT64_C(1)               // ABI 6
#define SCOPE_SIGNAL              UINT64_C(2)               // ABI 6

struct ruleset {
	uint64_t fs, net, scoped;
};

static const struct confine_limit common_limits[] = {
    {RLIMIT_CORE, 0}, {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_RTPRIO, 0}, {RLIMIT_NICE, 0},
};
#define COMMON_LIMITS (sizeof(common_limits) / sizeof(common_limits[0]))

void confine_refuse(const char *name, const char *what, int err)
{
	char line[256];
	struct pollfd p = {.fd = 2, .events = POLLOUT};
	int n = snprintf(line, sizeof(line), "%s: %s%s%s\n", name, what, err != 0 ? ": " : "", err != 0 ? strerrordesc_np(err) : "");

	if (n > 0 && (size_t)n < sizeof(line) && poll(&p, 1, 0) == 1 && write(2, line, (size_t)n) >= 0)
		_exit(2);
	_exit(2); // nobody can be told
}

static bool limit_set(const struct confine_limit *l)
{
	struct rlimit want = {l->value, l->value}, got;

	return setrlimit((__rlimit_resource_t)l->resource, &want) == 0 && getrlimit((__rlimit_resource_t)l->resource, &got) == 0 &&
	       got.rlim_cur == l->value && got.rlim_max == l->value;
}

static bool limits_set(const struct confine *c)
{
	for (size_t i = 0; i < COMMON_LIMITS; i++)
		if (!limit_set(&common_limits[i]))
			return false;
	for (size_t i = 0; i < c->nlimits; i++)
		if (!limit_set(&c->limits[i]))
			return false;
	return true;
}

// Bounding set and securebits first, while SETPCAP is there. From then on a change of uid leaves the capabilities alone, and they are cut to what is
// asked for at the end. Not capng_change_id(): it takes SETPCAP away before the securebits can be locked, and it needs KEEP_CAPS, which is locked
// off.
static bool ids_set(const struct confine *c)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0 || capng_apply(CAPNG_SELECT_AMBIENT) != 0)
		return false;
	if (prctl(PR_SET_SECUREBITS, (unsigned long)SECURE_ALL) != 0)
		return false;
	if (setgroups(0, NULL) != 0 || setresgid(c->gid, c->gid, c->gid) != 0 || setresuid(c->uid, c->uid, c->uid) != 0)
		return false;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		if ((c->caps >> i & 1) != 0 && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i) != 0)
			return false;
	return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

// Kernels before 6.3 have no MDWE; there the filters alone forbid executable mappings.
static bool mdwe_set(const struct confine *c)
{
	if (!c->mdwe)
		return true;
	if (prctl(OUR_PR_SET_MDWE, OUR_MDWE_REFUSE_EXEC_GAIN, 0ul, 0ul, 0ul) != 0)
		return errno == EINVAL;
	return prctl(OUR_PR_GET_MDWE, 0ul, 0ul, 0ul, 0ul) == (int)OUR_MDWE_REFUSE_EXEC_GAIN;
}

static struct ruleset ruleset_for(const struct confine *c, long abi)
{
	struct ruleset r = {0, 0, 0};

	if (c->landlock == CONFINE_FS_DENY)
		r.fs = FS_ABI2 | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
	if (abi >= 4)
		r.net = NET_TCP;
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT | (c->signals_out ? 0 : SCOPE_SIGNAL);
	return r;
}

// The kernel takes a shorter struct; a longer one than it knows must end in zeros, which it does there.
static bool landlock_set(const struct confine *c)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset r;
	int set;
	bool ok = true;

	if (abi < 2)
		return false;
	r = ruleset_for(c, abi);
	if (r.fs == 0 && r.net == 0 && r.scoped == 0)
		return true;
	set = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof(r), 0);
	if (set < 0)
		return false;
	for (size_t i = 0; ok && i < c->npaths; i++) {
		struct landlock_path_beneath_attr p = {.allowed_access = c->paths[i].access & r.fs, .parent_fd = c->paths[i].fd};

		ok = syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &p, 0) == 0;
	}
	ok = ok && syscall(SYS_landlock_restrict_self, set, 0) == 0;
	close(set);
	return ok;
}

static bool parent_watched(const struct confine *c)
{
	if (c->parent == 0)
		return true;
	return prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL) == 0 && getppid() == c->parent;
}

static bool ids_are(const struct confine *c)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) != 0 || getresgid(&g[0], &g[1], &g[2]) != 0 || getgroups(0, NULL) != 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (u[i] != c->uid || g[i] != c->gid)
			return false;
	return true;
}

static bool caps_are(const struct confine *c)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) != 0)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t want = (uint32_t)(c->caps >> (32 * i));

		if (d[i].effective != want || d[i].permitted != want || d[i].inheritable != 0)
			return false;
	}
	// The kernel says EINVAL behind the last capability it knows.
	for (unsigned long i = 0; i < 64; i++) {
		if (prctl(PR_CAPBSET_READ, i) > 0 || prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_IS_SET, i, 0ul, 0ul) > 0)
			return false;
	}
	return true;
}

static bool flags_are(void)
{
	return prctl(PR_GET_SECUREBITS) == SECURE_ALL && prctl(PR_GET_NO_NEW_PRIVS, 0ul, 0ul, 0ul, 0ul) == 1 && prctl(PR_GET_DUMPABLE) == 0;
}

static bool filter_set(const struct confine *c)
{
	struct sock_fprog prog = {.len = (unsigned short)c->filter_len, .filter = (struct sock_filter *)(uintptr_t)c->filter};

	if (c->filter == NULL)
		return true;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0 && prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
}

const char *confine(const struct confine *c)
{
	errno = 0;
	if (!limits_set(c))
		return "resource limits";
	if (!ids_set(c))
		return "ids and capabilities";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul) != 0)
		return "no_new_privs";
	if (prctl(PR_SET_DUMPABLE, 0ul) != 0)
		return "dumpable";
	if (!mdwe_set(c))
		return "memory-deny-write-execute";
	if (!landlock_set(c))
		return "Landlock";
	if (!parent_watched(c))
		return "parent-death signal";
	errno = 0;
	if (!ids_are(c))
		return "ids as read back";
	if (!caps_are(c))
		return "capabilities as read back";
	errno = 0;
	if (!flags_are())
		return "securebits, no_new_privs and dumpable as read back";
	return filter_set(c) ? NULL : "seccomp filter";
}

void confine_or_refuse(const struct confine *c)
{
	const char *failed = confine(c);

	if (failed != NULL)
		confine_refuse(c->name, failed, errno);
}
