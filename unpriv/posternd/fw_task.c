// See fw_task.h.
#include "unpriv/posternd/fw_task.h"

#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/cache.h"

struct fw_task *fw_task_new(struct request *rq, const char *what, size_t room, void (*reply)(struct fw_task *k, bool changed))
{
	struct fw_task *k = task_new(sizeof(*k), what, rq, NULL);

	k->v = arena_zalloc(rq->arena, (room + 1) * sizeof(*k->v));
	k->reply = reply;
	return k;
}

void fw_task_drop(struct fw_task *k)
{
	fw_delta_finish(&k->d);
	task_done(&k->t, false);
}

// ---- rows ----

static void set_row(struct change *c, struct fw_item *i, enum store_phase phase)
{
	i->dnat.phase = i->allow.phase = phase;
	if (i->rule)
		change_put_allow(c, cache_set_allow(&i->allow));
	else
		change_put_dnat(c, cache_set_dnat(&i->dnat));
}

static void drop_row(struct change *c, const struct fw_item *i)
{
	if (i->rule) {
		if (c != NULL)
			change_del_allow(c, i->id);
		cache_drop_allow(i->id);
	} else {
		if (c != NULL)
			change_del_dnat(c, i->id);
		cache_drop_dnat(i->id);
	}
}

static void commit_rows(struct fw_task *k, enum store_phase phase)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].fresh)
			set_row(c, &k->v[i], phase);
	task_commit(&k->t, c);
}

static void forget_rows(struct fw_task *k)
{
	struct change *c = change_new();

	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].fresh)
			drop_row(c, &k->v[i]);
	task_commit(&k->t, c);
}

static bool record_of(const struct fw_item *i, struct fw_record *r)
{
	return i->rule ? allow_record(&i->allow, r) : dnat_record(&i->dnat, r);
}

// ---- what else is in the way ----

static void note_warning(struct fw_task *k)
{
	const struct op_fw_change_res *r = &k->t.reply->res->fw_change;
	const char *chain = k->v[0].rule ? (r->has_foreign_input_drop ? r->foreign_input_drop : NULL) : (r->has_forward_drop ? r->forward_drop : NULL);

	if (chain != NULL)
		k->warning = arena_printf(k->t.rq->arena, "%s (family, table, chain) of another program drops by default: what postern lets through, it must let through too",
		                          chain);
	else if (k->v[0].rule && !r->input_drop)
		k->warning = "nothing is dropped that this rule lets in: input-policy in /etc/postern/policy.conf is accept";
}

// ---- add ----

enum { ADD_STORED, ADD_FORWARDING, ADD_CHANGED, ADD_LOOKED, ADD_DONE, ADD_FORGOTTEN };

static void undo_add(struct fw_task *k)
{
	task_keep(&k->t);
	k->t.step = ADD_FORGOTTEN;
	forget_rows(k);
}

static void forward_or_change(struct fw_task *k)
{
	int family = (k->families & 1u << 4) != 0 ? 4 : 6;

	if (k->families == 0) {
		k->t.step = ADD_CHANGED;
		fw_ask(&k->t, &k->d);
		return;
	}
	k->families &= ~(1u << family);
	k->t.step = ADD_FORWARDING;
	fw_ask_forwarding(&k->t, family);
}

static void changed(struct fw_task *k)
{
	const struct fw_delta none = {0};

	if (fw_again(&k->t, &k->d))
		return;
	if (!priv_ok(k->t.reply)) {
		undo_add(k);
	} else if (k->t.reply->op == OP_fw_change) {
		k->t.step = ADD_DONE;
		note_warning(k);
		commit_rows(k, PHASE_DONE);
	} else {
		fw_ask(&k->t, &none); // only fw_change looks at other tables
	}
}

static void add_step(struct task *t)
{
	struct fw_task *k = (struct fw_task *)t;

	switch (t->step++) {
	case ADD_STORED:
		for (size_t i = 0; t->err != 0 && i < k->n; i++)
			if (k->v[i].fresh)
				drop_row(NULL, &k->v[i]);
		if (t->err != 0)
			fw_delta_finish(&k->d);
		if (!task_store_failed(t))
			forward_or_change(k);
		return;
	case ADD_FORWARDING:
		if (priv_ok(t->reply))
			forward_or_change(k);
		else
			undo_add(k);
		return;
	case ADD_CHANGED: changed(k); return;
	case ADD_LOOKED:
		if (priv_ok(t->reply))
			note_warning(k);
		commit_rows(k, PHASE_DONE);
		return;
	case ADD_DONE:
		fw_delta_finish(&k->d);
		if (task_store_failed(t))
			return;
		k->reply(k, true);
		task_done(t, true);
		return;
	case ADD_FORGOTTEN:
		fw_delta_finish(&k->d);
		task_fail(t);
		return;
	}
}

struct given {
	const char *id;
	size_t i;
};

static int by_id(const void *a, const void *b)
{
	const struct given *x = a, *y = b;

	return strcmp(x->id, y->id);
}

// No place twice in one request.
static bool distinct(struct fw_task *k, const char *list)
{
	struct given *sorted = arena_alloc(k->t.rq->arena, (k->n + 1) * sizeof(*sorted));

	for (size_t i = 0; i < k->n; i++)
		sorted[i] = (struct given){k->v[i].id, i};
	qsort(sorted, k->n, sizeof(*sorted), by_id);
	for (size_t i = 1; i < k->n; i++)
		if (strcmp(sorted[i].id, sorted[i - 1].id) == 0) {
			fail_params(k->t.rq, "parameter \"%s\": elements %zu and %zu are for the same packets", list, sorted[i - 1].i, sorted[i].i);
			return false;
		}
	return true;
}

static void collect(struct fw_task *k)
{
	struct fw_record r;

	for (size_t i = 0; i < k->n; i++) {
		if (!k->v[i].fresh || !record_of(&k->v[i], &r))
			continue;
		fw_delta_add(&k->d, &r);
		if (!k->v[i].rule)
			k->families |= 1u << r.to.family;
	}
}

void fw_task_add(struct fw_task *k, const char *list)
{
	if (!distinct(k, list)) {
		fw_task_drop(k);
		return;
	}
	collect(k);
	k->t.run = add_step;
	if (k->d.adds > 0 && !k->t.rq->dry_run) {
		commit_rows(k, PHASE_MAKING);
		return;
	}
	k->dry = k->d.adds > 0;
	k->reply(k, k->dry);
	fw_task_drop(k);
}

struct list_id fw_task_ids(const struct fw_task *k)
{
	struct list_id l = {.v = arena_alloc(k->t.rq->arena, (k->n + 1) * sizeof(*l.v))};

	for (; l.n < k->n; l.n++)
		l.v[l.n] = k->v[l.n].id;
	return l;
}

// ---- remove ----

enum { REMOVE_STORED, REMOVE_CHANGED, REMOVE_DONE, REMOVE_BACK };

static void remove_step(struct task *t)
{
	struct fw_task *k = (struct fw_task *)t;

	switch (t->step++) {
	case REMOVE_STORED:
		for (size_t i = 0; t->err != 0 && i < k->n; i++) {
			if (k->v[i].rule)
				cache_find_allow(k->v[i].id)->phase = PHASE_DONE;
			else
				cache_find_dnat(k->v[i].id)->phase = PHASE_DONE;
		}
		if (t->err != 0)
			fw_delta_finish(&k->d);
		if (!task_store_failed(t))
			fw_ask(t, &k->d);
		return;
	case REMOVE_CHANGED:
		if (fw_again(t, &k->d))
			return;
		if (priv_ok(t->reply)) {
			forget_rows(k);
			return;
		}
		task_keep(t);
		t->step = REMOVE_BACK;
		commit_rows(k, PHASE_DONE);
		return;
	case REMOVE_DONE:
		fw_delta_finish(&k->d);
		if (task_store_failed(t))
			return;
		k->reply(k, true);
		task_done(t, true);
		return;
	case REMOVE_BACK:
		fw_delta_finish(&k->d);
		task_fail(t);
		return;
	}
}

int fw_task_find(struct fw_task *k, const struct list_id *ids, bool rule)
{
	size_t n = 0;

	for (size_t i = 0; i < ids->n; i++) {
		int found = fw_item_find(k->t.rq, ids->v[i], rule, &k->v[n]);
		if (found < 0)
			return -1;
		n += found > 0;
	}
	return (int)n;
}

void fw_task_remove(struct fw_task *k)
{
	struct fw_record r;

	if (!distinct(k, "ids")) {
		fw_task_drop(k);
		return;
	}
	if (k->n == 0 || k->t.rq->dry_run) {
		k->reply(k, k->n > 0);
		fw_task_drop(k);
		return;
	}
	for (size_t i = 0; i < k->n; i++) {
		k->v[i].fresh = true; // each has a row that is this task's now
		if (record_of(&k->v[i], &r))
			fw_delta_remove(&k->d, &r);
	}
	k->t.run = remove_step;
	commit_rows(k, PHASE_REMOVING);
}
