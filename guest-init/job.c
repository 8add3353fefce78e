// cgroup v2 by its files (Documentation/admin-guide/cgroup-v2.rst), process groups by kill(2).
#include "guest-init/job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest-init/mounts.h"
#include "guest-init/text.h"

#define EMPTY_POLL_MS 5
#define KILL_WAIT_MS  1000 // a killed process in uninterruptible sleep keeps its cgroup, not its connection
#define PROCS_PASSES  16   // of signalling cgroup.procs where the kernel has no cgroup.kill (before 5.14)

static bool plain_word(const char *s)
{
	if (s == NULL || *s == '\0' || strlen(s) > 64)
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '-' || *s == '_'))
			return false;
	return true;
}

static int write_control(const struct job *g, const char *file, const char *value)
{
	char path[192];

	if (!text_join(path, sizeof(path), g->dir, file, NULL))
		return ENAMETOOLONG;
	return file_write(path, value) < 0 ? errno : 0;
}

static int set_limit(const struct job *g, const char *file, uint64_t n)
{
	char value[24];
	struct text t = text_over(value, sizeof(value));

	if (n == 0)
		return 0;
	text_add_num(&t, n);
	return write_control(g, file, value);
}

// Makes a cgroup; false where the directory turns out to be no cgroup, or can't be made.
static bool make_cgroup(const char *dir)
{
	char procs[192];

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return false;
	if (text_join(procs, sizeof(procs), dir, "/cgroup.procs", NULL) && access(procs, F_OK) == 0)
		return true;
	(void)rmdir(dir);
	return false;
}

int job_make(struct job *g, const char *tag, uint32_t memory_mib, uint32_t pids)
{
	struct text t = text_over(g->dir, sizeof(g->dir));
	int err;

	g->leader = 0;
	text_add(&t, CGROUP_EXEC "/");
	text_add_num(&t, (uint64_t)getpid());
	if (plain_word(tag)) {
		text_add(&t, ".");
		text_add(&t, tag);
	}
	g->in_cgroup = make_cgroup(g->dir);
	if (memory_mib == 0 && pids == 0)
		return 0;
	if (!g->in_cgroup)
		return EOPNOTSUPP;
	err = set_limit(g, "/memory.max", (uint64_t)memory_mib << 20);
	if (err == 0 && memory_mib != 0)
		(void)write_control(g, "/memory.swap.max", "0"); // there only with swap accounting
	return err != 0 ? err : set_limit(g, "/pids.max", pids);
}

// Gives birth in the cgroup (clone3(2), Linux 5.7).  A process that is moved there instead waits for a grace period of RCU, which is most
// of the time that a short command takes.  As fork(2) without what threads and atfork handlers need: here are none.
static pid_t fork_into(const char *dir)
{
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long pid;

	if (fd < 0)
		return -1;
	args.cgroup = (unsigned)fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	close(fd);
	return (pid_t)pid;
}

pid_t job_fork(struct job *g, int *err)
{
	pid_t pid = g->in_cgroup ? fork_into(g->dir) : -1;

	*err = 0;
	if (pid < 0) {
		pid = _Fork();
		if (pid == 0 && g->in_cgroup)
			*err = write_control(g, "/cgroup.procs", "0");
	}
	g->leader = pid;
	return pid;
}

// Reads a control file's start; "" when there is no cgroup.
static void read_control(const struct job *g, const char *file, char *buf, size_t cap)
{
	char path[192];

	buf[0] = '\0';
	if (g->in_cgroup && text_join(path, sizeof(path), g->dir, file, NULL))
		(void)file_read(path, buf, cap);
}

// Gives what follows the first line that begins with word, or NULL.
static const char *after(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n' ? 1 : 0;
		if (strncmp(line, word, n) == 0)
			return line + n;
	}
	return NULL;
}

static void signal_procs(const struct job *g, int number)
{
	char buf[4096];
	char *p = buf;

	read_control(g, "/cgroup.procs", buf, sizeof(buf));
	// A number cut off by the buffer's end would be another process: only whole lines count.
	for (char *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		uint64_t pid;

		*nl = '\0';
		if (text_number(p, INT32_MAX, &pid) && pid > 1)
			(void)kill((pid_t)pid, number);
	}
}

void job_signal(const struct job *g, int number)
{
	if (g->in_cgroup)
		signal_procs(g, number);
	else if (g->leader > 1)
		(void)kill(-g->leader, number);
}

void job_kill(const struct job *g)
{
	if (!g->in_cgroup)
		job_signal(g, SIGKILL);
	else if (write_control(g, "/cgroup.kill", "1") != 0)
		for (unsigned i = 0; i < PROCS_PASSES && !job_empty(g); i++)
			signal_procs(g, SIGKILL);
}

bool job_empty(const struct job *g)
{
	char buf[256];

	read_control(g, "/cgroup.events", buf, sizeof(buf));
	if (g->in_cgroup)
		return after(buf, "populated 1") == NULL;
	return g->leader <= 1 || (kill(-g->leader, 0) < 0 && errno == ESRCH);
}

bool job_oom(const struct job *g)
{
	char buf[512];
	const char *at;

	read_control(g, "/memory.events", buf, sizeof(buf));
	at = after(buf, "oom_kill ");
	return at != NULL && *at != '0';
}

static bool wait_empty(const struct job *g, unsigned ms)
{
	uint64_t until = now_ms() + ms;

	while (!job_empty(g)) {
		struct timespec pause = {.tv_nsec = EMPTY_POLL_MS * 1000000L};

		if (now_ms() >= until)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void job_end(struct job *g, unsigned grace_ms)
{
	if (!job_empty(g)) {
		job_signal(g, SIGTERM);
		job_signal(g, SIGCONT);
		if (!wait_empty(g, grace_ms)) {
			job_kill(g);
			(void)wait_empty(g, KILL_WAIT_MS);
		}
	}
	if (g->in_cgroup)
		(void)rmdir(g->dir);
	g->in_cgroup = false;
}
