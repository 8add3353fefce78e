// All VMs, their uids and their vsock addresses.
//
// Both numbers are handed out in turn rather than lowest first, so that one that has just been given up isn't used again at once.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/vm.h"

#define CID_FIRST 3u // vsock(7): 0 to 2 are reserved
#define CID_LAST  65535u

static TAILQ_HEAD(vm_list, vm) vms = TAILQ_HEAD_INITIALIZER(vms);
static uint32_t uid_first = 900000, uid_last = 999999, next_uid, next_cid = CID_FIRST;

void vm_uid_range(uint32_t first, uint32_t last)
{
	uid_first = first;
	uid_last = last;
	if (next_uid < first || next_uid > last)
		next_uid = first;
}

static bool uid_used(uint32_t uid)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, &vms, link)
	if (vm->uid == uid)
		return true;
	return false;
}

static bool cid_used(uint32_t cid)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, &vms, link)
	if (vm->cid == cid)
		return true;
	return false;
}

// The next number of a range that isn't used; 0 where all are.
static uint32_t take(uint32_t *next, uint32_t first, uint32_t last, bool (*used)(uint32_t))
{
	for (uint64_t tries = 0; tries <= last - first; tries++) {
		uint32_t n = *next >= first && *next <= last ? *next : first;
		*next = n == last ? first : n + 1;
		if (!used(n))
			return n;
	}
	return 0;
}

struct vm *vm_restore(const char *id, const char *tenant, uint32_t uid, uint32_t cid)
{
	struct vm *vm = xcalloc(1, sizeof(*vm)), *after;

	COPY_TEXT(vm->id, id);
	vm->tenant = tenant != NULL ? xstrdup(tenant) : NULL;
	vm->uid = uid;
	vm->cid = cid;
	vm->exit_code = -1;
	vm->pidfd = vm->api_fd = vm->vsock_fd = vm->console_fd = -1;
	for (unsigned i = 0; i < VM_NETS_MAX; i++)
		vm->taps[i] = -1;
	STAILQ_INIT(&vm->waiters);
	after = TAILQ_FIRST(&vms);
	while (after != NULL && strcmp(after->id, id) <= 0)
		after = TAILQ_NEXT(after, link);
	if (after != NULL)
		TAILQ_INSERT_BEFORE(after, vm, link);
	else
		TAILQ_INSERT_TAIL(&vms, vm, link);
	return vm;
}

struct vm *vm_new(const char *id, const char *tenant)
{
	uint32_t uid = take(&next_uid, uid_first, uid_last, uid_used);
	uint32_t cid = take(&next_cid, CID_FIRST, CID_LAST, cid_used);

	return uid != 0 && cid != 0 ? vm_restore(id, tenant, uid, cid) : NULL;
}

struct vm *vm_find(const char *id)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, &vms, link)
	if (strcmp(vm->id, id) == 0)
		return vm;
	return NULL;
}

struct vm *vm_first(void)
{
	return TAILQ_FIRST(&vms);
}

struct vm *vm_next(struct vm *vm)
{
	return TAILQ_NEXT(vm, link);
}

void vm_free(struct vm *vm)
{
	vm_act_cancel(vm);
	vm_act_forget(vm);
	TAILQ_REMOVE(&vms, vm, link);
	arena_finish(&vm->arena);
	free(vm->tenant);
	free(vm);
}
