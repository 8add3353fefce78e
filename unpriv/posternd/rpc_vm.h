// What the handlers of compute.vm.* share.
#ifndef POSTERN_POSTERND_RPC_VM_H
#define POSTERN_POSTERND_RPC_VM_H

#include "unpriv/posternd/request.h"
#include "unpriv/posternd/vm.h"

// The VM of that id that the caller may see; NULL after it has answered not_found.
struct vm *vm_of(struct request *rq, const char *id);

// The same, and it runs, its granted socket is there, and the guest can be reached; NULL after it has answered why not.
struct vm *vm_with_guest(struct request *rq, const char *id);

// A change of state as the methods show it; its id is borrowed.
struct obj_vm_transition rpc_vm_transition(const struct vm_transition *t);

#endif
