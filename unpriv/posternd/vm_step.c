// The state machine of a VM.  See vm.h for what each state means.
//
// On the way up a failure leads to vm_take_down, which is also where every end leads: KILL, UNTAP, UNNAT undo everything in the reverse
// order, whether it had been done or not, so there is one way down and it is the one that a crash of the daemon takes, too.
#include <stdio.h>
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/vm.h"

#define MS_NS UINT64_C(1000000)

static uint64_t turns; // of all VMs, so that one that comes after another of the same name has none of its numbers

static void enter(struct vm *vm, enum vm_at at);

static void set_deadline(struct vm *vm, int64_t ms)
{
	vm->deadline_ns = now_ns() + (uint64_t)ms * MS_NS;
}

static void rest(struct vm *vm)
{
	vm->want_stop = vm->force = false;
	vm_become(vm, vm->final, vm->final_reason);
}

// The first thing that a state does.
static void begin(struct vm *vm)
{
	switch (vm->at) {
	case VM_AT_NEW: vm_become(vm, vm_state_provisioning, vm_reason_requested); return;
	case VM_AT_START: vm_become(vm, vm_state_starting, vm_reason_requested); return;
	case VM_AT_STOP: vm_become(vm, vm_state_stopping, vm_reason_requested); return;
	case VM_AT_RESTING: rest(vm); return;
	case VM_AT_JAIL:
	case VM_AT_CGROUP: vm_act_jail(vm); return;
	case VM_AT_GIVE: vm_act_give(vm); return;
	case VM_AT_TAPS: vm_act_tap(vm); return;
	case VM_AT_NAT: vm_act_nat(vm); return;
	case VM_AT_SPAWN: vm_act_spawn(vm); return;
	case VM_AT_GRANT_API:
	case VM_AT_GRANT_VSOCK:
	case VM_AT_GRANT_CONSOLE: vm_act_grant(vm); return;
	case VM_AT_READY:
		if (!vm_act_ready(vm))
			vm_act_timer(vm, 0); // told from the loop, not from within this call
		return;
	case VM_AT_RUNNING:
		vm->adopting = false;
		vm_act_endpoints(vm);
		vm_become(vm, vm_state_running, vm_reason_requested);
		return;
	case VM_AT_STOP_GUEST: vm_act_timer(vm, vm_act_shutdown(vm) ? vm->stop_secs * 1000 : 0); return;
	case VM_AT_STOP_VMM: vm_act_timer(vm, vm_act_quit(vm) ? VM_QUIT_MS : 0); return;
	case VM_AT_STOP_TERM:
		vm_act_signal(vm);
		vm_act_timer(vm, VM_TERM_MS);
		return;
	case VM_AT_KILL: vm_act_kill(vm); return;
	case VM_AT_UNTAP: vm_act_untap(vm); return;
	case VM_AT_UNNAT: vm_act_unnat(vm); return;
	case VM_AT_REMOVE_JAIL: vm_act_remove_jail(vm); return;
	case VM_AT_REMOVE_ROW: vm_unstore(vm); return;
	}
}

static void enter(struct vm *vm, enum vm_at at)
{
	vm_act_cancel(vm);
	vm->at = at;
	vm->turn = ++turns;
	begin(vm);
}

void vm_begin(struct vm *vm, enum vm_at at)
{
	if (at == VM_AT_GRANT_API)
		set_deadline(vm, vm->adopting ? VM_ADOPT_MS : daemon_config()->boot_deadline_secs * 1000);
	enter(vm, at);
}

void vm_take_down(struct vm *vm, enum rpc_vm_state final, enum rpc_vm_reason reason, const char *why)
{
	vm->final = final;
	vm->final_reason = reason;
	if (why != NULL) {
		COPY_TEXT(vm->last_error, why);
		vm->error_kind = vm->failure.kind;
	}
	enter(vm, VM_AT_KILL);
}

static void start_failed(struct vm *vm, enum rpc_vm_reason reason)
{
	vm_take_down(vm, vm_state_start_failed, reason, vm->failure.text);
}

// The state that follows a granted socket.
static enum vm_at after_grant(const struct vm *vm, enum vm_at at)
{
	if (at == VM_AT_GRANT_API && vm->desc.vsock)
		return VM_AT_GRANT_VSOCK;
	if (at != VM_AT_GRANT_CONSOLE && vm->desc.console)
		return VM_AT_GRANT_CONSOLE;
	return vm->adopting ? VM_AT_RUNNING : VM_AT_READY;
}

static enum rpc_vm_reason late_reason(const struct vm *vm)
{
	switch ((int)vm->at) {
	case VM_AT_GRANT_VSOCK: return vm_reason_vsock_grant_timeout;
	case VM_AT_READY: return vm->desc.vsock ? vm_reason_agent_timeout : vm_reason_api_timeout;
	default: return vm_reason_api_timeout;
	}
}

static void grant_failed(struct vm *vm)
{
	if (now_ns() < vm->deadline_ns && vm->failure.pending)
		vm_act_timer(vm, VM_POLL_MS);
	else if (vm->adopting) // it runs, if without this socket: no reason to end it
		enter(vm, after_grant(vm, vm->at));
	else
		start_failed(vm, late_reason(vm));
}

// What has been asked for while the VM couldn't listen.
static bool stop_came(struct vm *vm)
{
	if (!vm->want_stop)
		return false;
	enter(vm, VM_AT_STOP);
	return true;
}

static void done_on_the_way_up(struct vm *vm)
{
	switch ((int)vm->at) {
	case VM_AT_JAIL:
		vm->index = 0;
		enter(vm, VM_AT_GIVE);
		return;
	case VM_AT_GIVE:
		if (++vm->index < vm_files(vm)) {
			enter(vm, VM_AT_GIVE);
			return;
		}
		vm->final = vm_state_configured;
		vm->final_reason = vm_reason_requested;
		enter(vm, VM_AT_RESTING);
		return;
	case VM_AT_CGROUP:
		vm->index = 0;
		enter(vm, vm->desc.nnets > 0 ? VM_AT_TAPS : VM_AT_SPAWN);
		return;
	case VM_AT_TAPS: enter(vm, ++vm->index < vm->desc.nnets ? VM_AT_TAPS : VM_AT_NAT); return;
	case VM_AT_NAT: enter(vm, VM_AT_SPAWN); return;
	case VM_AT_SPAWN:
		vm_act_watch(vm);
		vm_store(vm, NULL);
		if (!stop_came(vm))
			vm_begin(vm, VM_AT_GRANT_API);
		return;
	case VM_AT_READY: enter(vm, VM_AT_RUNNING); return;
	default: enter(vm, after_grant(vm, vm->at)); return;
	}
}

static void failed_on_the_way_up(struct vm *vm)
{
	switch ((int)vm->at) {
	case VM_AT_JAIL:
	case VM_AT_GIVE:
		vm->removing = true;
		vm_take_down(vm, vm_state_failed, vm_reason_staging_failed, vm->failure.text);
		return;
	case VM_AT_CGROUP:
	case VM_AT_TAPS:
	case VM_AT_NAT: start_failed(vm, vm_reason_staging_failed); return;
	case VM_AT_SPAWN: start_failed(vm, vm_reason_config_rejected); return;
	case VM_AT_READY: start_failed(vm, late_reason(vm)); return;
	default: grant_failed(vm); return;
	}
}

static void on_way_up(struct vm *vm, enum vm_event ev)
{
	bool interruptible = vm->at >= VM_AT_GRANT_API;

	if (ev == VM_EV_STOP || ev == VM_EV_REMOVE) {
		vm->want_stop = true;
		vm->removing = vm->removing || ev == VM_EV_REMOVE;
		if (interruptible)
			enter(vm, VM_AT_STOP);
	} else if (ev == VM_EV_DONE)
		done_on_the_way_up(vm);
	else if (ev == VM_EV_FAILED)
		failed_on_the_way_up(vm);
	else if (ev == VM_EV_TIMEOUT && vm->at == VM_AT_READY)
		failed_on_the_way_up(vm);
	else if (ev == VM_EV_TIMEOUT)
		begin(vm);
	else if (ev == VM_EV_EXITED && interruptible)
		vm_take_down(vm, vm->adopting ? vm_state_failed : vm_state_start_failed, vm->final_reason, NULL);
}

static void on_resting(struct vm *vm, enum vm_event ev)
{
	if (ev == VM_EV_STORED)
		vm_answer(vm);
	else if (ev == VM_EV_START) {
		vm->last_error[0] = '\0';
		vm->exit_code = -1;
		enter(vm, VM_AT_START);
	} else if (ev == VM_EV_REMOVE) {
		vm->removing = true;
		enter(vm, VM_AT_KILL);
	}
}

// A row that can't be stored is an operation that doesn't happen.
static void on_storing(struct vm *vm, enum vm_event ev)
{
	if (ev == VM_EV_STOP || ev == VM_EV_REMOVE) {
		vm->want_stop = true;
		vm->removing = vm->removing || ev == VM_EV_REMOVE;
	}
	if (ev == VM_EV_EXITED && vm->at == VM_AT_STOP) {
		vm_take_down(vm, vm_state_stopped, vm_reason_requested, NULL);
		return;
	}
	if (ev != VM_EV_STORED)
		return;
	if (vm->store_failed && vm->at != VM_AT_STOP) {
		vm->failure = (struct vm_failure){.kind = FAIL_IO, .text = "the state could not be stored"};
		vm->removing = vm->removing || vm->at == VM_AT_NEW;
		start_failed(vm, vm_reason_daemon_unready);
		return;
	}
	if (vm->at == VM_AT_NEW)
		enter(vm, VM_AT_JAIL);
	else if (vm->at == VM_AT_START)
		enter(vm, VM_AT_CGROUP);
	else if (vm->force || vm->api_fd < 0)
		vm_take_down(vm, vm_state_stopped, vm->force ? vm_reason_killed : vm_reason_requested, NULL);
	else
		enter(vm, VM_AT_STOP_GUEST);
}

static void on_running(struct vm *vm, enum vm_event ev)
{
	if (ev == VM_EV_STORED)
		vm_answer(vm);
	else if (ev == VM_EV_EXITED)
		vm_take_down(vm, vm->final_reason == vm_reason_guest_shutdown ? vm_state_stopped : vm_state_failed, vm->final_reason, NULL);
	else if (ev == VM_EV_STOP || ev == VM_EV_REMOVE) {
		vm->removing = vm->removing || ev == VM_EV_REMOVE;
		enter(vm, VM_AT_STOP);
	}
}

static void on_stopping(struct vm *vm, enum vm_event ev)
{
	if (ev == VM_EV_REMOVE)
		vm->removing = true;
	if ((ev == VM_EV_STOP || ev == VM_EV_REMOVE) && vm->force)
		vm_take_down(vm, vm_state_stopped, vm_reason_killed, NULL);
	else if (ev == VM_EV_EXITED)
		vm_take_down(vm, vm_state_stopped, vm_reason_requested, NULL);
	else if (ev == VM_EV_TIMEOUT || (ev == VM_EV_FAILED && vm->at != VM_AT_STOP_TERM)) {
		if (vm->at == VM_AT_STOP_TERM)
			vm_take_down(vm, vm_state_stopped, vm_reason_killed, NULL);
		else
			enter(vm, vm->at == VM_AT_STOP_GUEST ? VM_AT_STOP_VMM : VM_AT_STOP_TERM);
	}
}

static void on_way_down(struct vm *vm, enum vm_event ev)
{
	if (ev == VM_EV_REMOVE)
		vm->removing = true;
	if (ev == VM_EV_FAILED && vm->at == VM_AT_REMOVE_JAIL && !vm->failure.pending) {
		vm->removing = false;
		COPY_TEXT(vm->last_error, vm->failure.text);
		vm->error_kind = vm->failure.kind;
		enter(vm, VM_AT_RESTING);
	} else if (ev ==
	           VM_EV_FAILED) { // a process that takes its time, or the helper's end: ask again, for a VM isn't dead before its cgroup is empty
		log_debug("taking a VM down", "vm=%s at=%d why=%s", vm->id, (int)vm->at, vm->failure.text);
		vm_act_timer(vm, vm->failure.pending ? VM_KILL_POLL_MS : 10 * VM_KILL_POLL_MS);
	} else if (ev == VM_EV_TIMEOUT)
		begin(vm);
	else if (ev == VM_EV_DONE && vm->at == VM_AT_KILL) {
		vm_act_forget(vm);
		enter(vm, VM_AT_UNTAP);
	} else if (ev == VM_EV_DONE && vm->at == VM_AT_UNTAP)
		enter(vm, VM_AT_UNNAT);
	else if (ev == VM_EV_DONE && vm->at == VM_AT_UNNAT)
		enter(vm, vm->removing ? VM_AT_REMOVE_JAIL : VM_AT_RESTING);
	else if (ev == VM_EV_DONE && vm->at == VM_AT_REMOVE_JAIL)
		enter(vm, VM_AT_REMOVE_ROW);
	else if (ev == VM_EV_STORED && vm->at == VM_AT_REMOVE_ROW) {
		vm_answer_gone(vm);
		vm_free(vm);
	}
}

void vm_step(struct vm *vm, enum vm_event ev)
{
	switch (vm->at) {
	case VM_AT_NEW:
	case VM_AT_START:
	case VM_AT_STOP: on_storing(vm, ev); return;
	case VM_AT_RESTING: on_resting(vm, ev); return;
	case VM_AT_JAIL:
	case VM_AT_GIVE:
	case VM_AT_CGROUP:
	case VM_AT_TAPS:
	case VM_AT_NAT:
	case VM_AT_SPAWN:
	case VM_AT_GRANT_API:
	case VM_AT_GRANT_VSOCK:
	case VM_AT_GRANT_CONSOLE:
	case VM_AT_READY: on_way_up(vm, ev); return;
	case VM_AT_RUNNING: on_running(vm, ev); return;
	case VM_AT_STOP_GUEST:
	case VM_AT_STOP_VMM:
	case VM_AT_STOP_TERM: on_stopping(vm, ev); return;
	case VM_AT_KILL:
	case VM_AT_UNTAP:
	case VM_AT_UNNAT:
	case VM_AT_REMOVE_JAIL:
	case VM_AT_REMOVE_ROW: on_way_down(vm, ev); return;
	}
}
