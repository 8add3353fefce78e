// A VM's taps and translations.  Their rows name the VM, so that what it leaves behind is found whatever happened in between.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/tap.h"
#include "unpriv/posternd/tenant.h"
#include "unpriv/posternd/vm_act.h"

#include "unpriv/common/log.h"

// ---- taps up ----

static bool belongs(const char *owner, const struct vm *vm)
{
	return owner != NULL && strcmp(owner, vm->id) == 0;
}

static void name_of(const struct vm *vm, unsigned i, char out[16])
{
	const struct vm_desc_net *n = &vm->desc.nets[i];

	if (n->tap != NULL)
		copy_text(out, 16, n->tap);
	else
		snprintf(out, 16, "%.5sv%u-%u", daemon_config()->interface_prefix, vm->cid % 100000, i % 10);
}

static void ask_tap(struct vm *vm, struct task *t, const struct row_tap *row)
{
	struct op_tap_create_args a;

	(void)vm;
	tap_args(row, &a);
	a.has_want_fd = a.want_fd = true;
	task_priv(t, OP_tap_create, &a, NULL);
}

static void commit_tap(struct vm *vm, struct task *t, enum store_phase phase)
{
	const struct vm_desc_net *n = &vm->desc.nets[vm->index];
	char name[16];
	struct row_tap row = {
	    .name = name,
	    .phase = phase,
	    .bridge = n->bridge,
	    .owner_uid = vm->uid,
	    .vnet_hdr = 1,
	    .created_unix = time(NULL),
	    .vm = vm->id,
	    .tenant = vm->tenant,
	};
	struct change *c = change_new();

	name_of(vm, vm->index, name);
	change_put_tap(c, cache_set_tap(&row));
	task_commit(t, c);
}

static void tap_run(struct task *t)
{
	struct vm *vm = act_vm(t);
	char name[16];

	if (vm == NULL)
		return;
	name_of(vm, vm->index, name);
	switch (t->step++) {
	case 0:
		if (t->err != 0 || cache_find_tap(name) == NULL) {
			act_failed(vm, t->err != 0 ? FAIL_IO : FAIL_NOT_FOUND,
			           t->err != 0 ? "the state could not be stored" : "there is no such tap");
			act_end(vm, t, false);
			return;
		}
		ask_tap(vm, t, cache_find_tap(name));
		return;
	case 1:
		if (!priv_ok(t->reply)) {
			act_failed_reply(vm, t->reply);
			act_end(vm, t, false);
			return;
		}
		vm->taps[vm->index] = priv_take(t->reply, RESFD_tap_create_queue);
		if (vm->desc.nets[vm->index].tap != NULL)
			act_end(vm, t, true);
		else
			commit_tap(vm, t, PHASE_DONE);
		return;
	case 2: act_end(vm, t, true); return;
	}
}

// Once more what compute.vm.create asked: since then the name may have become another tenant's.
static const char *not_theirs(const struct vm *vm, const struct vm_desc_net *n)
{
	if (n->tap != NULL)
		return tenant_may_take(vm->tenant, n->tap) ? NULL : "there is no such tap";
	return n->bridge == NULL || tenant_may_join(vm->tenant, n->bridge) ? NULL : "there is no such bridge";
}

void vm_act_tap(struct vm *vm)
{
	const char *wrong = not_theirs(vm, &vm->desc.nets[vm->index]);
	struct act *a;

	if (wrong != NULL) {
		act_failed(vm, FAIL_NOT_FOUND, wrong);
		vm_step(vm, VM_EV_FAILED);
		return;
	}
	a = act_new(vm, tap_run);
	if (vm->desc.nets[vm->index].tap != NULL)
		task_run(&a->t);
	else
		commit_tap(vm, &a->t, PHASE_MAKING);
}

// ---- taps down ----

static void untap_run(struct task *t)
{
	struct vm *vm = act_vm(t);
	struct change *c;

	if (vm == NULL)
		return;
	if (t->step++ > 0) {
		act_end(vm, t, true);
		return;
	}
	if (t->reply->outcome == PRIV_INTERRUPTED) {
		act_failed_reply(vm, t->reply);
		act_end(vm, t, false);
		return;
	}
	if (!priv_ok(t->reply)) // nothing that asking again would change
		log_warn("taps of a VM were not deleted", "vm=%s why=%s", vm->id, priv_error(t->reply));
	c = change_new();
	for (size_t i = cache_n_tap(); i-- > 0;) {
		const struct row_tap *row = cache_at_tap(i);
		if (belongs(row->vm, vm)) {
			change_del_tap(c, row->name);
			cache_drop_tap(row->name);
		}
	}
	task_commit(t, c);
}

void vm_act_untap(struct vm *vm)
{
	struct op_links_del_args a = {0};

	for (size_t i = 0; i < cache_n_tap() && a.names.n < WIRE_IFNAMES_MAX; i++)
		if (belongs(cache_at_tap(i)->vm, vm)) {
			COPY_TEXT(a.names.v[a.names.n], cache_at_tap(i)->name);
			a.names.n++;
		}
	if (a.names.n == 0)
		vm_step(vm, VM_EV_DONE);
	else
		task_priv(&act_new(vm, untap_run)->t, OP_links_del, &a, NULL);
}

// ---- translations ----

// Sets the phase of all the VM's translations, or deletes them; returns the change.
static struct change *change_nat(struct vm *vm, enum store_phase phase, bool drop)
{
	struct change *c = change_new();

	for (size_t i = cache_n_snat(); i-- > 0;) {
		struct row_snat *row = cache_at_snat(i);
		if (!belongs(row->vm, vm))
			continue;
		row->phase = phase;
		if (drop) {
			change_del_snat(c, row->id);
			cache_drop_snat(row->id);
		} else
			change_put_snat(c, row);
	}
	return c;
}

static bool has_nat(const struct vm *vm)
{
	for (size_t i = 0; i < cache_n_snat(); i++)
		if (belongs(cache_at_snat(i)->vm, vm))
			return true;
	return false;
}

// Makes the rows; NULL, or what is wrong.
static const char *make_rows(struct vm *vm)
{
	struct arena a = {0};
	struct net_view v;
	const char *wrong = net_view_read(&v, &a) != 0 ? "the kernel's interfaces can't be read" : NULL;

	for (unsigned i = 0; wrong == NULL && i < vm->desc.nnets; i++) {
		struct wire_addr network;
		char source[CIDR_TEXT], id[FW_ID];
		if (!vm->desc.nets[i].nat)
			continue;
		if (!net_view_network(&v, vm->desc.nets[i].bridge, &network)) {
			wrong = "nat was asked for, and the bridge has no address";
			continue;
		}
		addr_text(&network, true, source);
		snat_id(source, NULL, NULL, vm->id, id);
		cache_set_snat(&(struct row_snat){.id = id, .phase = PHASE_MAKING, .source = source, .vm = vm->id, .tenant = vm->tenant});
	}
	arena_finish(&a);
	return wrong;
}

static const char *nat_source(const struct vm *vm)
{
	for (size_t i = 0; i < cache_n_snat(); i++)
		if (belongs(cache_at_snat(i)->vm, vm))
			return cache_at_snat(i)->source;
	return "";
}

static void nat_run(struct task *t)
{
	struct vm *vm = act_vm(t);

	if (vm == NULL)
		return;
	if (t->step == 2 && fw_again(t, NULL))
		return;
	if (t->err != 0 || (t->step > 0 && t->step < 3 && !priv_ok(t->reply))) {
		if (t->err != 0)
			act_failed(vm, FAIL_IO, "the state could not be stored");
		else
			act_failed_reply(vm, t->reply);
		act_end(vm, t, false);
		return;
	}
	switch (t->step++) {
	case 0: fw_ask_forwarding(t, fw_family(nat_source(vm))); return;
	case 1: fw_ask_snat(t); return;
	case 2: task_commit(t, change_nat(vm, PHASE_DONE, false)); return;
	case 3: act_end(vm, t, true); return;
	}
}

void vm_act_nat(struct vm *vm)
{
	const char *wrong = make_rows(vm);
	struct act *a;

	if (wrong != NULL) {
		act_failed(vm, FAIL_INVALID_STATE, wrong);
		vm_step(vm, VM_EV_FAILED);
	} else if (!has_nat(vm)) {
		vm_step(vm, VM_EV_DONE);
	} else {
		a = act_new(vm, nat_run);
		task_commit(&a->t, change_nat(vm, PHASE_MAKING, false));
	}
}

static void unnat_run(struct task *t)
{
	struct vm *vm = act_vm(t);

	if (vm == NULL)
		return;
	switch (t->step++) {
	case 0: fw_ask_snat(t); return;
	case 1:
		if (fw_again(t, NULL))
			return;
		if (t->reply->outcome == PRIV_INTERRUPTED) {
			act_failed_reply(vm, t->reply);
			act_end(vm, t, false);
			return;
		}
		if (!priv_ok(t->reply))
			log_warn("translations of a VM were not removed", "vm=%s why=%s", vm->id, priv_error(t->reply));
		task_commit(t, change_nat(vm, PHASE_REMOVING, true));
		return;
	case 2: act_end(vm, t, true); return;
	}
}

void vm_act_unnat(struct vm *vm)
{
	if (!has_nat(vm))
		vm_step(vm, VM_EV_DONE);
	else
		task_commit(&act_new(vm, unnat_run)->t, change_nat(vm, PHASE_REMOVING, false));
}
