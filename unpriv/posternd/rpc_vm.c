// compute.vm.create, start, stop, remove.
#include <string.h>
#include <time.h>

#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/rpc_vm.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/tenant.h"

#define STOP_SECS 10 // default of stop's timeout_secs

struct vm *vm_of(struct request *rq, const char *id)
{
	struct vm *vm = vm_find(id);

	if (vm != NULL && tenant_sees(rq, vm->tenant))
		return vm;
	fail(rq, FAIL_NOT_FOUND, "there is no VM %s", id);
	return NULL;
}

struct vm *vm_with_guest(struct request *rq, const char *id)
{
	struct vm *vm = vm_of(rq, id);

	if (vm == NULL)
		return NULL;
	if (vm->at != VM_AT_RUNNING)
		fail_hint(rq, FAIL_INVALID_STATE, "Start it first.", "VM %s is %s", id, rpc_kinds[KIND_vm_state].values[vm->state]);
	else if (!vm->desc.vsock)
		fail_hint(rq, FAIL_UNSUPPORTED, "Create it with vsock.", "VM %s has no vsock, so nothing in it can be reached", id);
	else if (vm->vsock_fd < 0)
		fail(rq, FAIL_AGENT_UNAVAILABLE, "the vsock socket of VM %s can't be used", id);
	else
		return vm;
	return NULL;
}

static void fail_busy(struct request *rq, const struct vm *vm)
{
	if (!vm->verified)
		fail_hint(rq, FAIL_BUSY, "Try again in a moment.", "VM %s has not been looked at since the daemon started", vm->id);
	else
		fail_hint(rq, FAIL_BUSY, "Wait for it to come to rest.", "VM %s is %s", vm->id, rpc_kinds[KIND_vm_state].values[vm->state]);
}

// ---- create ----

static bool vmm_fits(struct request *rq, const struct rpc_vm_create_params *p)
{
	const char *name = p->has_vmm ? rpc_kinds[KIND_vmm].values[p->vmm] : daemon_config()->vmm;

	if (strcmp(name, rpc_kinds[KIND_vmm].values[vmm_qemu]) == 0)
		return true;
	fail_hint(rq, FAIL_UNSUPPORTED, "Use vmm qemu.", "this version runs VMs on QEMU only, not on %s", name);
	return false;
}

// Bridges and taps of somebody else are as if they weren't there.
static bool nets_fit(struct request *rq, const struct vm_desc *d)
{
	for (unsigned i = 0; i < d->nnets; i++) {
		if (d->nets[i].bridge != NULL && !tenant_may_join(rq->tenant, d->nets[i].bridge)) {
			fail(rq, FAIL_NOT_FOUND, "there is no bridge %s", d->nets[i].bridge);
			return false;
		}
		if (d->nets[i].tap != NULL && !tenant_may_take(rq->tenant, d->nets[i].tap)) {
			fail_hint(rq, FAIL_NOT_FOUND, "Make it with net.vm.create_tap.", "there is no managed tap %s that a VM could have",
			          d->nets[i].tap);
			return false;
		}
	}
	return true;
}

static void reply_created(struct request *rq, const struct vm *vm, bool changed)
{
	reply_vm_create(
	    rq, &(struct rpc_vm_create_result){.changed = changed, .id = vm->id, .state = (int)vm->state, .has_cid = vm->desc.vsock, .cid = vm->cid});
}

static void answer_existing(struct request *rq, const struct vm *vm, const char *text)
{
	if (tenant_sees(rq, vm->tenant) && strcmp(vm->desc_text, text) == 0 && vm->at != VM_AT_NEW && vm->state != vm_state_provisioning)
		reply_created(rq, vm, false);
	else
		fail_hint(rq, FAIL_ALREADY_EXISTS, "Remove it first, or choose another name.", "VM %s exists, or is just being made", vm->id);
}

void rpc_vm_create(struct request *rq, const struct rpc_vm_create_params *p)
{
	const struct config *cfg = daemon_config();
	struct vm_defaults def = {cfg->kernel, cfg->initramfs, cfg->image};
	struct vm_desc d;
	struct vm *vm = vm_find(p->name);
	const char *wrong, *text;

	if (!vmm_fits(rq, p))
		return;
	wrong = vm_desc_read(&d, p, rq->tenant, &def, rq->arena);
	if (wrong != NULL) {
		fail_params(rq, "%s", wrong);
		return;
	}
	text = vm_desc_text(&d, rq->arena);
	if (vm != NULL) {
		answer_existing(rq, vm, text);
		return;
	}
	if (!nets_fit(rq, &d))
		return;
	if (rq->dry_run) {
		reply_vm_create(rq, &(struct rpc_vm_create_result){.changed = true, .id = p->name, .state = vm_state_configured});
		return;
	}
	vm = vm_new(p->name, rq->tenant);
	if (vm == NULL) {
		fail(rq, FAIL_QUOTA_EXCEEDED, "every uid of the range %s, or every vsock address, is taken", cfg->uid_range_text);
		return;
	}
	vm->desc_text = arena_strdup(&vm->arena, text);
	vm_desc_parse(&vm->desc, text, &vm->arena);
	vm->created_unix = time(NULL);
	vm->state = vm_state_pending;
	vm->verified = true;
	vm_wait(vm, VM_WAIT_CREATE, rq);
	vm_begin(vm, VM_AT_NEW);
}

// ---- start ----

void rpc_vm_start(struct request *rq, const struct rpc_vm_start_params *p)
{
	struct vm *vm = vm_of(rq, p->id);

	if (vm == NULL)
		return;
	if (!vm->verified || vm->at < VM_AT_RESTING || vm->at > VM_AT_RUNNING || vm->want_stop) {
		fail_busy(rq, vm);
	} else if (vm->at == VM_AT_RUNNING || rq->dry_run) {
		reply_vm_start(rq, &(struct rpc_vm_start_result){.changed = vm->at != VM_AT_RUNNING, .state = vm_state_running});
	} else {
		bool resting = vm->at == VM_AT_RESTING;
		vm_wait(vm, VM_WAIT_START, rq);
		if (resting)
			vm_step(vm, VM_EV_START);
	}
}

// ---- stop ----

void rpc_vm_stop(struct request *rq, const struct rpc_vm_stop_params *p)
{
	struct vm *vm = vm_of(rq, p->id);

	if (vm == NULL)
		return;
	if (!vm->verified || vm->at < VM_AT_RESTING) {
		fail_busy(rq, vm);
	} else if (vm->at == VM_AT_RESTING) {
		reply_vm_stop(rq, &(struct rpc_vm_stop_result){.changed = false, .state = (int)vm->state});
	} else if (rq->dry_run) {
		reply_vm_stop(rq, &(struct rpc_vm_stop_result){.changed = true, .state = vm_state_stopped});
	} else {
		vm->stop_secs = p->has_timeout_secs ? p->timeout_secs : STOP_SECS;
		vm->force = vm->force || (p->has_force && p->force);
		vm_wait(vm, VM_WAIT_STOP, rq);
		vm_step(vm, VM_EV_STOP);
	}
}

// ---- remove ----

void rpc_vm_remove(struct request *rq, const struct rpc_vm_remove_params *p)
{
	struct vm *vm = vm_find(p->id);
	bool force = p->has_force && p->force;

	if (vm == NULL || !tenant_sees(rq, vm->tenant)) {
		reply_vm_remove(rq, &(struct rpc_vm_remove_result){.removed = false});
	} else if (!vm->verified || vm->at < VM_AT_RESTING) {
		fail_busy(rq, vm);
	} else if (vm->at != VM_AT_RESTING && !force && !vm->removing) {
		fail_hint(rq, FAIL_INVALID_STATE, "Stop it first, or use force.", "VM %s is %s", vm->id, rpc_kinds[KIND_vm_state].values[vm->state]);
	} else if (rq->dry_run) {
		reply_vm_remove(rq, &(struct rpc_vm_remove_result){.changed = true, .removed = true});
	} else {
		vm->force = vm->force || force;
		vm_wait(vm, VM_WAIT_REMOVE, rq);
		vm_step(vm, VM_EV_REMOVE);
	}
}
