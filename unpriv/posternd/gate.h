// Writes wait at the gate until the daemon has put back, at its start, what the rows say: a row of an operation that just begins must not be
// taken for one that a crash cut short.
#ifndef POSTERN_POSTERND_GATE_H
#define POSTERN_POSTERND_GATE_H

#include <stdbool.h>

#define GATE_WAIT_MS 5000 // then the request fails: there is no helper to restore anything with

struct request;

bool gate_start(void);
void gate_stop(void);

// Lets all pass, now and from now on.
void gate_open(void);

// Calls go(rq) at once where the gate is open, else when it opens; a request that waits too long is answered instead.
void gate_pass(struct request *rq, void (*go)(struct request *rq));

#endif
