// net.checkpoint.create, confirm, rollback, list.
//
// A checkpoint is the whole host's: going back to it takes back what everybody has changed since.  So only callers without a tenant make,
// confirm or go back to one, each of them any; tenants see none.  Everything waits for the gate: what a request finds when it gets it decides.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unpriv/posternd/checkpoint.h"
#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/task.h"

#define TIMEOUT_DEFAULT 90 // seconds; OpenWrt's 30 were too few (freifunk-berlin/firmware#832)

struct job {
	struct request *rq;
	uint32_t id; // 0: none was given
	int64_t timeout_secs;
};

static struct job *job_new(struct request *rq, const char *id, int64_t timeout_secs)
{
	struct job *j = arena_zalloc(rq->arena, sizeof(*j));

	j->rq = rq;
	j->timeout_secs = timeout_secs;
	if (id != NULL && strlen(id) <= 10 && strspn(id, "0123456789") == strlen(id))
		j->id = (uint32_t)strtoull(id, NULL, 10);
	return j;
}

static struct obj_checkpoint object_of(const struct checkpoint *cp, struct arena *a)
{
	uint64_t now = now_ns();

	return (struct obj_checkpoint){
	    .id = arena_printf(a, "%" PRIu32, cp->id),
	    .timeout_secs = cp->timeout_secs,
	    .created_unix = cp->created_unix,
	    .deadline_unix = cp->deadline_unix,
	    .remaining_secs = now < cp->deadline_ns ? (int64_t)((cp->deadline_ns - now) / 1000000000u) : 0,
	    .identity = cp->identity,
	    .method = cp->method,
	};
}

static bool host_only(struct request *rq)
{
	if (rq->tenant == NULL)
		return true;
	fail_hint(rq, FAIL_DENIED_BY_POLICY, "Ask whoever runs the host.", "a checkpoint takes back what everybody has changed: it isn't for a tenant");
	return false;
}

// The checkpoint that a request names; NULL after it has answered that there is none, or that it is over.
static struct checkpoint *named(struct request *rq, uint32_t id)
{
	struct checkpoint *cp = id != 0 ? checkpoint_find(id) : NULL;

	if (cp == NULL)
		fail_hint(rq, FAIL_NOT_FOUND, "It may have been rolled back: see net.checkpoint.list and the events.", "there is no such pending checkpoint");
	else if (checkpoint_over(cp)) {
		fail(rq, FAIL_INVALID_STATE, "checkpoint %" PRIu32 "'s time is up: the network goes back to it", id);
		cp = NULL;
	}
	return cp;
}

static void answer_failure(struct request *rq, const struct checkpoint_result *r)
{
	if (r->refused != NULL)
		fail_priv(rq, r->refused);
	else
		fail_errno(rq, FAIL_IO, r->err, "state could not be stored");
}

// ---- create --------------------------------------------------------------------------------------------------------------------------------

static void created(void *arg, const struct checkpoint_result *r)
{
	struct job *j = arg;
	struct request *rq = j->rq;

	if (r->ok)
		reply_net_checkpoint_create(
		    rq, &(struct rpc_net_checkpoint_create_result){.changed = true, .has_checkpoint = true, .checkpoint = object_of(r->made, rq->arena)});
	else
		answer_failure(rq, r);
	gate_release();
}

static void create_go(void *arg)
{
	struct job *j = arg;
	struct checkpoint *cp = NULL;

	if (j->id != 0 && (cp = named(j->rq, j->id)) == NULL)
		gate_release();
	else if (cp != NULL)
		checkpoint_extend(cp, j->timeout_secs, created, j);
	else
		checkpoint_make(j->timeout_secs, j->rq->identity, j->rq->method->name, created, j);
}

void rpc_net_checkpoint_create(struct request *rq, const struct rpc_net_checkpoint_create_params *p)
{
	struct job *j = job_new(rq, p->has_id ? p->id : NULL, p->has_timeout_secs ? p->timeout_secs : TIMEOUT_DEFAULT);

	if (!host_only(rq) || (p->has_id && named(rq, j->id) == NULL))
		return;
	if (!p->has_id && checkpoint_count() >= CHECKPOINTS_MAX)
		fail_hint(rq, FAIL_QUOTA_EXCEEDED, "Confirm one, or go back to one.", "%u checkpoints are pending already", CHECKPOINTS_MAX);
	else if (rq->dry_run)
		reply_net_checkpoint_create(rq, &(struct rpc_net_checkpoint_create_result){.changed = true});
	else
		gate_exclusive(create_go, j);
}

// ---- confirm -------------------------------------------------------------------------------------------------------------------------------

// True when the request came over a connection that was made after the checkpoint, and is still there.
static bool over_new_connection(struct request *rq, const struct checkpoint *cp)
{
	const struct conn *c = rq->exchange->conn;

	if (c != NULL && c->serial > cp->conn_serial)
		return true;
	fail_hint(rq, FAIL_INVALID_STATE, "Connect again and confirm over the new connection.",
	          "this connection was there before the checkpoint: it doesn't show that there is still a way to connect");
	return false;
}

static void confirmed(void *arg, const struct checkpoint_result *r)
{
	struct job *j = arg;

	if (r->ok)
		reply_net_checkpoint_confirm(j->rq, &(struct rpc_net_checkpoint_confirm_result){.changed = true});
	else
		answer_failure(j->rq, r);
	gate_release();
}

static void confirm_go(void *arg)
{
	struct job *j = arg;
	struct checkpoint *cp = named(j->rq, j->id);

	if (cp == NULL)
		gate_release();
	else
		checkpoint_confirm(cp, confirmed, j);
}

void rpc_net_checkpoint_confirm(struct request *rq, const struct rpc_net_checkpoint_confirm_params *p)
{
	struct job *j = job_new(rq, p->id, 0);
	struct checkpoint *cp;

	if (!host_only(rq))
		return;
	cp = named(rq, j->id);
	if (cp == NULL || !over_new_connection(rq, cp))
		return;
	if (rq->dry_run)
		reply_net_checkpoint_confirm(rq, &(struct rpc_net_checkpoint_confirm_result){.changed = true});
	else
		gate_exclusive(confirm_go, j);
}

// ---- rollback ------------------------------------------------------------------------------------------------------------------------------

static void rolled_back(void *arg, const struct checkpoint_result *r)
{
	struct job *j = arg;

	if (r->ok)
		reply_net_checkpoint_rollback(j->rq, &(struct rpc_net_checkpoint_rollback_result){.changed = true,
		                                                                                   .removed = r->gone,
		                                                                                   .failed = r->failed,
		                                                                                   .has_trouble = r->trouble != NULL,
		                                                                                   .trouble = r->trouble});
	else
		answer_failure(j->rq, r);
	gate_release();
}

static void rollback_go(void *arg)
{
	struct job *j = arg;
	struct checkpoint *cp = named(j->rq, j->id);

	if (cp == NULL)
		gate_release();
	else
		checkpoint_rollback(cp, CAUSE_ASKED, j->rq->identity, rolled_back, j);
}

void rpc_net_checkpoint_rollback(struct request *rq, const struct rpc_net_checkpoint_rollback_params *p)
{
	struct job *j = job_new(rq, p->id, 0);

	if (!host_only(rq) || named(rq, j->id) == NULL)
		return;
	if (rq->dry_run)
		reply_net_checkpoint_rollback(rq, &(struct rpc_net_checkpoint_rollback_result){.changed = true, .removed = 1});
	else
		gate_exclusive(rollback_go, j);
}

// ---- list ----------------------------------------------------------------------------------------------------------------------------------

void rpc_net_checkpoint_list(struct request *rq, const struct rpc_net_checkpoint_list_params *p)
{
	struct list_checkpoint l = {.v = arena_alloc(rq->arena, (checkpoint_count() + 1) * sizeof(*l.v))};

	(void)p;
	for (const struct checkpoint *cp = rq->tenant == NULL ? checkpoint_first() : NULL; cp != NULL; cp = checkpoint_next(cp))
		if (cp->deadline_ns != UINT64_MAX) // not yet made
			l.v[l.n++] = object_of(cp, rq->arena);
	reply_net_checkpoint_list(rq, &(struct rpc_net_checkpoint_list_result){.checkpoints = l});
}
