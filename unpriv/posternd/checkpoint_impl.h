// What the two halves of the module share: see checkpoint.h.
#ifndef POSTERN_POSTERND_CHECKPOINT_IMPL_H
#define POSTERN_POSTERND_CHECKPOINT_IMPL_H

#include <event2/util.h>

#include "unpriv/posternd/checkpoint.h"
#include "unpriv/posternd/task.h"

// A request to the module at work.
struct work {
	struct task t;
	struct checkpoint *cp;
	int64_t timeout_secs;
	enum checkpoint_cause cause;
	char identity[64];
	struct checkpoint_result result;
	char trouble[128];
	checkpoint_cb *done;
	void *arg;
};

struct work *checkpoint_work(const char *what, struct checkpoint *cp, void (*run)(struct task *t), checkpoint_cb *done, void *arg);

// The end of the work; refused: with the helper's last answer.
void checkpoint_finish(struct work *w, bool ok);
void checkpoint_refused(struct work *w);

// Takes it out of the list and frees it.
void checkpoint_forget(struct checkpoint *cp);

// No write of the network may begin behind the first deadline.
void checkpoint_set_gate(void);

// Sets the timer for its deadline; the timer's callback.
void checkpoint_set_timer(struct checkpoint *cp);
void checkpoint_at_deadline(evutil_socket_t fd, short what, void *arg);

// Tells what has become of it as an event and in the log.  cause: NULL where it wasn't rolled back.
void checkpoint_publish(uint32_t id, const char *identity, const char *state, const char *cause);

#endif
