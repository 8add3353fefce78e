// Giving up rights, and reading back that they are gone.
//
// Each helper process is started by the launcher as uid 0 with a clean world, opens what it needs for life, and then calls confine() once,
// before the first byte of a request is read.  A step that fails is a refusal to start, never a weaker fall-back.  Order: rlimits, bounding
// set and ids and capabilities (libcap-ng), securebits, no_new_privs, dumpable off, MDWE, Landlock, parent-death signal, reading everything
// back, seccomp filter, reading its mode back.
//
// PDEATHSIG alone isn't enough: the kernel checks it like kill(2), and the launcher has no capability left and the broker's uid, so it reaches
// the broker only.  The life pipe (cell.h) reaches all of them.
#ifndef HELPER_COMMON_CONFINE_H
#define HELPER_COMMON_CONFINE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum confine_landlock {
	CONFINE_FS_DENY, // no path but those below `paths`; also no TCP, no abstract sockets and signals outward where the kernel knows these rules
	CONFINE_FS_FREE, // paths stay open (a Landlock file system rule would forbid move_mount and path-based work); the rest as above
};

// What stays reachable under CONFINE_FS_DENY.
struct confine_path {
	int fd;          // directory or file, open at the time of confine()
	uint64_t access; // LANDLOCK_ACCESS_FS_* of <linux/landlock.h>; no more than ABI 2's
};

struct confine_limit {
	int resource;   // RLIMIT_*
	uint64_t value; // soft and hard
};

struct confine {
	const char *name;  // of the process, for its refusal line
	uint32_t uid, gid; // real, effective, saved
	uint64_t caps;     // bits 1 << CAP_*, permitted and effective; inheritable and ambient are always empty
	bool mdwe;         // deny new executable memory where the kernel can; false only where a child needs it (it is inherited)
	bool signals_out;  // the process signals others (jail_signal): leave Landlock's signal scope out
	enum confine_landlock landlock;
	const struct confine_path *paths;
	size_t npaths;
	const struct confine_limit *limits; // on top of the common ones (CORE 0, MEMLOCK 0, MSGQUEUE 0, RTPRIO 0, NICE 0)
	size_t nlimits;
	const struct sock_filter *filter; // NULL: the caller installs its own later (spawn's children)
	size_t filter_len;
	pid_t parent; // whom getppid() must name; 0: not asked (no PDEATHSIG then: the launcher)
};

// Does all of it.  Returns NULL, or the name of the step that failed, with errno (0 where a value read back isn't the one wanted).
const char *confine(const struct confine *c);

// The same, but a step that fails is the process's refusal to start.
void confine_or_refuse(const struct confine *c);

// Writes one line, "<name>: <what>: <errno text>", to descriptor 2 without ever blocking, and exits with status 2.
_Noreturn void confine_refuse(const char *name, const char *what, int err);

#endif
