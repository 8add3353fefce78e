// vm: the life of the two processes that a keeper looks after, without a system call, so that every order of deaths can be tested.
//
// The owner tells it what happened (vm_asked_to_stop, vm_child_ended, time passes) and does what vm_step asks for.
#ifndef POSTERN_UNPRIV_KEEPER_VM_H
#define POSTERN_UNPRIV_KEEPER_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VM_STOP_GRACE_MS    5000 // between SIGTERM and SIGKILL
#define VM_BACKEND_GRACE_MS 300  // a VMM that ends hangs up on its backend first: that is no death of the backend

enum vm_state {
	VM_RUNS,         // entered at start; left by a stop request or a death
	VM_STOPS,        // SIGTERM sent on request; left by the VMM's death or when the grace is over
	VM_BACKEND_LOST, // postern-vsock is gone; left by the VMM's death or when the grace is over
	VM_KILLED,       // SIGKILL sent; left by the VMM's death
	VM_ENDED,        // the VMM is reaped; never left
};

enum vm_reason {
	VM_EXITED,       // the VMM ended by itself: guest shut down, QMP quit, or a fault of the VMM
	VM_WAS_KILLED,   // by a signal that the keeper did not send, or after the stop's grace
	VM_STOPPED,      // on request
	VM_BACKEND_DIED, // postern-vsock died; QEMU cannot go on with another
	VM_START_FAILED, // nothing was started
};

struct vm {
	enum vm_state state;
	enum vm_reason reason;
	pid_t vmm, backend; // 0: none or reaped
	int64_t deadline_ms;
	int exit_code, signal; // of the VMM
};

// What the owner is to do now.
enum vm_action { VM_DO_NOTHING, VM_DO_TERM, VM_DO_KILL };

void vm_init(struct vm *vm, pid_t vmm, pid_t backend);

enum vm_action vm_asked_to_stop(struct vm *vm, int64_t now_ms);

// `status` is wait(2)'s. An unknown pid is an orphan of the pid namespace and means nothing.
void vm_child_ended(struct vm *vm, pid_t pid, int status, int64_t now_ms);

// vm_step looks at the clock.
enum vm_action vm_step(struct vm *vm, int64_t now_ms);

// vm_timeout is how many milliseconds may pass until vm_step must be called, -1 for any number.
int vm_timeout(const struct vm *vm, int64_t now_ms);

// vm_reason_name is the word in exit.json.
const char *vm_reason_name(enum vm_reason reason);

#endif
