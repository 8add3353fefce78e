// Requests that wait for a VM, and their answers.
#include <stdlib.h>

#include "unpriv/posternd/request.h"
#include "unpriv/posternd/vm.h"

void vm_wait(struct vm *vm, enum vm_wait kind, struct request *rq)
{
	struct vm_waiter *w = xcalloc(1, sizeof(*w));

	w->kind = kind;
	w->rq = rq;
	STAILQ_INSERT_TAIL(&vm->waiters, w, link);
}

static void fail_vm(const struct vm *vm, struct request *rq, const char *what)
{
	const char *hint = vm->error_kind == FAIL_DENIED_BY_POLICY ? "See /etc/postern/policy.conf, which only root can change."
	                   : vm->at == VM_AT_RESTING               ? "compute.vm.logs may say more."
	                                                           : NULL;
	const char *reason = rpc_kinds[KIND_vm_reason].values[vm->final_reason];

	fail_hint(rq, vm->error_kind, hint, "VM %s %s: %s%s%s", vm->id, what, reason, vm->last_error[0] != '\0' ? ": " : "", vm->last_error);
}

static void answer_create(struct vm *vm, struct request *rq)
{
	reply_vm_create(rq,
	                &(struct rpc_vm_create_result){.changed = true, .id = vm->id, .state = (int)vm->state, .has_cid = vm->desc.vsock, .cid = vm->cid});
}

static void answer_start(struct vm *vm, struct request *rq)
{
	if (vm->state == vm_state_running)
		reply_vm_start(rq, &(struct rpc_vm_start_result){.changed = true, .state = (int)vm->state});
	else if (vm->state == vm_state_stopped)
		fail(rq, FAIL_INTERRUPTED, "VM %s was stopped while it started", vm->id);
	else
		fail_vm(vm, rq, "did not start");
}

static void answer_stop(struct vm *vm, struct request *rq)
{
	reply_vm_stop(rq, &(struct rpc_vm_stop_result){.changed = true, .state = (int)vm->state});
}

// True when this state of the VM is what the waiter waits for.
static bool settled(const struct vm *vm, enum vm_wait kind)
{
	switch (kind) {
	case VM_WAIT_CREATE: return vm->at == VM_AT_RESTING;
	case VM_WAIT_START: return vm->at == VM_AT_RESTING || vm->at == VM_AT_RUNNING;
	case VM_WAIT_STOP: return vm->at == VM_AT_RESTING;
	case VM_WAIT_REMOVE: return vm->at == VM_AT_RESTING && !vm->removing; // it could not be removed
	}
	return false;
}

static void answer(struct vm *vm, const struct vm_waiter *w)
{
	if (vm->store_failed) {
		fail_hint(w->rq, FAIL_IO, "Free space in the state directory.", "the state of VM %s could not be stored", vm->id);
		return;
	}
	switch (w->kind) {
	case VM_WAIT_CREATE: answer_create(vm, w->rq); return;
	case VM_WAIT_START: answer_start(vm, w->rq); return;
	case VM_WAIT_STOP: answer_stop(vm, w->rq); return;
	case VM_WAIT_REMOVE: fail_vm(vm, w->rq, "was not removed"); return;
	}
}

void vm_answer(struct vm *vm)
{
	STAILQ_HEAD(vm_waiter_now, vm_waiter) now = STAILQ_HEAD_INITIALIZER(now);
	struct vm_waiter *w, *next;

	// Taken out first: an answer may bring the next request.
	for (w = STAILQ_FIRST(&vm->waiters); w != NULL; w = next) {
		next = STAILQ_NEXT(w, link);
		if (!settled(vm, w->kind))
			continue;
		STAILQ_REMOVE(&vm->waiters, w, vm_waiter, link);
		STAILQ_INSERT_TAIL(&now, w, link);
	}
	while ((w = STAILQ_FIRST(&now)) != NULL) {
		STAILQ_REMOVE_HEAD(&now, link);
		answer(vm, w);
		free(w);
	}
}

void vm_answer_gone(struct vm *vm)
{
	struct vm_waiter *w;

	while ((w = STAILQ_FIRST(&vm->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&vm->waiters, link);
		switch (w->kind) {
		case VM_WAIT_CREATE: fail_vm(vm, w->rq, "could not be made"); break;
		case VM_WAIT_START: fail(w->rq, FAIL_INTERRUPTED, "VM %s was removed while it started", vm->id); break;
		case VM_WAIT_STOP: reply_vm_stop(w->rq, &(struct rpc_vm_stop_result){.changed = true, .state = vm_state_stopped}); break;
		case VM_WAIT_REMOVE: reply_vm_remove(w->rq, &(struct rpc_vm_remove_result){.changed = true, .removed = true}); break;
		}
		free(w);
	}
}
