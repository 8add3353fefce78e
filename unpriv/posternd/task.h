// A task: work that waits for the store and the helper in turn, written as one function that reads from top to bottom.
//
//   static void bridge_add_step(struct task *t)
//   {
//           switch (t->step++) {
//           case 0: …; task_commit(t, change); return;
//           case 1: if (task_store_failed(t)) return; …; task_priv(t, OP_link_add, &args, NULL); return;
//           case 2: if (task_refused(t)) return; …
//
// Each wait ends with the next call of the function.  A task belongs to a request, or to the daemon itself (rq NULL).
#ifndef POSTERN_POSTERND_TASK_H
#define POSTERN_POSTERND_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/store.h"

struct task {
	struct request *rq;             // who waits for it; NULL: the daemon's own work
	const char *what;               // constant, for the log
	int step;                       // the function's own
	unsigned repeats;               // see task_repeat
	int err;                        // of the last commit
	const struct priv_reply *reply; // of the last operation; valid within the step that follows it
	struct priv_reply kept;         // a failure set aside while things are put back; see task_keep
	char kept_rule[128];
	void (*run)(struct task *t);
	void (*ended)(void *arg, bool ok); // the daemon's own tasks: called at the end (may be NULL)
	void *ended_arg;
};

// Makes a zeroed task of `size` bytes, which begin with a struct task.  It is started by task_run and freed by task_done.
void *task_new(size_t size, const char *what, struct request *rq, void (*run)(struct task *t));
void task_run(struct task *t);

// How many tasks there have been, and how many there are: who compares rows with the kernel sees whether anything was on its way.
uint64_t task_made(void);
unsigned task_running(void);

// Hands a change to the store and goes on with the next step.
void task_commit(struct task *t, struct change *c);

// Asks the helper and goes on with the next step; an operation that can't be sent looks like one that failed.
void task_priv(struct task *t, enum op_id op, const void *args, const int *fds);

// True when the helper ended before it answered the last operation, and the step that asked is to ask once more, of the next helper: for what
// may happen twice, such as a deletion.  False too after TASK_REPEATS helpers that died over it.
#define TASK_REPEATS 3u
bool task_repeat(struct task *t);

// Sets the last reply, a failure, aside; `reply` then points at it for good.
void task_keep(struct task *t);

// The end after a reply_<id>(), or of the daemon's own work.
void task_done(struct task *t, bool ok);

// If the last commit failed: answers that and ends the task.
bool task_store_failed(struct task *t);

// If the last operation failed: answers that and ends the task.
bool task_refused(struct task *t);

// Answers with the failure in `reply` and ends the task.
void task_fail(struct task *t);

// True when nobody knows whether the operation happened: the helper ended before it answered.
bool priv_unsure(const struct priv_reply *r);

// The kind of failure that an answer (not OPS_OK) is.
enum fail_kind priv_fail_kind(const struct priv_reply *r);

// Answers a request with what the helper said.
void fail_priv(struct request *rq, const struct priv_reply *r);

// The same, about one of several things.
void fail_priv_of(struct request *rq, const char *what, const struct priv_reply *r);

// True when what belongs to `tenant` is the caller's to see and touch: the host sees everything.
bool tenant_sees(const struct request *rq, const char *tenant);

#endif
