// VMs' changes of state, in the stream of events.
#ifndef POSTERN_POSTERND_VM_EVENTS_H
#define POSTERN_POSTERND_VM_EVENTS_H

#include "unpriv/posternd/store.h"
#include "unpriv/posternd/vm.h"

// Takes a row of the store, oldest first, at start: into the stream, and where it is a VM's also into that VM's own ring.
void vm_events_load(const struct row_event *row);

#endif
