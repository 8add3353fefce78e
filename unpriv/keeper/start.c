// Everything that happens once: spec in, two processes out. The order matters: the backend listens before the VMM starts, because QEMU never connects
// again; the signalfd is there before the first child, so that no death is missed.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unpriv/common/vmspec.h"
#include "unpriv/common/vsock_boot.h"
#include "unpriv/keeper/argv.h"
#include "unpriv/keeper/child.h"
#include "unpriv/keeper/exitfile.h"
#include "unpriv/keeper/keeper.h"

#define RUN_DIR        "/run"
#define CONSOLE_SOCKET RUN_DIR "/console.sock"
#define VSOCK_SOCKET   RUN_DIR "/vsock.sock"
#define BACKLOG        128

static const char *read_spec(struct vm_spec *spec, int fd)
{
	const int needed = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & needed) != needed)
		return "fd 3 is not a sealed memfd";
	ssize_t got = pread(fd, spec, sizeof *spec, 0);
	if (got < 0)
		return "can't read the vm_spec";
	return vm_spec_check(spec, (size_t)got);
}

// The sockets are for the VM's uid alone until jail's grant hands one to the daemon.
static int listen_at(const char *path, int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int watch_signals(void)
{
	sigset_t watched;

	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGTERM);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_SETMASK, &watched, NULL) < 0)
		return -1;
	return signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
}

static const char *open_run_dir(struct keeper *keeper)
{
	keeper->run_dir = open(RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keeper->run_dir < 0)
		return "can't open /run";
	if (unlinkat(keeper->run_dir, EXITFILE_NAME, 0) < 0 && errno != ENOENT) // of the VM's last run
		return "can't remove an old exit.json";
	if (!rotlog_open(&keeper->vmm_log, keeper->run_dir, "vmm.log", ROTLOG_LIMIT) ||
	    !rotlog_open(&keeper->serial_log, keeper->run_dir, "serial.log", ROTLOG_LIMIT))
		return "can't open the logs";
	return NULL;
}

static int boot_memfd(const struct vm_spec *spec)
{
	const struct vsock_boot boot = {.magic = VSOCK_BOOT_MAGIC, .version = VSOCK_BOOT_VERSION, .guest_cid = spec->cid};
	int fd = memfd_create("vsock-boot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (pwrite(fd, &boot, sizeof boot, 0) != sizeof boot ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

// start_backend answers what failed, or NULL with the VMM's end of the connection in *vmm_end.
static const char *start_backend(struct keeper *keeper, const struct vm_spec *spec, int output, int *vmm_end)
{
	char name[] = "postern-vsock";
	char *const argv[] = {name, NULL};
	int pair[2];
	int listener = listen_at(VSOCK_SOCKET, SOCK_NONBLOCK);
	int boot = boot_memfd(spec);

	if (listener < 0 || boot < 0)
		return "can't prepare the vsock backend";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return "can't make a socket pair for vsock";
	const int fds[] = {pair[0], listener, boot};
	keeper->vm.backend = child_start("/postern-vsock", argv, fds, 3, output);
	close(pair[0]);
	close(listener);
	close(boot);
	*vmm_end = pair[1];
	return keeper->vm.backend < 0 ? "can't fork the vsock backend" : NULL;
}

// The fds as the VMM sees them are those that child_start gives: 3 and up, in order.
static const char *start_vmm(struct keeper *keeper, const struct vm_spec *spec, int serial, int vsock, int output)
{
	static struct argv argv;
	struct vmm_fds seen = {.serial = CHILD_FIRST_FD, .vsock = -1};
	int fds[CHILD_MAX_FDS];
	size_t nfds = 0;

	fds[nfds++] = serial;
	if (vsock >= 0) {
		seen.vsock = CHILD_FIRST_FD + (int)nfds;
		fds[nfds++] = vsock;
	}
	for (uint32_t i = 0; i < spec->nnets; i++) {
		seen.taps[i] = CHILD_FIRST_FD + (int)nfds;
		fds[nfds++] = KEEPER_TAP_FD + (int)i;
	}
	if (!argv_qemu(&argv, spec, &seen))
		return "the VMM's command line doesn't fit";
	keeper->vm.vmm = child_start(argv.v[0], argv.v, fds, nfds, output);
	return keeper->vm.vmm < 0 ? "can't fork the VMM" : NULL;
}

static const char *start_children(struct keeper *keeper, const struct vm_spec *spec, int serial, int output)
{
	int vsock = -1;
	const char *failed = spec->flags & VM_SPEC_VSOCK ? start_backend(keeper, spec, output, &vsock) : NULL;

	if (!failed)
		failed = start_vmm(keeper, spec, serial, vsock, output);
	if (vsock >= 0)
		close(vsock);
	for (uint32_t i = 0; i < spec->nnets; i++)
		close(KEEPER_TAP_FD + (int)i);
	return failed;
}

const char *keeper_start(struct keeper *keeper)
{
	static struct vm_spec spec;
	int serial[2], output[2];

	umask(0027); // logs are for the group too; a socket without group write is for the VM alone
	vm_init(&keeper->vm, 0, 0);
	const char *failed = open_run_dir(keeper);
	if (!failed)
		failed = read_spec(&spec, KEEPER_SPEC_FD);
	if (failed)
		return failed;
	close(KEEPER_SPEC_FD);
	if ((keeper->signal_fd = watch_signals()) < 0)
		return "can't watch signals";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, serial) < 0 || pipe2(output, O_CLOEXEC) < 0)
		return "can't make the VMM's channels";
	int console = listen_at(CONSOLE_SOCKET, SOCK_NONBLOCK);
	if (console < 0 || fcntl(serial[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) < 0)
		return "can't make the console";
	console_init(&keeper->console, console, serial[0]);
	keeper->vmm_output = output[0];
	failed = start_children(keeper, &spec, serial[1], output[1]);
	close(serial[1]);
	close(output[1]);
	return failed;
}
