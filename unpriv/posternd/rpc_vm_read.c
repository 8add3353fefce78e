// compute.vm.status, list, console.endpoint, exec.endpoint, logs.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/posternd/endpoint.h"
#include "unpriv/posternd/rpc_vm.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/vm_live.h"

#define LOG_BYTES 262144

// ---- status and list ----

static int64_t uptime(const struct vm *vm)
{
	return vm->running_since_unix != 0 ? time(NULL) - vm->running_since_unix : 0;
}

static bool has_exit_code(const struct vm *vm)
{
	return vm->at == VM_AT_RESTING && vm->exit_code >= 0;
}

struct obj_vm_transition rpc_vm_transition(const struct vm_transition *t)
{
	return (struct obj_vm_transition){
	    .seq = (int64_t)t->seq, .id = t->id, .from = (int)t->from, .to = (int)t->to, .reason = (int)t->reason, .at_unix_ms = t->at_unix_ms};
}

static struct list_vm_transition transitions(const struct vm *vm, struct arena *a)
{
	struct list_vm_transition l = {.v = arena_alloc(a, VM_RING * sizeof(*l.v))};
	unsigned first = vm->ring_n > VM_RING ? vm->ring_n - VM_RING : 0;

	for (unsigned i = first; i < vm->ring_n; i++)
		l.v[l.n++] = rpc_vm_transition(&vm->ring[i % VM_RING]);
	return l;
}

static struct list_vm_disk disks(const struct vm *vm, struct arena *a)
{
	struct list_vm_disk l = {.v = arena_alloc(a, VM_DISKS_MAX * sizeof(*l.v))};

	for (; l.n < vm->desc.ndisks; l.n++) {
		const struct vm_desc_disk *d = &vm->desc.disks[l.n];
		l.v[l.n] = (struct obj_vm_disk){.has_path = true, .path = d->path, .has_readonly = true, .readonly = d->readonly};
	}
	return l;
}

static struct list_vm_net nets(const struct vm *vm, struct arena *a)
{
	struct list_vm_net l = {.v = arena_alloc(a, VM_NETS_MAX * sizeof(*l.v))};

	for (; l.n < vm->desc.nnets; l.n++) {
		const struct vm_desc_net *n = &vm->desc.nets[l.n];
		l.v[l.n] = (struct obj_vm_net){.has_bridge = n->bridge != NULL,
		                               .bridge = n->bridge,
		                               .has_tap = n->tap != NULL,
		                               .tap = n->tap,
		                               .has_mac = true,
		                               .mac = n->mac,
		                               .has_nat = true,
		                               .nat = n->nat};
	}
	return l;
}

void rpc_vm_status(struct request *rq, const struct rpc_vm_status_params *p)
{
	struct vm *vm = vm_of(rq, p->id);

	if (vm == NULL)
		return;
	reply_vm_status(rq, &(struct rpc_vm_status_result){.vm = {
	                                                       .id = vm->id,
	                                                       .state = (int)vm->state,
	                                                       .vmm = vmm_qemu,
	                                                       .vcpus = vm->desc.vcpus,
	                                                       .memory_mib = vm->desc.memory_mib,
	                                                       .kernel = vm->desc.kernel,
	                                                       .has_initramfs = vm->desc.initramfs != NULL,
	                                                       .initramfs = vm->desc.initramfs,
	                                                       .cmdline = vm->desc.cmdline,
	                                                       .disks = disks(vm, rq->arena),
	                                                       .nets = nets(vm, rq->arena),
	                                                       .labels = vm->desc.labels,
	                                                       .autostart = vm->desc.autostart,
	                                                       .uid = vm->uid,
	                                                       .has_pid = vm->pid != 0,
	                                                       .pid = vm->pid,
	                                                       .has_uptime_secs = vm->state == vm_state_running,
	                                                       .uptime_secs = uptime(vm),
	                                                       .has_cid = vm->desc.vsock,
	                                                       .cid = vm->cid,
	                                                       .has_console = vm->console_endpoint != NULL,
	                                                       .console = vm->console_endpoint != NULL ? endpoint_path(vm->console_endpoint) : NULL,
	                                                       .has_last_error = vm->last_error[0] != '\0',
	                                                       .last_error = vm->last_error,
	                                                       .has_exit_code = has_exit_code(vm),
	                                                       .exit_code = vm->exit_code,
	                                                       .has_tenant = vm->tenant != NULL,
	                                                       .tenant = vm->tenant,
	                                                       .created_unix = vm->created_unix,
	                                                       .transitions = transitions(vm, rq->arena),
	                                                   }});
}

void rpc_vm_list(struct request *rq, const struct rpc_vm_list_params *p)
{
	struct list_vm_brief l = {0};
	size_t most = 1;

	for (struct vm *vm = vm_first(); vm != NULL; vm = vm_next(vm))
		most++;
	l.v = arena_alloc(rq->arena, most * sizeof(*l.v));
	for (struct vm *vm = vm_first(); vm != NULL; vm = vm_next(vm)) {
		if (!tenant_sees(rq, vm->tenant) || (p->has_state && p->state != (int)vm->state))
			continue;
		l.v[l.n++] = (struct obj_vm_brief){
		    .id = vm->id,
		    .state = (int)vm->state,
		    .vmm = vmm_qemu,
		    .vcpus = vm->desc.vcpus,
		    .memory_mib = vm->desc.memory_mib,
		    .has_pid = vm->pid != 0,
		    .pid = vm->pid,
		    .has_uptime_secs = vm->state == vm_state_running,
		    .uptime_secs = uptime(vm),
		    .has_last_error = vm->last_error[0] != '\0',
		    .last_error = vm->last_error,
		    .has_tenant = vm->tenant != NULL,
		    .tenant = vm->tenant,
		};
	}
	reply_vm_list(rq, &(struct rpc_vm_list_result){.vms = l});
}

// ---- endpoints ----

void rpc_vm_console_endpoint(struct request *rq, const struct rpc_vm_console_endpoint_params *p)
{
	struct vm *vm = vm_of(rq, p->id);

	if (vm == NULL)
		return;
	if (vm->console_endpoint == NULL)
		fail_hint(rq, FAIL_INVALID_STATE, "It must run, and have been created with a console.", "VM %s has no console just now", vm->id);
	else
		reply_vm_console_endpoint(rq, &(struct rpc_vm_console_endpoint_result){.path = endpoint_path(vm->console_endpoint), .type = "unix"});
}

void rpc_vm_exec_endpoint(struct request *rq, const struct rpc_vm_exec_endpoint_params *p)
{
	struct vm *vm = vm_with_guest(rq, p->id);

	if (vm == NULL)
		return;
	if (vm->exec_endpoint == NULL)
		fail(rq, FAIL_IO, "no socket could be made for VM %s: see the daemon's log", vm->id);
	else
		reply_vm_exec_endpoint(rq, &(struct rpc_vm_exec_endpoint_result){.path = endpoint_path(vm->exec_endpoint)});
}

// ---- logs ----

// Where the last n lines begin.
static size_t tail_of(const char *data, size_t len, int64_t lines)
{
	size_t at = len;

	if (at > 0 && data[at - 1] == '\n')
		at--;
	while (at > 0 && !(data[at - 1] == '\n' && --lines <= 0))
		at--;
	return lines < 0 || len == 0 ? 0 : at;
}

static void reply_log(struct request *rq, const struct rpc_vm_logs_params *p, int fd, off_t size)
{
	size_t most = p->has_limit && p->limit < LOG_BYTES ? (size_t)p->limit : LOG_BYTES, start = 0;
	off_t offset = p->has_offset ? (off_t)p->offset : p->has_tail_lines && size > (off_t)most ? size - (off_t)most : 0;
	char *data = arena_alloc(rq->arena, most + 1);
	ssize_t n = pread(fd, data, most, offset);

	if (n < 0) {
		fail_errno(rq, FAIL_IO, errno, "the log can't be read");
		return;
	}
	if (p->has_tail_lines)
		start = p->tail_lines == 0 ? (size_t)n : tail_of(data, (size_t)n, p->tail_lines);
	for (ssize_t i = 0; i < n; i++)
		if (data[i] == '\0')
			data[i] = '\xff'; // no UTF-8 either, and written as such
	data[n] = '\0';
	reply_vm_logs(rq, &(struct rpc_vm_logs_result){.data = data + start, .next_offset = offset + n, .size = size});
}

void rpc_vm_logs(struct request *rq, const struct rpc_vm_logs_params *p)
{
	struct vm *vm = vm_of(rq, p->id);
	struct stat st;
	int fd;

	if (vm == NULL)
		return;
	fd = vm_live_open(vm->id, p->has_source && p->source == log_source_vmm ? "vmm.log" : "serial.log");
	if (fd < 0 && errno == ENOENT) {
		reply_vm_logs(rq, &(struct rpc_vm_logs_result){.data = ""}); // it never ran
		return;
	}
	if (fd < 0 || fstat(fd, &st) != 0)
		fail_errno(rq, FAIL_IO, errno, "the log of VM %s can't be opened", vm->id);
	else
		reply_log(rq, p, fd, st.st_size);
	if (fd >= 0)
		close(fd);
}
