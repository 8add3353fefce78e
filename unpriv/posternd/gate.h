// The gate that writes pass.
//
// They wait at it until the daemon has put back, at its start, what the rows say: a row of an operation that just begins must not be taken for
// one that a crash cut short.  And the network's writes wait while somebody has the network to himself: a checkpoint that is made, or gone back
// to, and a document that is applied.  He gets it when the writes that have passed are at their end.
#ifndef POSTERN_POSTERND_GATE_H
#define POSTERN_POSTERND_GATE_H

#include <stdbool.h>
#include <stdint.h>

#define GATE_WAIT_MS      5000  // then the request fails: there is no helper to restore anything with
#define GATE_EXCLUSIVE_MS 60000 // then it fails: somebody has the network to himself, or wants to

struct request;

bool gate_start(void);
void gate_stop(void);

// Lets all pass, now and from now on.
void gate_open(void);

// Calls go(rq) at once where the gate is open, else when it opens; a request that waits too long is answered instead.
void gate_pass(struct request *rq, void (*go)(struct request *rq));

// The request is at its end.
void gate_left(struct request *rq);

// Calls go(arg), now or later, when no write of the network is at work; none passes then until gate_release().  In the order of asking.
void gate_exclusive(void (*go)(void *arg), void *arg);
void gate_release(void);

// From this moment (CLOCK_MONOTONIC, nanoseconds) on no write of the network passes, until it is set anew; UINT64_MAX: it never comes.
void gate_close_at(uint64_t ns);

#endif
