// Tasks of VMs, and the waits that aren't the helper's: the keeper's end, timer, agent, VMM.
#include "unpriv/posternd/vm_act.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/agent.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/endpoint.h"
#include "unpriv/posternd/qmp.h"
#include "unpriv/posternd/vm_live.h"

#define AGENT_SHUTDOWN_MS 5000 // for the agent to take the request
#define QMP_MS            2000

// ---- tasks ----

struct act *act_new(struct vm *vm, void (*run)(struct task *t))
{
	struct act *a = task_new(sizeof(*a), "vm", NULL, run);

	COPY_TEXT(a->id, vm->id);
	a->turn = vm->turn;
	return a;
}

struct vm *act_vm(struct task *t)
{
	struct act *a = (struct act *)t;
	struct vm *vm = vm_find(a->id);

	if (vm != NULL && vm->turn == a->turn)
		return vm;
	task_done(t, false);
	return NULL;
}

void act_end(struct vm *vm, struct task *t, bool ok)
{
	task_done(t, ok);
	vm_step(vm, ok ? VM_EV_DONE : VM_EV_FAILED);
}

void act_failed(struct vm *vm, enum fail_kind kind, const char *why)
{
	vm->failure = (struct vm_failure){.kind = kind};
	COPY_TEXT(vm->failure.text, why);
}

void act_failed_errno(struct vm *vm, int err, const char *what)
{
	vm->failure = (struct vm_failure){.kind = FAIL_IO, .err = err};
	snprintf(vm->failure.text, sizeof(vm->failure.text), "%s: %s", what, strerror(err));
}

void act_failed_reply(struct vm *vm, const struct priv_reply *r)
{
	bool interrupted = r->outcome == PRIV_INTERRUPTED;

	act_failed(vm, priv_fail_kind(r), priv_error(r));
	vm->failure.pending = interrupted || r->status == OPS_PENDING || r->status == OPS_BUSY;
	vm->failure.err = (int)r->err;
}

struct act_op {
	struct act a;
	void (*took)(struct vm *vm, const struct priv_reply *r);
};

static void op_answered(struct task *t)
{
	struct vm *vm = act_vm(t);

	if (vm == NULL)
		return;
	if (!priv_ok(t->reply))
		act_failed_reply(vm, t->reply);
	else if (((struct act_op *)t)->took != NULL)
		((struct act_op *)t)->took(vm, t->reply);
	act_end(vm, t, priv_ok(t->reply));
}

void act_priv(struct vm *vm, enum op_id op, const void *args, const int *fds, void (*took)(struct vm *vm, const struct priv_reply *r))
{
	struct act_op *o = task_new(sizeof(*o), op_rows[op].name, NULL, op_answered);

	COPY_TEXT(o->a.id, vm->id);
	o->a.turn = vm->turn;
	o->took = took;
	task_priv(&o->a.t, op, args, fds);
}

// ---- timer ----

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	vm_step(arg, VM_EV_TIMEOUT);
}

void vm_act_timer(struct vm *vm, int64_t ms)
{
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (vm->timer == NULL)
		vm->timer = event_new(daemon_base(), -1, 0, on_timer, vm);
	event_add(vm->timer, &t);
}

// ---- agent and VMM ----

static void on_agent(void *arg, bool ok, const char *why)
{
	struct vm *vm = arg;

	vm->agent = NULL;
	if (!ok)
		act_failed(vm, FAIL_AGENT_UNAVAILABLE, why);
	vm_step(vm, ok ? VM_EV_DONE : VM_EV_FAILED);
}

static void on_qmp(void *arg, bool ok, const char *status, const char *why)
{
	struct vm *vm = arg;

	vm->qmp = NULL;
	if (!ok)
		act_failed(vm, FAIL_IO, why);
	else if (vm->at == VM_AT_READY && strcmp(status, "running") != 0) {
		act_failed(vm, FAIL_IO, "the VMM doesn't run the guest");
		ok = false;
	}
	vm_step(vm, ok ? VM_EV_DONE : VM_EV_FAILED);
}

static int64_t left_ms(const struct vm *vm)
{
	uint64_t now = now_ns();

	return now < vm->deadline_ns ? (int64_t)((vm->deadline_ns - now) / 1000000) + 1 : 1;
}

static bool ask_agent(struct vm *vm, enum msg_id id, int64_t ms)
{
	struct msg m = {.id = id};

	vm->agent = vm->vsock_fd >= 0 ? agent_ask(daemon_base(), vm->vsock_fd, &m, ms, on_agent, vm) : NULL;
	if (vm->agent == NULL)
		act_failed(vm, FAIL_AGENT_UNAVAILABLE, "the VM's vsock socket can't be used");
	return vm->agent != NULL;
}

static bool ask_vmm(struct vm *vm, const char *command, int64_t ms)
{
	vm->qmp = vm->api_fd >= 0 ? qmp_ask(daemon_base(), vm->api_fd, command, ms, on_qmp, vm) : NULL;
	if (vm->qmp == NULL)
		act_failed(vm, FAIL_IO, "the VMM's socket can't be used");
	return vm->qmp != NULL;
}

bool vm_act_ready(struct vm *vm)
{
	return vm->desc.vsock ? ask_agent(vm, MSG_health, left_ms(vm)) : ask_vmm(vm, "query-status", left_ms(vm));
}

bool vm_act_shutdown(struct vm *vm)
{
	int64_t ms = vm->stop_secs * 1000 < AGENT_SHUTDOWN_MS ? vm->stop_secs * 1000 : AGENT_SHUTDOWN_MS;

	if (ms == 0)
		return false;
	return vm->desc.vsock ? ask_agent(vm, MSG_shutdown, ms) : ask_vmm(vm, "system_powerdown", QMP_MS);
}

bool vm_act_quit(struct vm *vm)
{
	return ask_vmm(vm, "quit", QMP_MS);
}

void vm_act_cancel(struct vm *vm)
{
	agent_cancel(vm->agent);
	qmp_cancel(vm->qmp);
	vm->agent = NULL;
	vm->qmp = NULL;
	if (vm->timer != NULL)
		event_free(vm->timer);
	vm->timer = NULL;
}

// ---- the keeper ----

static void on_exit_(evutil_socket_t fd, short what, void *arg)
{
	struct vm *vm = arg;

	(void)fd;
	(void)what;
	if (vm->at < VM_AT_KILL) // else we ended it, and why is known
		vm_live_exit(vm, vm->spawned_unix_ms, vm_reason_killed);
	vm_step(vm, VM_EV_EXITED);
}

void vm_act_watch(struct vm *vm)
{
	vm->exit_event = event_new(daemon_base(), vm->pidfd, EV_READ, on_exit_, vm);
	event_add(vm->exit_event, NULL);
}

static void forget_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vm_act_forget(struct vm *vm)
{
	endpoint_close(vm->exec_endpoint);
	endpoint_close(vm->console_endpoint);
	vm->exec_endpoint = vm->console_endpoint = NULL;
	if (vm->exit_event != NULL)
		event_free(vm->exit_event);
	vm->exit_event = NULL;
	forget_fd(&vm->pidfd);
	forget_fd(&vm->api_fd);
	forget_fd(&vm->vsock_fd);
	forget_fd(&vm->console_fd);
	for (unsigned i = 0; i < VM_NETS_MAX; i++)
		forget_fd(&vm->taps[i]);
	vm->pid = 0;
	vm->start_time = 0;
	vm->running_since_unix = 0;
}

void vm_act_endpoints(struct vm *vm)
{
	if (vm->vsock_fd >= 0 && vm->exec_endpoint == NULL)
		vm->exec_endpoint = endpoint_open(ENDPOINT_EXEC, vm->id, vm->tenant, vm->vsock_fd);
	if (vm->console_fd >= 0 && vm->console_endpoint == NULL)
		vm->console_endpoint = endpoint_open(ENDPOINT_CONSOLE, vm->id, vm->tenant, vm->console_fd);
}
