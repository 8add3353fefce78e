// Pending checkpoints of the network: the daemon's half.  (The helper's: helper/net/checkpoint.h.)
//
//   Making -> Pending       the helper has noted the kernel's state, the store the checkpoint
//   Pending -> gone         confirmed, the helper first: a daemon that ends in between is as good as one that never was asked
//   Pending -> Going back   asked for, or its time is up.  The helper goes back, once more where it had done so by itself; then the rows are put back,
//                           and what they say is restored
//   Going back -> gone      with those made after it;  -> Pending where it failed, to be tried again
//
// All of it happens while no write of the network is at work (gate.h), one after the other.  From a checkpoint's deadline on none begins.
// A daemon that ends takes all with it: its helper goes back to the oldest at once, its successor puts the rows back before it reads them.
#ifndef POSTERN_POSTERND_CHECKPOINT_H
#define POSTERN_POSTERND_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "unpriv/posternd/helper_client.h"

#define CHECKPOINTS_MAX 8u // of clients; the helper keeps one more, for net.apply

enum checkpoint_cause { CAUSE_ASKED, CAUSE_DEADLINE, CAUSE_FAILED };

struct checkpoint {
	TAILQ_ENTRY(checkpoint) link;
	uint32_t id;
	int64_t timeout_secs, created_unix, deadline_unix;
	uint64_t deadline_ns;   // CLOCK_MONOTONIC
	uint64_t conn_serial;   // of the last connection there was when it had been made
	char identity[64];      // whose it is
	char method[32];        // what made it: net.checkpoint.create, net.apply
	bool going_back;        // of Going back
	struct event *timer;
};

// What became of a request to this module.  Borrowed.
struct checkpoint_result {
	bool ok;
	const struct priv_reply *refused; // the helper's failure, or NULL
	int err;                          // of the store, or 0
	struct checkpoint *made;          // by checkpoint_make
	uint32_t gone;                    // by checkpoint_rollback: checkpoints that are no more
	uint32_t changed, failed;         // steps of the helper
	const char *trouble;              // the first that failed, or NULL
};
typedef void checkpoint_cb(void *arg, const struct checkpoint_result *r);

// The caller of these four has the gate to himself (gate_exclusive), and keeps it; done is called later.

// Makes one.
void checkpoint_make(int64_t timeout_secs, const char *identity, const char *method, checkpoint_cb *done, void *arg);

// Gives a pending one `timeout_secs` from now.
void checkpoint_extend(struct checkpoint *cp, int64_t timeout_secs, checkpoint_cb *done, void *arg);

// What has changed since stays.
void checkpoint_confirm(struct checkpoint *cp, checkpoint_cb *done, void *arg);

// Goes back.
void checkpoint_rollback(struct checkpoint *cp, enum checkpoint_cause cause, const char *identity, checkpoint_cb *done, void *arg);

// The pending ones, the oldest first; NULL behind the last.
struct checkpoint *checkpoint_first(void);
struct checkpoint *checkpoint_next(const struct checkpoint *cp);
struct checkpoint *checkpoint_find(uint32_t id);
size_t checkpoint_count(void);

// True when its deadline has passed, or it is being gone back to.
bool checkpoint_over(const struct checkpoint *cp);

// At the start, between store_open and the loading of rows: puts back what a daemon that ended left unconfirmed.  False: the database can't.
bool checkpoint_recover(void);

// Once the store and its thread run: tells about what checkpoint_recover found.
void checkpoint_report(void);

// Once there is a helper: it goes back to what an earlier daemon left, should it have outlived that one's end; then calls next().
void checkpoint_forget_helpers(void (*next)(void));

void checkpoint_stop(void);

#endif
