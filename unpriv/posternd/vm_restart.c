// See vm_restart.h.
//
// A row says what was so when it was last written; the system says what is.  A keeper counts as ours if its pid, its start time and its cgroup
// are those of the row, in this very boot.  Everything else is taken down first (cgroup killed, taps and translations gone) and only then
// demoted, so that a VM that reads Failed has nothing left.
#include "unpriv/posternd/vm_restart.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/wire.h"
#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/store.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/vm.h"
#include "unpriv/posternd/vm_events.h"
#include "unpriv/posternd/vm_live.h"

static void load_vm(void *arg, const struct row_vm *row)
{
	struct vm *vm;

	(void)arg;
	if (!wire_vmid_ok(row->id)) {
		log_error("a VM of the store has no proper id and is left out", "id=%s", row->id);
		return;
	}
	vm = vm_restore(row->id, row->tenant, (uint32_t)row->uid, (uint32_t)row->cid);
	if (!vm_desc_parse(&vm->desc, row->description, &vm->arena))
		log_error("a VM's description can't be read", "vm=%s", vm->id);
	vm->desc_text = vm_desc_text(&vm->desc, &vm->arena);
	vm->state = (enum rpc_vm_state)row->state;
	vm->reason = (enum rpc_vm_reason)row->reason;
	vm->final = vm->state;
	vm->final_reason = vm->reason;
	vm->created_unix = row->created_unix;
	vm->running_since_unix = row->running_since_unix;
	vm->exit_code = (int)row->exit_code;
	if (row->last_error != NULL)
		COPY_TEXT(vm->last_error, row->last_error);
	vm->at = VM_AT_RESTING;
	if (row->boot_id != NULL && strcmp(row->boot_id, vm_live_boot_id()) == 0) {
		vm->pid = (pid_t)row->pid;
		vm->start_time = (uint64_t)row->start_time;
	}
}

static void load_event(void *arg, const struct row_event *row)
{
	(void)arg;
	vm_events_load(row);
}

bool vm_restart_load(void)
{
	vm_uid_range(daemon_config()->uid_first, daemon_config()->uid_last);
	return store_load_vm(load_vm, NULL) && store_load_event(load_event, NULL);
}

// ---- adopting and demoting ----

static void adopt(struct vm *vm)
{
	log_info("vm adopted", "vm=%s pid=%d state=%s", vm->id, (int)vm->pid, rpc_kinds[KIND_vm_state].values[vm->state]);
	vm_act_watch(vm);
	vm->stop_secs = 10;
	if (vm->state == vm_state_stopping) {
		vm_begin(vm, VM_AT_STOP_TERM);
		return;
	}
	vm->adopting = vm->state == vm_state_running;
	vm_begin(vm, VM_AT_GRANT_API);
}

// Where a VM that no longer runs comes to rest.
static enum rpc_vm_state demoted(const struct vm *vm)
{
	switch (vm->state) {
	case vm_state_starting: return vm_state_start_failed;
	case vm_state_stopping: return vm_state_stopped;
	case vm_state_running: return vm->final_reason == vm_reason_guest_shutdown ? vm_state_stopped : vm_state_failed;
	case vm_state_pending:
	case vm_state_provisioning:
	case vm_state_configured:
	case vm_state_stopped:
	case vm_state_start_failed:
	case vm_state_failed:
	case vm_state_COUNT_: return vm->state;
	}
	return vm->state;
}

// When the VM came into its present state: its last word is younger.
static int64_t last_change_ms(const struct vm *vm)
{
	return vm->ring_n > 0 ? vm->ring[(vm->ring_n - 1) % VM_RING].at_unix_ms : 0;
}

static void demote(struct vm *vm)
{
	// A pid that was kept is one of this very boot.
	enum rpc_vm_reason lost = vm->pid != 0 ? vm_reason_killed : vm_reason_host_restart;

	// The keeper may have ended while nobody looked, and left its word.
	vm_live_exit(vm, last_change_ms(vm), vm->state == vm_state_stopping ? vm_reason_requested : lost);
	vm->pid = 0;
	vm->removing = vm->state == vm_state_provisioning; // nobody was told that it exists
	log_info("vm demoted", "vm=%s state=%s reason=%s", vm->id, rpc_kinds[KIND_vm_state].values[vm->state],
	         rpc_kinds[KIND_vm_reason].values[vm->final_reason]);
	vm_take_down(vm, demoted(vm), vm->final_reason, NULL);
}

static void verify(struct vm *vm)
{
	vm->verified = true;
	switch (vm->state) {
	case vm_state_provisioning:
	case vm_state_pending: demote(vm); return;
	case vm_state_starting:
	case vm_state_running:
	case vm_state_stopping:
		vm->spawned_unix_ms = last_change_ms(vm);
		if (vm_live_keeper(vm->pid, vm->start_time, vm->id, &vm->pidfd))
			adopt(vm);
		else
			demote(vm);
		return;
	case vm_state_configured:
	case vm_state_stopped:
	case vm_state_start_failed:
	case vm_state_failed:
		vm->pid = 0;
		if (vm->desc.autostart)
			vm_step(vm, VM_EV_START);
		return;
	case vm_state_COUNT_: return;
	}
}

// ---- jails without a VM ----

struct sweep {
	struct task t;
	char id[VM_ID];
};

// Kills, looks whether all is dead, removes.  What is still alive then is found again at the next start.
static void sweep_step(struct task *t)
{
	struct sweep *s = (struct sweep *)t;
	struct op_jail_kill_args kill_args = {.vmm = VMM_QEMU};
	struct op_jail_remove_args remove_args = {.vmm = VMM_QEMU};

	COPY_TEXT(kill_args.id, s->id);
	COPY_TEXT(remove_args.id, s->id);
	if (t->step == 0 || (t->step < 50 && priv_ok(t->reply) && !t->reply->res->jail_kill.empty)) {
		t->step++;
		task_priv(t, OP_jail_kill, &kill_args, NULL);
	} else if (t->step < 100) {
		t->step = 100;
		task_priv(t, OP_jail_remove, &remove_args, NULL);
	} else if (!task_refused(t)) {
		log_info("jail without a VM removed", "id=%s", s->id);
		task_done(t, true);
	}
}

static void sweep_jails(void)
{
	char path[300];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/qemu", daemon_config()->jail_root);
	dir = opendir(path);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (!wire_vmid_ok(d->d_name) || vm_find(d->d_name) != NULL)
			continue;
		struct sweep *s = task_new(sizeof(*s), "sweep of a jail", NULL, sweep_step);
		COPY_TEXT(s->id, d->d_name);
		task_run(&s->t);
	}
	if (dir != NULL)
		closedir(dir);
}

void vm_restart_verify(void)
{
	static bool swept;
	struct vm *next;

	for (struct vm *vm = vm_first(); vm != NULL; vm = next) {
		next = vm_next(vm);
		if (!vm->verified)
			verify(vm);
	}
	if (!swept)
		sweep_jails();
	swept = true;
}
