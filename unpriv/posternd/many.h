// Many operations of one task, several at a time: the helper always has the next one, and never only ours.
#ifndef POSTERN_POSTERND_MANY_H
#define POSTERN_POSTERND_MANY_H

#include "unpriv/posternd/task.h"

// Part of a task's struct.
struct many {
	struct task *t;
	enum op_id op;
	size_t n;     // operations
	size_t width; // how many are in flight at most
	// Fills in the arguments, zeroed before, of the i'th.
	void (*args)(struct task *t, size_t i, union op_args *a);
	// Is told of each that succeeded; may be NULL.
	void (*done)(struct task *t, const struct priv_reply *r);

	size_t asked, waiting; // from here on its own
	bool failed;
	struct priv_reply reply;
	char rule[128];
};

// Starts them.  When each is answered the task goes on: its `reply` is then the first failure, behind which none was asked, or a success without
// results.  What belongs to *m before `asked` is set by the caller.
void many_run(struct many *m);

#endif
