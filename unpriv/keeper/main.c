// postern-keeper: pid 1 of a VM's pid namespace, in its jail, as the VM's own uid, without a capability.
//
// postern-spawn puts exactly this program into every jail. It builds the VMM's command line from a vm_spec (fd 3), starts the VMM and, for QEMU, the
// vsock backend, reaps them, writes what they say into bounded logs, shares the serial line on /run/console.sock, and ends with /run/exit.json. It
// depends on nobody outside the jail: posternd and the helper may die and come back while it runs.
//
//	main.c    this                         vm.c      states and reasons, pure
//	start.c   from the spec to two pids    argv.c    the VMM's command line, pure
//	serve.c   the loop                     console.c, ring.c, rotlog.c, exitfile.c, child.c
//
// SIGTERM asks it to end the VM: SIGTERM to the VMM, SIGKILL after five seconds. Its own end is the end of everything in the pid namespace.
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "filter_keeper.h"
#include "unpriv/keeper/exitfile.h"
#include "unpriv/keeper/keeper.h"

static int64_t unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The VM's filter, loaded by postern-spawn, allows what QEMU needs. From here on the keeper starts nothing, so it gives up the rest.
static const char *tighten(void)
{
	const struct sock_fprog program = {.len = filter_keeper_len, .filter = (struct sock_filter *)(uintptr_t)filter_keeper};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? "can't load the keeper's filter" : NULL;
}

int main(void)
{
	static struct keeper keeper;
	const char *failed = keeper_start(&keeper);

	if (!failed)
		failed = tighten();
	if (failed) {
		rotlog_say(&keeper.vmm_log, "%s (%s)", failed, strerrorname_np(errno) ? strerrorname_np(errno) : "no errno");
		keeper.vm.reason = VM_START_FAILED;
	} else {
		keeper_serve(&keeper);
		rotlog_say(&keeper.vmm_log, "VM ended: %s, exit code %d, signal %d", vm_reason_name(keeper.vm.reason), keeper.vm.exit_code,
		           keeper.vm.signal);
	}
	if (!exitfile_write(keeper.run_dir, &keeper.vm, failed ? failed : "", unix_ms()))
		rotlog_say(&keeper.vmm_log, "can't write exit.json (errno %d)", errno);
	return failed ? 1 : 0;
}
