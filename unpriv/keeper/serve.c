// The keeper's loop: one poll over signals, serial line, the children's output and the console's viewers.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/keeper/keeper.h"

#define CHUNK 16384

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void act(const struct vm *vm, enum vm_action action)
{
	if (vm->vmm <= 0)
		return;
	if (action == VM_DO_TERM)
		kill(vm->vmm, SIGTERM);
	else if (action == VM_DO_KILL)
		kill(vm->vmm, SIGKILL);
}

// Pid 1 of the namespace reaps everything, its own children and what they left behind.
static void reap(struct keeper *keeper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == keeper->vm.backend && keeper->vm.vmm)
			rotlog_say(&keeper->vmm_log, "postern-vsock ended (wait status %d)", status);
		vm_child_ended(&keeper->vm, pid, status, now_ms());
	}
}

static void read_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGTERM)
			act(&keeper->vm, vm_asked_to_stop(&keeper->vm, now_ms()));
		else
			reap(keeper);
	}
}

// Answers whether there may be more.
static bool read_output(struct keeper *keeper)
{
	char bytes[CHUNK];
	ssize_t got = read(keeper->vmm_output, bytes, sizeof bytes);

	if (got > 0)
		rotlog_write(&keeper->vmm_log, bytes, (size_t)got);
	else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(keeper->vmm_output);
		keeper->vmm_output = -1;
	}
	return got > 0;
}

static size_t serve_console(struct keeper *keeper, const struct pollfd *fds, nfds_t count)
{
	char bytes[CHUNK];
	size_t got = console_step(&keeper->console, fds, count, bytes, sizeof bytes);

	if (got)
		rotlog_write(&keeper->serial_log, bytes, got);
	return got;
}

static size_t serve_once(struct keeper *keeper, int timeout_ms)
{
	struct pollfd fds[2 + CONSOLE_POLL_FDS];
	nfds_t count = console_poll(&keeper->console, fds + 2);

	fds[0] = (struct pollfd){.fd = keeper->signal_fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = keeper->vmm_output, .events = POLLIN};
	if (poll(fds, 2 + count, timeout_ms) <= 0)
		return 0;
	if (fds[0].revents)
		read_signals(keeper);
	if (fds[1].revents)
		read_output(keeper);
	return serve_console(keeper, fds + 2, count);
}

// What the VMM wrote before it ended still lies in the channels. Bounded: nobody fills them any more but an orphan, which is not waited for.
static void drain(struct keeper *keeper)
{
	for (int i = 0; i < 1000 && serve_once(keeper, 0) > 0; i++)
		;
	for (int i = 0; i < 1000 && keeper->vmm_output >= 0 && read_output(keeper); i++)
		;
}

void keeper_serve(struct keeper *keeper)
{
	struct vm *vm = &keeper->vm;

	while (vm->state != VM_ENDED) {
		serve_once(keeper, vm_timeout(vm, now_ms()));
		act(vm, vm_step(vm, now_ms()));
	}
	drain(keeper);
}
