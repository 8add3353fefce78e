// Making, prolonging and confirming checkpoints.  See checkpoint.h.
#include "unpriv/posternd/checkpoint_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/event_publish.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/task.h"

#define SECOND UINT64_C(1000000000)

static TAILQ_HEAD(list, checkpoint) pending = TAILQ_HEAD_INITIALIZER(pending);

struct checkpoint *checkpoint_first(void)
{
	return TAILQ_FIRST(&pending);
}

struct checkpoint *checkpoint_next(const struct checkpoint *cp)
{
	return TAILQ_NEXT(cp, link);
}

struct checkpoint *checkpoint_find(uint32_t id)
{
	struct checkpoint *cp;

	TAILQ_FOREACH(cp, &pending, link)
	if (cp->id == id)
		return cp;
	return NULL;
}

size_t checkpoint_count(void)
{
	size_t n = 0;
	struct checkpoint *cp;

	TAILQ_FOREACH(cp, &pending, link)
	n++;
	return n;
}

bool checkpoint_over(const struct checkpoint *cp)
{
	return cp->going_back || now_ns() >= cp->deadline_ns;
}

void checkpoint_set_gate(void)
{
	uint64_t first = UINT64_MAX;

	for (const struct checkpoint *cp = checkpoint_first(); cp != NULL; cp = checkpoint_next(cp))
		if (cp->deadline_ns < first)
			first = cp->deadline_ns;
	gate_close_at(first);
}

// For the time that is left and a little more: libevent's clock is coarser than ours, and a timer may be early by it.
void checkpoint_set_timer(struct checkpoint *cp)
{
	uint64_t now = now_ns(), left = (cp->deadline_ns > now ? cp->deadline_ns - now : 0) / 1000 + 1000;
	const struct timeval in = {.tv_sec = (time_t)(left / 1000000), .tv_usec = (suseconds_t)(left % 1000000)};

	event_add(cp->timer, &in);
}

static void set_deadline(struct checkpoint *cp, int64_t secs)
{
	cp->timeout_secs = secs;
	cp->deadline_ns = now_ns() + (uint64_t)secs * SECOND;
	cp->deadline_unix = time(NULL) + secs;
	checkpoint_set_timer(cp);
}

void checkpoint_forget(struct checkpoint *cp)
{
	TAILQ_REMOVE(&pending, cp, link);
	event_free(cp->timer);
	free(cp);
}

void checkpoint_publish(uint32_t id, const char *identity, const char *state, const char *cause)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", id);
	log_info("checkpoint", "id=%u state=%s cause=%s", id, state, cause != NULL ? cause : "");
	event_publish(event_topic_net_checkpoint, NULL,
	              (const struct event_member[]){{"id", text}, {"state", state}, {"cause", cause}, {"identity", identity}, {NULL, NULL}});
}

struct work *checkpoint_work(const char *what, struct checkpoint *cp, void (*run)(struct task *t), checkpoint_cb *done, void *arg)
{
	struct work *w = task_new(sizeof(*w), what, NULL, run);

	w->cp = cp;
	w->done = done;
	w->arg = arg;
	return w;
}

void checkpoint_finish(struct work *w, bool ok)
{
	w->result.ok = ok;
	w->done(w->arg, &w->result);
	task_done(&w->t, ok);
}

void checkpoint_refused(struct work *w)
{
	w->result.refused = w->t.reply;
	checkpoint_finish(w, false);
}

static void ask_arm(struct work *w)
{
	struct op_checkpoint_arm_args a = {.id = w->cp->id, .timeout_secs = (uint32_t)w->timeout_secs};

	task_priv(&w->t, OP_checkpoint_arm, &a, NULL);
}

static void ask_confirm(struct work *w)
{
	struct op_checkpoint_confirm_args a = {.id = w->cp->id};

	task_priv(&w->t, OP_checkpoint_confirm, &a, NULL);
}

static void put_row(struct change *c, const struct checkpoint *cp)
{
	change_put_checkpoint(c, &(struct row_checkpoint){.id = cp->id,
	                                                  .timeout_secs = cp->timeout_secs,
	                                                  .created_unix = cp->created_unix,
	                                                  .deadline_unix = cp->deadline_unix,
	                                                  .identity = cp->identity,
	                                                  .method = cp->method});
}

static void commit_row(struct work *w)
{
	struct change *c = change_new();

	put_row(c, w->cp);
	task_commit(&w->t, c);
}

// ---- making --------------------------------------------------------------------------------------------------------------------------------

enum { MAKE_ASKED, MAKE_ARMED, MAKE_STORED, MAKE_UNDONE };

static void make_step(struct task *t)
{
	struct work *w = (struct work *)t;

	switch (t->step++) {
	case MAKE_ASKED: ask_arm(w); return;
	case MAKE_ARMED:
		if (task_repeat(t)) {
			ask_arm(w);
			return;
		}
		if (!priv_ok(t->reply)) {
			checkpoint_forget(w->cp);
			checkpoint_refused(w);
			return;
		}
		set_deadline(w->cp, w->timeout_secs);
		commit_row(w);
		return;
	case MAKE_STORED:
		if (t->err != 0) {
			w->result.err = t->err;
			ask_confirm(w);
			return;
		}
		w->cp->conn_serial = conn_last_serial();
		checkpoint_set_gate();
		w->result.made = w->cp;
		checkpoint_publish(w->cp->id, w->cp->identity, "pending", NULL);
		checkpoint_finish(w, true);
		return;
	case MAKE_UNDONE:
		checkpoint_forget(w->cp);
		checkpoint_finish(w, false);
		return;
	}
}

// Numbers go on from one daemon to the next, lest an old one confirm a new checkpoint.
static uint32_t new_id(void)
{
	static uint32_t last;
	uint32_t now = (uint32_t)time(NULL);

	last = last == 0 || last < now ? now : last + 1;
	return last;
}

void checkpoint_make(int64_t timeout_secs, const char *identity, const char *method, checkpoint_cb *done, void *arg)
{
	struct checkpoint *cp = xcalloc(1, sizeof(*cp));
	struct work *w = checkpoint_work("checkpoint", cp, make_step, done, arg);

	cp->id = new_id();
	cp->created_unix = time(NULL);
	cp->deadline_ns = UINT64_MAX;
	snprintf(cp->identity, sizeof(cp->identity), "%s", identity);
	snprintf(cp->method, sizeof(cp->method), "%s", method);
	cp->timer = event_new(daemon_base(), -1, 0, checkpoint_at_deadline, cp);
	TAILQ_INSERT_TAIL(&pending, cp, link);
	w->timeout_secs = timeout_secs;
	task_run(&w->t);
}

static void extend_step(struct task *t)
{
	struct work *w = (struct work *)t;

	switch (t->step++) {
	case 0: ask_arm(w); return;
	case 1:
		if (task_repeat(t)) {
			ask_arm(w);
			return;
		}
		if (!priv_ok(t->reply)) {
			checkpoint_refused(w);
			return;
		}
		set_deadline(w->cp, w->timeout_secs);
		checkpoint_set_gate();
		commit_row(w);
		return;
	case 2:
		w->result.made = w->cp;
		w->result.err = t->err;
		checkpoint_finish(w, t->err == 0);
		return;
	}
}

void checkpoint_extend(struct checkpoint *cp, int64_t timeout_secs, checkpoint_cb *done, void *arg)
{
	struct work *w = checkpoint_work("checkpoint", cp, extend_step, done, arg);

	w->timeout_secs = timeout_secs;
	task_run(&w->t);
}

// ---- confirming ----------------------------------------------------------------------------------------------------------------------------

static void confirm_step(struct task *t)
{
	struct work *w = (struct work *)t;
	struct change *c;

	switch (t->step++) {
	case 0: ask_confirm(w); return;
	case 1:
		if (task_repeat(t)) {
			ask_confirm(w);
			return;
		}
		// What was asked before the helper ended may have been done: then there is nothing to confirm any more.
		if (!priv_ok(t->reply) && !(t->repeats > 0 && t->reply->outcome == PRIV_ANSWERED && t->reply->status == OPS_NOT_FOUND)) {
			checkpoint_refused(w);
			return;
		}
		c = change_new();
		change_confirm(c, w->cp->id);
		task_commit(t, c);
		return;
	case 2:
		w->result.err = t->err;
		if (t->err == 0) {
			checkpoint_publish(w->cp->id, w->cp->identity, "confirmed", NULL);
			checkpoint_forget(w->cp);
		}
		checkpoint_set_gate();
		checkpoint_finish(w, t->err == 0);
		return;
	}
}

void checkpoint_confirm(struct checkpoint *cp, checkpoint_cb *done, void *arg)
{
	task_run(&checkpoint_work("confirm", cp, confirm_step, done, arg)->t);
}

void checkpoint_stop(void)
{
	struct checkpoint *next;

	for (struct checkpoint *cp = TAILQ_FIRST(&pending); cp != NULL; cp = next) {
		next = TAILQ_NEXT(cp, link);
		checkpoint_forget(cp);
	}
}
