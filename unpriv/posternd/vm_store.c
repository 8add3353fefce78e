// A VM's row: written whole at each change, together with the event that tells of it.
//
// Commits come back in order; VM_EV_STORED is given once none of the VM's is under way, so whoever waits for it knows that everything is on
// disk.  The callback finds the VM by its id: a VM is only freed after its last commit.
#include "unpriv/posternd/store.h"

#include "unpriv/posternd/events.h"
#include "unpriv/posternd/vm.h"
#include "unpriv/posternd/vm_live.h"

static void on_stored(void *arg, int err)
{
	struct vm *vm = arg;

	vm->stores--;
	vm->store_failed = vm->store_failed || err != 0;
	if (vm->stores > 0)
		return;
	vm_step(vm, VM_EV_STORED);
}

static void hand_over(struct vm *vm, struct change *c)
{
	if (vm->stores++ == 0)
		vm->store_failed = false;
	store_commit(c, on_stored, vm);
}

void vm_store(struct vm *vm, const struct vm_transition *t)
{
	struct row_vm row = {
	    .id = vm->id,
	    .state = vm->state,
	    .reason = vm->reason,
	    .vmm = vmm_qemu,
	    .uid = vm->uid,
	    .cid = vm->cid,
	    .description = vm->desc_text,
	    .tenant = vm->tenant,
	    .created_unix = vm->created_unix,
	    .running_since_unix = vm->running_since_unix,
	    .pid = vm->pid,
	    .start_time = (int64_t)vm->start_time,
	    .boot_id = vm_live_boot_id(),
	    .last_error = vm->last_error[0] != '\0' ? vm->last_error : NULL,
	    .exit_code = vm->exit_code,
	};
	struct change *c = change_new();

	change_put_vm(c, &row);
	if (t != NULL)
		events_put(c, events_at(t->seq));
	hand_over(vm, c);
}

void vm_unstore(struct vm *vm)
{
	struct change *c = change_new();

	change_del_vm(c, vm->id);
	hand_over(vm, c);
}
