// Giving up rights. A step that fails is a refusal to start.

#include "unpriv/vsock/confine.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter_vsock.h"
#include "unpriv/common/vsock_boot.h"

const char *confine_fds(int last, unsigned nofile_min)
{
	struct rlimit r;

	// Else a connection would get such a number, and what we say on stderr.
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return "descriptors 0, 1 and 2 must be open";
	if (close_range((unsigned)last + 1, ~0U, 0) < 0)
		return "can't close inherited descriptors";
	int flags = fcntl(VSOCK_FD_LISTEN, F_GETFL);
	if (flags < 0 || fcntl(VSOCK_FD_LISTEN, F_SETFL, flags | O_NONBLOCK) < 0)
		return "fd 4 isn't there";
	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_max < nofile_min)
		return "the hard limit of open files is too low for 1023 connections";
	r.rlim_cur = r.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &r) < 0 ? "can't raise the limit of open files" : NULL;
}

const char *confine_self(void)
{
	const struct sock_fprog prog = {.len = filter_vsock_len, .filter = (struct sock_filter *)(uintptr_t)filter_vsock};
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return "can't forbid core files";
	// Not dumpable, so that QEMU, which has the same uid, can't trace this process.
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return "can't stop being dumpable";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "can't set no_new_privs";
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return "can't install the seccomp filter";
	// The filter itself is the read-back: it has no row for prctl, so asking would be the end.
	return NULL;
}
