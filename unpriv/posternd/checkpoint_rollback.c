// Going back to checkpoints: asked for, at a deadline, after another daemon's end.  See checkpoint.h.
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/audit.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/checkpoint_impl.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/guard.h"
#include "unpriv/posternd/net_restore.h"

#define AGAIN_S 5 // after a rollback that failed

static const char *cause_name(enum checkpoint_cause cause)
{
	static const char *const names[] = {[CAUSE_ASKED] = "asked", [CAUSE_DEADLINE] = "deadline", [CAUSE_FAILED] = "failed"};

	return names[cause];
}

static void ask_revert(struct work *w)
{
	struct op_checkpoint_revert_args a = {.id = w->cp->id};

	task_priv(&w->t, OP_checkpoint_revert, &a, NULL);
}

static void note_result(struct work *w)
{
	const struct op_checkpoint_revert_res *r = &w->t.reply->res->checkpoint_revert;

	w->result.changed = r->changed;
	w->result.failed = r->failed;
	if (!r->found)
		log_warn("the helper knows nothing of the checkpoint: what was made since is left to the sweep", "id=%u", w->cp->id);
	if (!r->has_trouble)
		return;
	COPY_TEXT(w->trouble, r->trouble);
	w->result.trouble = w->trouble;
	log_warn("not all went back", "id=%u failed=%u first=%s", w->cp->id, r->failed, r->trouble);
}

// Taps whose rows went: one that came out of the pool was there before, so the helper leaves it; but it is no spare one any more.
static struct op_links_del_args used;

static void put_back(enum store_table table, const char *key, const void *row)
{
	cache_undone(table, key, row);
	if (table != TABLE_tap || row != NULL || used.names.n == WIRE_IFNAMES_MAX)
		return; // what is too many is left to the sweep
	COPY_TEXT(used.names.v[used.names.n], key);
	used.names.n++;
}

static void commit_rollback(struct work *w)
{
	struct change *c = change_new();

	memset(&used, 0, sizeof(used));
	change_rollback(c, w->cp->id, put_back);
	task_commit(&w->t, c);
}

static void tell(uint32_t id, const char *identity, const char *cause)
{
	char params[96];

	snprintf(params, sizeof(params), "{\"id\":\"%u\",\"cause\":\"%s\"}", id, cause);
	audit_note(identity, "net.checkpoint.rollback", params, "ok", NULL, NULL);
	checkpoint_publish(id, identity, "rolled_back", cause);
}

// The checkpoint and those made after it are no more.
static void drop_from(struct work *w)
{
	struct checkpoint *cp = w->cp, *next;

	for (; cp != NULL; cp = next) {
		next = TAILQ_NEXT(cp, link);
		tell(cp->id, w->identity, cause_name(w->cause));
		checkpoint_forget(cp);
		w->result.gone++;
	}
	w->cp = NULL;
	checkpoint_set_gate();
}

static void try_again(struct work *w)
{
	const struct timeval soon = {.tv_sec = AGAIN_S};

	log_warn("not rolled back yet", "id=%u why=%s", w->cp->id, w->t.err != 0 ? strerror(w->t.err) : priv_error(w->t.reply));
	w->cp->going_back = false;
	if (w->cause == CAUSE_DEADLINE)
		event_add(w->cp->timer, &soon);
	w->result.err = w->t.err;
}

// What differs from the rows may be put back again.
static void ended(struct work *w, bool ok)
{
	guard_release();
	checkpoint_finish(w, ok);
}

static void on_restored(void *arg, bool ok)
{
	(void)ok;
	ended(arg, true);
}

static void rollback_step(struct task *t)
{
	struct work *w = (struct work *)t;

	switch (t->step++) {
	case 0: ask_revert(w); return;
	case 1:
		if (task_repeat(t)) {
			ask_revert(w);
			return;
		}
		if (!priv_ok(t->reply)) {
			try_again(w);
			w->result.refused = t->reply;
			ended(w, false);
			return;
		}
		note_result(w);
		commit_rollback(w);
		return;
	case 2:
		if (t->err != 0) {
			try_again(w);
			ended(w, false);
			return;
		}
		drop_from(w);
		if (used.names.n > 0) {
			task_priv(t, OP_links_del, &used, NULL);
			return;
		}
		net_restore_again(on_restored, w);
		return;
	case 3: net_restore_again(on_restored, w); return;
	}
}

void checkpoint_rollback(struct checkpoint *cp, enum checkpoint_cause cause, const char *identity, checkpoint_cb *done, void *arg)
{
	struct work *w = checkpoint_work("rollback", cp, rollback_step, done, arg);

	w->cause = cause;
	snprintf(w->identity, sizeof(w->identity), "%s", identity);
	cp->going_back = true;
	guard_hold();
	task_run(&w->t);
}

static void deadline_done(void *arg, const struct checkpoint_result *r)
{
	(void)arg;
	(void)r;
	gate_release();
}

// The gate is ours; until now the checkpoint may have been confirmed, prolonged or gone back to.
static void deadline_go(void *arg)
{
	struct checkpoint *cp = checkpoint_find((uint32_t)(uintptr_t)arg);

	if (cp != NULL && now_ns() >= cp->deadline_ns) {
		checkpoint_rollback(cp, CAUSE_DEADLINE, cp->identity, deadline_done, NULL);
		return;
	}
	if (cp != NULL)
		checkpoint_set_timer(cp);
	gate_release();
}

void checkpoint_at_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct checkpoint *cp = arg;

	(void)fd;
	(void)what;
	gate_exclusive(deadline_go, (void *)(uintptr_t)cp->id);
}

// ---- the daemon's end and start ------------------------------------------------------------------------------------------------------------

// What an earlier daemon left; there is room for as many as there can be.
static struct {
	uint32_t id;
	char identity[64];
} left[CHECKPOINTS_MAX + 1];
static size_t nleft;

static void each_left(void *arg, const struct row_checkpoint *row)
{
	(void)arg;
	if (nleft == CHECKPOINTS_MAX + 1)
		return;
	left[nleft].id = (uint32_t)row->id;
	snprintf(left[nleft++].identity, sizeof(left[0].identity), "%s", row->identity != NULL ? row->identity : "");
}

bool checkpoint_recover(void)
{
	nleft = 0;
	return store_load_checkpoint(each_left, NULL) && store_rollback_all();
}

void checkpoint_report(void)
{
	for (size_t i = 0; i < nleft; i++)
		tell(left[i].id, left[i].identity, "restart");
	nleft = 0;
}

static void (*after_helpers)(void);

static void forget_step(struct task *t)
{
	struct op_checkpoint_revert_args all = {.id = 0};

	if (t->step++ == 0 || task_repeat(t)) {
		t->step = 1;
		task_priv(t, OP_checkpoint_revert, &all, NULL);
		return;
	}
	if (!priv_ok(t->reply))
		log_warn("the helper's checkpoints", "why=%s", priv_error(t->reply));
	else if (t->reply->res->checkpoint_revert.found)
		log_info("the helper went back to an earlier daemon's checkpoint", "changed=%u failed=%u", t->reply->res->checkpoint_revert.changed,
		         t->reply->res->checkpoint_revert.failed);
	task_done(t, true);
	after_helpers();
}

void checkpoint_forget_helpers(void (*next)(void))
{
	after_helpers = next;
	task_run(task_new(sizeof(struct task), "an earlier daemon's checkpoints", NULL, forget_step));
}
