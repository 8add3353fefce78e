// Everything one command has started: its process group and, where cgroup v2 is mounted, its cgroup, out of which setsid(2) doesn't lead.
#ifndef POSTERN_GUEST_INIT_JOB_H
#define POSTERN_GUEST_INIT_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct job {
	pid_t leader;   // number of the process group; the kernel gives it to nobody else while the group has members (kernel/pid.c)
	bool in_cgroup; // dir is there
	char dir[128];  // the cgroup's
};

// Makes the cgroup, named by the caller's pid and, where it is a plain word, tag (may be NULL).  Without cgroup v2 there is none,
// which is no error unless a limit was asked for (0: none).  Returns 0 or an errno.
int job_make(struct job *g, const char *tag, uint32_t memory_mib, uint32_t pids);

// Forks the leader, in the cgroup.  Returns as fork(2); in the child *err is 0, or the errno that kept it out of its cgroup.
pid_t job_fork(struct job *g, int *err);

// Sends a signal to everything in the group.
void job_signal(const struct job *g, int number);

// KILL to everything in the group, new children of it included.
void job_kill(const struct job *g);

// True when nothing of it is left; without cgroup, the leader must have been reaped to know.
bool job_empty(const struct job *g);

// True if the kernel has killed something in it for memory.
bool job_oom(const struct job *g);

// Ends what is left: TERM, up to grace_ms, KILL; then removes the cgroup.
void job_end(struct job *g, unsigned grace_ms);

#endif
