// Rows of the seccomp filters as a table of rules: shared by the generator and by the test that interprets each filter against it.
//
// A .def holds one process's allow list, a row a call, its reason beside it:
//
//     ALLOW     (name, "reason")                               the call with any arguments
//     ALLOW_ARG (name, arg, mask, value, "reason")             only where (argument & mask) == value; arg counts from 0
//     ALLOW_ARG2(name, a1, m1, v1, a2, m2, v2, "reason")       only where both hold
//     REFUSE    (name, errno, "reason")                        fails with errno, whatever the arguments: for callers that ask and then do without
//
// Rows of one call are alternatives.  mask, value: C constant expressions, FULL as mask compares all 64 bits; LOW32 is for arguments that the kernel
// takes as int and that may be negative (AT_FDCWD, -1), since the ABI leaves their upper half open.  There is no other comparison:
// libseccomp 2.5.4 builds filters weaker than the rules with LT, LE, GT and GE.  What no row allows kills the process; so does any other ABI.
#ifndef HELPER_FILTERS_RULE_H
#define HELPER_FILTERS_RULE_H

#include <stddef.h>
#include <stdint.h>

// Whatever constants rows may name.
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FULL  (~UINT64_C(0))
#define LOW32 UINT64_C(0xffffffff)

struct filter_test {
	unsigned arg;
	uint64_t mask;
	uint64_t value;
};

struct filter_rule {
	const char *name;
	long nr;
	unsigned ntests; // 0 to 2
	struct filter_test test[2];
	const char *reason;
	int err; // 0: allowed; else the errno it fails with
};

#define ALLOW(name, reason)              {#name, __NR_##name, 0, {{0, 0, 0}, {0, 0, 0}}, reason, 0},
#define ALLOW_ARG(name, a, m, v, reason) {#name, __NR_##name, 1, {{a, (uint64_t)(m), (uint64_t)(v)}, {0, 0, 0}}, reason, 0},
#define ALLOW_ARG2(name, a1, m1, v1, a2, m2, v2, reason)                                                                                             \
	{#name, __NR_##name, 2, {{a1, (uint64_t)(m1), (uint64_t)(v1)}, {a2, (uint64_t)(m2), (uint64_t)(v2)}}, reason, 0},
#define REFUSE(name, err, reason) {#name, __NR_##name, 0, {{0, 0, 0}, {0, 0, 0}}, reason, err},

#endif
