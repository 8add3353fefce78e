// See task.h.
#include "unpriv/posternd/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/tenant.h"

static uint64_t made;
static unsigned running;

uint64_t task_made(void)
{
	return made;
}

unsigned task_running(void)
{
	return running;
}

void *task_new(size_t size, const char *what, struct request *rq, void (*run)(struct task *t))
{
	struct task *t = xcalloc(1, size);

	made++;
	running++;
	t->what = what;
	t->rq = rq;
	t->run = run;
	return t;
}

void task_run(struct task *t)
{
	t->run(t);
}

static void on_commit(void *arg, int err)
{
	struct task *t = arg;

	t->err = err;
	t->run(t);
}

void task_commit(struct task *t, struct change *c)
{
	store_commit(c, on_commit, t);
}

static void on_reply(void *arg, const struct priv_reply *r)
{
	struct task *t = arg;

	t->reply = r;
	t->run(t);
}

void task_priv(struct task *t, enum op_id op, const void *args, const int *fds)
{
	int err = priv_call(op, args, fds, on_reply, t);
	struct priv_reply failed = {.outcome = PRIV_ANSWERED, .op = op, .status = OPS_IO, .err = (uint32_t)err, .rule = "request not sent"};

	if (err != 0)
		on_reply(t, &failed);
}

bool task_repeat(struct task *t)
{
	if (!priv_unsure(t->reply) || t->repeats >= TASK_REPEATS)
		return false;
	t->repeats++;
	t->step--;
	return true;
}

void task_keep(struct task *t)
{
	snprintf(t->kept_rule, sizeof(t->kept_rule), "%s", t->reply->rule);
	t->kept = *t->reply;
	t->kept.rule = t->kept_rule;
	t->kept.res = NULL;
	t->kept.fds = NULL;
	t->reply = &t->kept;
}

void task_done(struct task *t, bool ok)
{
	if (t->ended != NULL)
		t->ended(t->ended_arg, ok);
	running--;
	free(t);
}

bool task_store_failed(struct task *t)
{
	if (t->err == 0)
		return false;
	if (t->rq != NULL)
		fail_with(t->rq, &(struct failure){.kind = FAIL_IO,
		                                   .err = t->err,
		                                   .detail = arena_printf(t->rq->arena, "state could not be stored: %s", strerror(t->err)),
		                                   .hint = "Free space in the state directory."});
	task_done(t, false);
	return true;
}

static enum fail_kind kind_of(enum op_status s)
{
	switch (s) {
	case OPS_DENIED: return FAIL_DENIED_BY_POLICY;
	case OPS_NOT_FOUND: return FAIL_NOT_FOUND;
	case OPS_EXISTS: return FAIL_ALREADY_EXISTS;
	case OPS_BUSY: return FAIL_BUSY;
	case OPS_PENDING: return FAIL_TIMEOUT;
	case OPS_INVALID: return FAIL_INVALID_STATE;
	case OPS_UNSUPPORTED: return FAIL_UNSUPPORTED;
	case OPS_QUOTA: return FAIL_QUOTA_EXCEEDED;
	case OPS_OK:
	case OPS_IO:
	case OPS_COUNT: return FAIL_IO;
	}
	return FAIL_IO;
}

bool priv_unsure(const struct priv_reply *r)
{
	return r->outcome == PRIV_INTERRUPTED;
}

enum fail_kind priv_fail_kind(const struct priv_reply *r)
{
	return r->outcome == PRIV_INTERRUPTED ? FAIL_INTERRUPTED : kind_of(r->status);
}

static const char *hint_of(const struct priv_reply *r)
{
	if (r->outcome == PRIV_INTERRUPTED)
		return "Look at the state and try again: the operation may or may not have happened.";
	if (r->status == OPS_DENIED)
		return "See /etc/postern/policy.conf, which only root can change.";
	return NULL;
}

void fail_priv(struct request *rq, const struct priv_reply *r)
{
	fail_priv_of(rq, NULL, r);
}

void fail_priv_of(struct request *rq, const char *what, const struct priv_reply *r)
{
	struct failure f = {
	    .kind = priv_fail_kind(r),
	    .detail = arena_printf(rq->arena, "%s%s%s", what != NULL ? what : "", what != NULL ? ": " : "", priv_error(r)),
	    .hint = hint_of(r),
	    .err = (int)r->err,
	};

	fail_with(rq, &f);
}

void task_fail(struct task *t)
{
	if (t->rq != NULL)
		fail_priv(t->rq, t->reply);
	else
		log_warn("own work failed", "what=%s why=%s", t->what, priv_error(t->reply));
	task_done(t, false);
}

bool task_refused(struct task *t)
{
	if (priv_ok(t->reply))
		return false;
	task_fail(t);
	return true;
}

bool tenant_sees(const struct request *rq, const char *tenant)
{
	return tenant_may(rq->tenant, tenant);
}
