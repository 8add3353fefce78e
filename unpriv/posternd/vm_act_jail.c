// What a VM asks of jail and spawn: its jail, its files, its keeper, its sockets, its end.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/common/vmspec.h"
#include "unpriv/posternd/accel.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/sealed.h"
#include "unpriv/posternd/vm_act.h"

// The two arguments that every operation on a jail has.
#define WHICH(vm, a) ((a).vmm = VMM_QEMU, COPY_TEXT((a).id, (vm)->id))

void vm_act_jail(struct vm *vm)
{
	struct op_jail_create_args a = {.uid = vm->uid};

	WHICH(vm, a);
	act_priv(vm, OP_jail_create, &a, NULL, NULL);
}

// ---- files ----

struct file {
	enum jail_slot slot;
	const char *path;
	bool writable;
};

unsigned vm_files(const struct vm *vm)
{
	return (vm->desc.initramfs != NULL ? 2u : 1u) + vm->desc.ndisks;
}

static struct file file_of(const struct vm *vm, unsigned i)
{
	const struct vm_desc *d = &vm->desc;

	if (i == 0)
		return (struct file){SLOT_KERNEL, d->kernel, false};
	if (i == 1 && d->initramfs != NULL)
		return (struct file){SLOT_INITRD, d->initramfs, false};
	i -= d->initramfs != NULL ? 2 : 1;
	return (struct file){(enum jail_slot)(SLOT_DISK0 + i), d->disks[i].path, !d->disks[i].readonly};
}

static int open_beneath(const char *root, const char *path, int flags)
{
	struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
	                       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	int err = errno;

	if (dir >= 0)
		close(dir);
	errno = err;
	return fd;
}

void vm_act_give(struct vm *vm)
{
	struct file f = file_of(vm, vm->index);
	struct op_jail_give_args a = {.slot = f.slot, .has_writable = f.writable, .writable = f.writable};
	int fd = open_beneath(daemon_config()->image_root, f.path, f.writable ? O_RDWR : O_RDONLY);

	if (fd < 0) {
		int err = errno;
		vm->failure = (struct vm_failure){.kind = err == ENOENT ? FAIL_NOT_FOUND : FAIL_IO, .err = err};
		snprintf(vm->failure.text, sizeof(vm->failure.text), "image %.100s: %s", f.path, strerror(err));
		vm_step(vm, VM_EV_FAILED);
		return;
	}
	WHICH(vm, a);
	COPY_TEXT(a.path, f.path);
	act_priv(vm, OP_jail_give, &a, &fd, NULL);
	close(fd);
}

// ---- keeper ----

static void fill_spec(const struct vm *vm, struct vm_spec *s)
{
	const struct vm_desc *d = &vm->desc;

	memset(s, 0, sizeof(*s));
	s->magic = VM_SPEC_MAGIC;
	s->version = VM_SPEC_VERSION;
	s->vmm = VM_SPEC_QEMU;
	s->accel = accel_have_kvm() ? VM_SPEC_KVM : VM_SPEC_TCG;
	s->vcpus = (uint32_t)d->vcpus;
	s->memory_mib = (uint32_t)d->memory_mib;
	s->cid = d->vsock ? vm->cid : 0;
	s->flags = (d->vsock ? VM_SPEC_VSOCK : 0u) | (d->initramfs != NULL ? VM_SPEC_INITRD : 0u);
	s->ndisks = d->ndisks;
	s->nnets = d->nnets;
	for (unsigned i = 0; i < d->ndisks; i++)
		s->disks[i] = (struct vm_spec_disk){.slot = i, .readonly = d->disks[i].readonly};
	for (unsigned i = 0; i < d->nnets; i++)
		mac_parse(d->nets[i].mac, s->nets[i].mac);
	COPY_TEXT(s->cmdline, d->cmdline);
}

static void spawned(struct vm *vm, const struct priv_reply *r)
{
	vm->pid = (pid_t)r->res->jail_spawn.pid;
	vm->start_time = r->res->jail_spawn.start_time;
	vm->pidfd = priv_take(r, RESFD_jail_spawn_pidfd);
}

static int64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void vm_act_spawn(struct vm *vm)
{
	struct vm_spec spec;
	const struct vm_desc *d = &vm->desc;
	struct op_jail_spawn_args a = {
	    .has_cpu_percent = d->cpu_percent != 0,
	    .cpu_percent = (uint32_t)d->cpu_percent,
	    .has_memory_max_mib = d->memory_max_mib != 0,
	    .memory_max_mib = (uint32_t)d->memory_max_mib,
	    .has_pids_max = d->pids_max != 0,
	    .pids_max = (uint32_t)d->pids_max,
	};
	int fds[FDS_jail_spawn_COUNT] = {-1, vm->taps[0], vm->taps[1], vm->taps[2]};

	fill_spec(vm, &spec);
	const char *wrong = vm_spec_check(&spec, sizeof(spec));
	fds[FD_jail_spawn_spec] = wrong == NULL ? sealed_memfd("postern-vm", &spec, sizeof(spec)) : -1;
	if (fds[FD_jail_spawn_spec] < 0) {
		if (wrong != NULL)
			act_failed(vm, FAIL_INVALID_STATE, wrong);
		else
			act_failed_errno(vm, errno, "no memfd for the VM's description");
		vm_step(vm, VM_EV_FAILED);
		return;
	}
	WHICH(vm, a);
	vm->spawned_unix_ms = unix_ms();
	act_priv(vm, OP_jail_spawn, &a, fds, spawned);
	close(fds[FD_jail_spawn_spec]);
	for (unsigned i = 0; i < VM_NETS_MAX; i++) {
		if (vm->taps[i] >= 0)
			close(vm->taps[i]);
		vm->taps[i] = -1;
	}
}

// ---- sockets ----

static void granted(struct vm *vm, const struct priv_reply *r)
{
	int *fd = vm->at == VM_AT_GRANT_API ? &vm->api_fd : vm->at == VM_AT_GRANT_VSOCK ? &vm->vsock_fd : &vm->console_fd;

	if (*fd >= 0)
		close(*fd);
	*fd = priv_take(r, 0);
}

void vm_act_grant(struct vm *vm)
{
	union {
		struct op_grant_api_args api;
		struct op_grant_vsock_args vsock;
		struct op_grant_console_args console;
	} a = {0};

	if (vm->at == VM_AT_GRANT_API) {
		WHICH(vm, a.api);
		act_priv(vm, OP_grant_api, &a, NULL, granted);
	} else if (vm->at == VM_AT_GRANT_VSOCK) {
		WHICH(vm, a.vsock);
		act_priv(vm, OP_grant_vsock, &a, NULL, granted);
	} else {
		WHICH(vm, a.console);
		act_priv(vm, OP_grant_console, &a, NULL, granted);
	}
}

// ---- end ----

void vm_act_signal(struct vm *vm)
{
	struct op_jail_signal_args a = {0};

	WHICH(vm, a);
	act_priv(vm, OP_jail_signal, &a, NULL, NULL);
}

static void kill_answered(struct task *t)
{
	struct vm *vm = act_vm(t);
	bool gone;

	if (vm == NULL)
		return;
	gone = t->reply->outcome == PRIV_ANSWERED &&
	       (t->reply->status == OPS_NOT_FOUND || (t->reply->status == OPS_OK && t->reply->res->jail_kill.empty));
	if (!gone && priv_ok(t->reply)) {
		act_failed(vm, FAIL_BUSY, "processes are left");
		vm->failure.pending = true;
	} else if (!gone)
		act_failed_reply(vm, t->reply);
	act_end(vm, t, gone);
}

void vm_act_kill(struct vm *vm)
{
	struct op_jail_kill_args a = {0};
	struct act *act = act_new(vm, kill_answered);

	WHICH(vm, a);
	task_priv(&act->t, OP_jail_kill, &a, NULL);
}

void vm_act_remove_jail(struct vm *vm)
{
	struct op_jail_remove_args a = {0};

	WHICH(vm, a);
	act_priv(vm, OP_jail_remove, &a, NULL, NULL);
}
