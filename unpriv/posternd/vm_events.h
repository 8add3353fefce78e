// The stream of all VMs' transitions: the newest of them in memory, and in the store.
#ifndef POSTERN_POSTERND_VM_EVENTS_H
#define POSTERN_POSTERND_VM_EVENTS_H

#include "unpriv/posternd/store.h"
#include "unpriv/posternd/vm.h"

#define VM_EVENTS_KEPT 4096

// Takes a row of the store, oldest first, at start.
void vm_events_load(const struct row_transition *row);

// The first and one past the last sequence number that are kept.
uint64_t vm_events_first(void);
uint64_t vm_events_next(void);

// The transition with that number, which must be kept.
const struct vm_transition *vm_events_at(uint64_t seq);

// Called at each new transition; one listener.
void vm_events_on_new(void (*fn)(void));

#endif
