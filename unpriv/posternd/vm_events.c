// Transitions: numbered, kept for the stream and for each VM, logged, stored.
#include "unpriv/posternd/vm_events.h"

#include <time.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"

static struct vm_transition kept[VM_EVENTS_KEPT]; // number s stands at s % VM_EVENTS_KEPT
static uint64_t next_seq = 1, first_seq = 1;
static void (*on_new)(void);

static int64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void keep(struct vm *vm, const struct vm_transition *t)
{
	kept[t->seq % VM_EVENTS_KEPT] = *t;
	next_seq = t->seq + 1;
	if (next_seq - first_seq > VM_EVENTS_KEPT)
		first_seq = next_seq - VM_EVENTS_KEPT;
	if (vm != NULL)
		vm->ring[vm->ring_n++ % VM_RING] = *t;
}

void vm_events_load(const struct row_transition *row)
{
	struct vm_transition t = {
	    .seq = (uint64_t)row->seq,
	    .from = (enum rpc_vm_state)row->from_state,
	    .to = (enum rpc_vm_state)row->to_state,
	    .reason = (enum rpc_vm_reason)row->reason,
	    .at_unix_ms = row->at_unix_ms,
	};

	COPY_TEXT(t.id, row->vm != NULL ? row->vm : "");
	if (t.seq != next_seq) // rows of a stream have no gaps: begin anew behind one
		first_seq = t.seq;
	keep(vm_find(t.id), &t);
}

uint64_t vm_events_first(void)
{
	return first_seq;
}

uint64_t vm_events_next(void)
{
	return next_seq;
}

const struct vm_transition *vm_events_at(uint64_t seq)
{
	return &kept[seq % VM_EVENTS_KEPT];
}

void vm_events_on_new(void (*fn)(void))
{
	on_new = fn;
}

void vm_become(struct vm *vm, enum rpc_vm_state to, enum rpc_vm_reason reason)
{
	struct vm_transition t = {.seq = next_seq, .from = vm->state, .to = to, .reason = reason, .at_unix_ms = unix_ms()};

	if (vm->state == to) {
		vm_store(vm, NULL);
		return;
	}
	COPY_TEXT(t.id, vm->id);
	vm->state = to;
	vm->reason = reason;
	if (to == vm_state_running)
		vm->running_since_unix = t.at_unix_ms / 1000;
	log_info("vm state", "vm=%s from=%s to=%s reason=%s", vm->id, rpc_kinds[KIND_vm_state].values[t.from], rpc_kinds[KIND_vm_state].values[to],
	         rpc_kinds[KIND_vm_reason].values[reason]);
	keep(vm, &t);
	vm_store(vm, &t);
	if (on_new != NULL)
		on_new();
}
