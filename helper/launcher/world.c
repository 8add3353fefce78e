// Cleans the world that the caller arranged.  See launcher.h.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include "helper/common/confine.h"
#include "helper/launcher/launcher.h"

#define CAP(c) (UINT64_C(1) << (c))
#define TREE_CAPS                                                                                                                                    \
	(CAP(CAP_CHOWN) | CAP(CAP_FOWNER) | CAP(CAP_KILL) | CAP(CAP_SETGID) | CAP(CAP_SETUID) | CAP(CAP_SETPCAP) | CAP(CAP_NET_ADMIN) |              \
	 CAP(CAP_SYS_ADMIN) | CAP(CAP_MKNOD))

// What broker, cells and VMs may use at most; each lowers its own further.
static const struct confine_limit limits[] = {
    {RLIMIT_CPU, RLIM_INFINITY},    {RLIMIT_FSIZE, RLIM_INFINITY}, {RLIMIT_DATA, RLIM_INFINITY}, {RLIMIT_STACK, 8u << 20}, {RLIMIT_CORE, 0},
    {RLIMIT_RSS, RLIM_INFINITY},    {RLIMIT_NPROC, 16384},         {RLIMIT_NOFILE, 8192},        {RLIMIT_MEMLOCK, 0},      {RLIMIT_AS, RLIM_INFINITY},
    {RLIMIT_LOCKS, RLIM_INFINITY},  {RLIMIT_SIGPENDING, 1024},     {RLIMIT_MSGQUEUE, 0},         {RLIMIT_NICE, 0},         {RLIMIT_RTPRIO, 0},
    {RLIMIT_RTTIME, RLIM_INFINITY},
};
_Static_assert(sizeof(limits) / sizeof(limits[0]) == RLIM_NLIMITS, "every limit is set");

static void must(bool ok, const char *what)
{
	if (!ok)
		confine_refuse(LAUNCHER, what, errno);
}

// no_new_privs or a nosuid mount make a setuid exec an ordinary one: said before anything is touched.
static void check_rights(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	uint64_t have;

	errno = 0;
	must(geteuid() == 0, "not root: no_new_privs, a nosuid mount, or the setuid bit is missing");
	must(syscall(SYS_capget, &h, d) == 0, "capget");
	have = (uint64_t)d[1].effective << 32 | d[0].effective;
	must((have & TREE_CAPS) == TREE_CAPS, "a capability that the cells need is missing");
	must(prctl(PR_GET_SECUREBITS) == 0, "started with securebits set");
}

static void clean_descriptors(void)
{
	struct stat st;
	int null;

	must(close_range(4, ~0u, 0) == 0, "close_range");
	null = open("/dev/null", O_RDWR | O_NOCTTY);
	must(null >= 0 && fstat(null, &st) == 0, "/dev/null");
	errno = 0;
	must(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3), "/dev/null is something else");
	must(dup2(null, 0) == 0 && dup2(null, 1) == 1, "dup2");
	if (fstat(2, &st) != 0)
		must(dup2(null, 2) == 2, "dup2");
	if (null > 2)
		close(null);
}

static void clean_ids(void)
{
	uid_t u[3];
	gid_t g[3];

	must(setgroups(0, NULL) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0, "becoming root");
	must(getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 && getgroups(0, NULL) == 0, "reading ids back");
	errno = 0;
	must((u[0] | u[1] | u[2]) == 0 && (g[0] | g[1] | g[2]) == 0, "still another uid or gid");
	must(prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0ul, 0ul, 0ul) == 0, "ambient capabilities");
}

// Asks the kernel, for glibc's sigaction refuses 32 and 33, its own, and these too can come in ignored.
static void clean_signals(void)
{
	static const struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} dfl; // the kernel's struct sigaction, with SIG_DFL
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			must(syscall(SYS_rt_sigaction, s, &dfl, NULL, sizeof(dfl.mask)) == 0, "rt_sigaction");
	sigemptyset(&none);
	must(sigprocmask(SIG_SETMASK, &none, NULL) == 0, "sigprocmask");
}

static void clean_limits(void)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit r = {limits[i].value, limits[i].value};

		must(setrlimit((__rlimit_resource_t)limits[i].resource, &r) == 0, "setrlimit");
	}
}

static void clean_time(void)
{
	static const struct itimerval off;
	static const struct sched_param normal;

	must(setitimer(ITIMER_REAL, &off, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &off, NULL) == 0 && setitimer(ITIMER_PROF, &off, NULL) == 0,
	     "setitimer");
	must(sched_setscheduler(0, SCHED_OTHER, &normal) == 0 && setpriority(PRIO_PROCESS, 0, 0) == 0, "scheduling class and priority");
}

void world_clean(void)
{
	check_rights();
	clean_descriptors();
	clean_ids();
	must(setsid() >= 0 || getsid(0) == getpid(), "setsid: started as leader of a process group");
	clean_signals();
	umask(077);
	clean_limits();
	clean_time();
	must(clearenv() == 0 && chdir("/") == 0, "chdir");
	must(prctl(PR_SET_DUMPABLE, 0ul) == 0, "dumpable");
	must(personality(0) >= 0, "personality");
}
