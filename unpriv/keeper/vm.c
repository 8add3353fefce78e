// One state, one deadline. The first reason that is found stands.
#include "unpriv/keeper/vm.h"

#include <sys/wait.h>

void vm_init(struct vm *vm, pid_t vmm, pid_t backend)
{
	*vm = (struct vm){.state = VM_RUNS, .reason = VM_EXITED, .vmm = vmm, .backend = backend};
}

enum vm_action vm_asked_to_stop(struct vm *vm, int64_t now_ms)
{
	if (vm->state != VM_RUNS)
		return VM_DO_NOTHING;
	vm->state = VM_STOPS;
	vm->reason = VM_STOPPED;
	vm->deadline_ms = now_ms + VM_STOP_GRACE_MS;
	return VM_DO_TERM;
}

static void vmm_ended(struct vm *vm, int status)
{
	vm->vmm = 0;
	if (WIFSIGNALED(status))
		vm->signal = WTERMSIG(status);
	else
		vm->exit_code = WEXITSTATUS(status);
	if ((vm->state == VM_RUNS || vm->state == VM_BACKEND_LOST) && vm->signal)
		vm->reason = VM_WAS_KILLED;
	vm->state = VM_ENDED;
}

void vm_child_ended(struct vm *vm, pid_t pid, int status, int64_t now_ms)
{
	if (pid == vm->vmm)
		vmm_ended(vm, status);
	if (pid != vm->backend)
		return;
	vm->backend = 0;
	if (vm->state == VM_RUNS) {
		vm->state = VM_BACKEND_LOST;
		vm->deadline_ms = now_ms + VM_BACKEND_GRACE_MS;
	}
}

enum vm_action vm_step(struct vm *vm, int64_t now_ms)
{
	if ((vm->state != VM_STOPS && vm->state != VM_BACKEND_LOST) || now_ms < vm->deadline_ms)
		return VM_DO_NOTHING;
	vm->reason = vm->state == VM_STOPS ? VM_WAS_KILLED : VM_BACKEND_DIED;
	vm->state = VM_KILLED;
	return VM_DO_KILL;
}

int vm_timeout(const struct vm *vm, int64_t now_ms)
{
	if (vm->state != VM_STOPS && vm->state != VM_BACKEND_LOST)
		return -1;
	return now_ms < vm->deadline_ms ? (int)(vm->deadline_ms - now_ms) : 0;
}

const char *vm_reason_name(enum vm_reason reason)
{
	switch (reason) {
	case VM_EXITED: return "vmm_exited";
	case VM_WAS_KILLED: return "killed";
	case VM_STOPPED: return "stopped";
	case VM_BACKEND_DIED: return "vsock_backend_died";
	case VM_START_FAILED: return "start_failed";
	}
	return "unknown";
}
