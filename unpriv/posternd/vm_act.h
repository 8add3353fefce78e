// What the files that act for a VM share: a task that knows which VM, and which of its turns, it works for.
#ifndef POSTERN_POSTERND_VM_ACT_H
#define POSTERN_POSTERND_VM_ACT_H

#include "unpriv/posternd/task.h"
#include "unpriv/posternd/vm.h"

struct act {
	struct task t;
	char id[VM_ID];
	uint64_t turn;
};

// Makes one for the VM's present turn; started by task_run.
struct act *act_new(struct vm *vm, void (*run)(struct task *t));

// The VM, where it still waits for this; otherwise the task is freed and NULL returned.
struct vm *act_vm(struct task *t);

// Frees the task and gives its end to the VM: DONE, or FAILED with vm->failure set.
void act_end(struct vm *vm, struct task *t, bool ok);

// Notes why: from the helper's answer, from an errno, from a sentence.
void act_failed_reply(struct vm *vm, const struct priv_reply *r);
void act_failed_errno(struct vm *vm, int err, const char *what);
void act_failed(struct vm *vm, enum fail_kind kind, const char *why);

// Asks one operation and ends with its answer; `took` may take results and descriptors out of a good one (or NULL).
void act_priv(struct vm *vm, enum op_id op, const void *args, const int *fds, void (*took)(struct vm *vm, const struct priv_reply *r));

#endif
