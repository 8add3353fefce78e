// vol.list_mounts, vol.mount, vol.unmount.
#include <errno.h>
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/mountinfo.h"
#include "unpriv/posternd/mounts.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/task.h"

static struct list_str list_of(const struct words *w)
{
	return (struct list_str){.n = w->n, .v = w->v};
}

static bool is_managed(const char *target)
{
	const char *root = daemon_config()->mount_root;
	size_t n = strlen(root);
	const struct row_mount *row;

	if (strncmp(target, root, n) != 0 || target[n] != '/')
		return false;
	row = cache_find_mount(target + n + 1);
	return row != NULL && row->phase != PHASE_MAKING;
}

static void fill(const struct mountinfo *m, struct obj_mount *out)
{
	*out = (struct obj_mount){
	    .id = m->id,
	    .parent_id = m->parent,
	    .device = m->device,
	    .root = m->root,
	    .target = m->target,
	    .options = list_of(&m->options),
	    .propagation = list_of(&m->tags),
	    .fstype = m->fstype,
	    .source = m->source,
	    .super_options = list_of(&m->super),
	    .managed = is_managed(m->target),
	};
}

static bool read_mounts(struct request *rq, struct mountinfos *m)
{
	int err = mountinfo_read(rq->arena, m);

	if (err != 0)
		fail_errno(rq, FAIL_IO, err, "/proc/self/mountinfo can't be read");
	return err == 0;
}

void rpc_vol_list_mounts(struct request *rq, const struct rpc_vol_list_mounts_params *p)
{
	struct mountinfos m;
	struct list_mount l = {0};

	(void)p;
	if (!read_mounts(rq, &m))
		return;
	l.v = arena_alloc(rq->arena, (m.n + 1) * sizeof(*l.v));
	for (; l.n < m.n; l.n++)
		fill(&m.v[l.n], &l.v[l.n]);
	reply_vol_list_mounts(rq, &(struct rpc_vol_list_mounts_result){.mounts = l});
}

// ---- mount ----

struct mount_task {
	struct task t;
	struct op_mount_args a;
	bool guess; // the type: tried one after the other
	bool changed;
};

static void commit_row(struct mount_task *k, enum store_phase phase)
{
	struct row_mount row = {
	    .target = k->a.target,
	    .phase = phase,
	    .source = k->a.source,
	    .fstype = k->a.fstype,
	    .readonly = k->a.readonly,
	    .exec = k->a.exec,
	    .options = k->a.options,
	    .tenant = k->t.rq->tenant,
	};
	struct change *c = change_new();

	change_put_mount(c, cache_set_mount(&row));
	task_commit(&k->t, c);
}

static void forget_row(struct mount_task *k)
{
	struct change *c = change_new();

	change_del_mount(c, k->a.target);
	cache_drop_mount(k->a.target);
	task_commit(&k->t, c);
}

static void reply_mounted(struct mount_task *k)
{
	struct request *rq = k->t.rq;
	struct rpc_vol_mount_result r = {.changed = k->changed};
	struct mountinfos m;
	const struct mountinfo *at;

	if (!read_mounts(rq, &m))
		return;
	at = mountinfo_at(&m, arena_printf(rq->arena, "%s/%s", daemon_config()->mount_root, k->a.target));
	r.has_mount = at != NULL;
	if (at != NULL)
		fill(at, &r.mount);
	reply_vol_mount(rq, &r);
}

// Whether the next type may be tried: this one isn't what is on the device, or the policy doesn't have it.
static bool try_next(struct mount_task *k)
{
	const struct priv_reply *r = k->t.reply;
	bool other =
	    r->outcome == PRIV_ANSWERED && ((r->status == OPS_IO && (r->err == EINVAL || r->err == ENODEV)) || r->status == OPS_UNSUPPORTED ||
	                                    (r->status == OPS_DENIED && strcmp(r->rule, "mount-fstype") == 0));

	if (!k->guess || !other || k->a.fstype >= FSTYPE_MAX)
		return false;
	k->a.fstype++;
	k->t.step = 1;
	task_priv(&k->t, OP_mount, &k->a, NULL);
	return true;
}

static void mount_step(struct task *t)
{
	struct mount_task *k = (struct mount_task *)t;

	switch (t->step++) {
	case 0:
		if (t->err != 0)
			cache_drop_mount(k->a.target);
		if (!task_store_failed(t))
			task_priv(t, OP_mount, &k->a, NULL);
		return;
	case 1:
		if (!priv_ok(t->reply)) {
			if (try_next(k))
				return;
			task_keep(t);
			t->step = 3;
			forget_row(k);
			return;
		}
		k->changed = t->reply->res->mount.changed;
		commit_row(k, PHASE_DONE);
		return;
	case 2:
		if (task_store_failed(t))
			return;
		reply_mounted(k);
		task_done(t, true);
		return;
	case 3: task_fail(t); return;
	}
}

void mount_args(const struct row_mount *row, struct op_mount_args *a)
{
	*a = (struct op_mount_args){
	    .fstype = (uint32_t)row->fstype,
	    .has_readonly = true,
	    .readonly = row->readonly != 0,
	    .has_exec = true,
	    .exec = row->exec != 0,
	    .has_options = row->options != 0,
	    .options = (uint32_t)row->options,
	};
	COPY_TEXT(a->source, row->source);
	COPY_TEXT(a->target, row->target);
}

static uint32_t option_bit(int option)
{
	switch ((enum rpc_mount_opt)option) {
	case mount_opt_noatime: return MOUNT_NOATIME;
	case mount_opt_nodiratime: return MOUNT_NODIRATIME;
	case mount_opt_discard: return MOUNT_DISCARD;
	case mount_opt_compress_zstd: return MOUNT_COMPRESS_ZSTD;
	case mount_opt_degraded: return MOUNT_DEGRADED;
	case mount_opt_exec:
	case mount_opt_COUNT_: return 0;
	}
	return 0;
}

_Static_assert((int)fstype_ext4 == FSTYPE_EXT4 && (int)fstype_btrfs == FSTYPE_BTRFS && (int)fstype_vfat == FSTYPE_VFAT &&
                   (int)fstype_xfs == FSTYPE_XFS,
               "both conversations count file systems alike");

static bool read_mount_params(struct request *rq, const struct rpc_vol_mount_params *p, struct op_mount_args *a)
{
	if (strncmp(p->source, "/dev/", 5) != 0 || strlen(p->source) > 255 || !wire_relpath_ok(p->source + 5)) {
		fail_params(rq, "source: \"%s\" is no path of a device below /dev", p->source);
		return false;
	}
	if (!wire_relpath_ok(p->target)) {
		fail_params(rq, "target: \"%s\" is no plain path below the mount root", p->target);
		return false;
	}
	struct row_mount row = {.source = p->source + 5, .target = p->target, .readonly = p->has_readonly && p->readonly};
	row.fstype = p->has_fstype ? p->fstype : 0;
	for (size_t i = 0; p->has_options && i < p->options.n; i++) {
		row.options |= option_bit(p->options.v[i]);
		row.exec = row.exec || p->options.v[i] == mount_opt_exec;
	}
	mount_args(&row, a);
	a->has_create_target = p->has_create_target;
	a->create_target = p->create_target;
	return true;
}

// Whether what is mounted is what is asked for; a type that isn't named is any.
static bool same_mount(const struct row_mount *have, const struct op_mount_args *a, bool any_type)
{
	return strcmp(have->source, a->source) == 0 && (have->readonly != 0) == a->readonly && (have->exec != 0) == a->exec &&
	       (uint32_t)have->options == a->options && (any_type || (uint32_t)have->fstype == a->fstype);
}

void rpc_vol_mount(struct request *rq, const struct rpc_vol_mount_params *p)
{
	struct op_mount_args a;
	const struct row_mount *have;
	struct mount_task *k;

	if (!read_mount_params(rq, p, &a))
		return;
	have = cache_find_mount(p->target);
	if (have != NULL && have->phase != PHASE_DONE) {
		fail(rq, FAIL_BUSY, "%s is just being mounted or unmounted", p->target);
		return;
	}
	if (have != NULL && (!same_mount(have, &a, !p->has_fstype) || !tenant_sees(rq, have->tenant))) {
		fail_with(rq,
		          &(struct failure){
		              .kind = FAIL_BUSY, .detail = "something else is mounted there, or with other options", .holder = have->source, .hint = "Unmount it first."});
		return;
	}
	if (rq->dry_run) {
		reply_vol_mount(rq, &(struct rpc_vol_mount_result){.changed = have == NULL});
		return;
	}
	k = task_new(sizeof(*k), "mount", rq, mount_step);
	k->a = a;
	k->guess = !p->has_fstype;
	if (have != NULL) {
		// Exactly this is there already.
		k->changed = false;
		reply_mounted(k);
		task_done(&k->t, true);
		return;
	}
	commit_row(k, PHASE_MAKING);
}

// ---- unmount ----

struct unmount_task {
	struct task t;
	struct op_unmount_args a;
	bool removed;
};

static void commit_phase(struct unmount_task *k, enum store_phase phase)
{
	struct change *c = change_new();
	struct row_mount *row = cache_find_mount(k->a.target);

	if (row != NULL) {
		row->phase = phase;
		change_put_mount(c, row);
	}
	task_commit(&k->t, c);
}

static void unmounted(struct unmount_task *k)
{
	struct change *c;

	if (!priv_ok(k->t.reply)) {
		task_keep(&k->t);
		k->t.step = 3;
		commit_phase(k, PHASE_DONE);
		return;
	}
	k->removed = k->t.reply->res->unmount.changed;
	c = change_new();
	change_del_mount(c, k->a.target);
	cache_drop_mount(k->a.target);
	task_commit(&k->t, c);
}

static void unmount_step(struct task *t)
{
	struct unmount_task *k = (struct unmount_task *)t;

	switch (t->step++) {
	case 0:
		if (t->err != 0 && cache_find_mount(k->a.target) != NULL)
			cache_find_mount(k->a.target)->phase = PHASE_DONE;
		if (!task_store_failed(t))
			task_priv(t, OP_unmount, &k->a, NULL);
		return;
	case 1: unmounted(k); return;
	case 2:
		if (task_store_failed(t))
			return;
		reply_vol_unmount(t->rq, &(struct rpc_vol_unmount_result){.changed = k->removed, .removed = k->removed});
		task_done(t, true);
		return;
	case 3: task_fail(t); return;
	}
}

void rpc_vol_unmount(struct request *rq, const struct rpc_vol_unmount_params *p)
{
	struct row_mount *row = cache_find_mount(p->path);
	struct unmount_task *k;

	if (!wire_relpath_ok(p->path)) {
		fail_params(rq, "path: \"%s\" is no plain path below the mount root", p->path);
		return;
	}
	if (row != NULL && !tenant_sees(rq, row->tenant)) {
		reply_vol_unmount(rq, &(struct rpc_vol_unmount_result){.removed = false});
		return;
	}
	if (row != NULL && row->phase != PHASE_DONE) {
		fail(rq, FAIL_BUSY, "%s is just being mounted or unmounted", p->path);
		return;
	}
	if (rq->dry_run) {
		reply_vol_unmount(rq, &(struct rpc_vol_unmount_result){.changed = row != NULL, .removed = row != NULL});
		return;
	}
	k = task_new(sizeof(*k), "unmount", rq, unmount_step);
	COPY_TEXT(k->a.target, p->path);
	k->a.has_lazy = p->has_lazy;
	k->a.lazy = p->lazy;
	k->a.has_force = p->has_force;
	k->a.force = p->force;
	commit_phase(k, PHASE_REMOVING);
}
