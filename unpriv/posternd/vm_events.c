// Transitions: put into the stream of events, kept for each VM, logged, stored.
#include "unpriv/posternd/vm_events.h"

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/events.h"

static void keep(struct vm *vm, const struct vm_transition *t)
{
	vm->ring[vm->ring_n++ % VM_RING] = *t;
}

void vm_events_load(const struct row_event *row)
{
	struct vm *vm = row->vm != NULL ? vm_find(row->vm) : NULL;

	events_load(row);
	if (vm != NULL && events_next() == (uint64_t)row->seq + 1)
		keep(vm, &events_at((uint64_t)row->seq)->vm);
}

void vm_become(struct vm *vm, enum rpc_vm_state to, enum rpc_vm_reason reason)
{
	struct vm_transition t = {.from = vm->state, .to = to, .reason = reason};

	if (vm->state == to) {
		vm_store(vm, NULL);
		return;
	}
	COPY_TEXT(t.id, vm->id);
	events_add(event_topic_vm_state, vm->tenant, NULL, &t);
	vm->state = to;
	vm->reason = reason;
	if (to == vm_state_running)
		vm->running_since_unix = t.at_unix_ms / 1000;
	log_info("vm state", "vm=%s from=%s to=%s reason=%s", vm->id, rpc_kinds[KIND_vm_state].values[t.from], rpc_kinds[KIND_vm_state].values[to],
	         rpc_kinds[KIND_vm_reason].values[reason]);
	keep(vm, &t);
	vm_store(vm, &t);
	events_tell();
}
