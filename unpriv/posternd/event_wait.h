// Requests that wait for an event, and streams that are written to at each.
#ifndef POSTERN_POSTERND_EVENT_WAIT_H
#define POSTERN_POSTERND_EVENT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct request;

#define EVENT_WAITERS 1024 // requests that wait at one time; one more is told that the daemon is busy

// Answers with what there is and says true; or, where there is nothing and `empty` isn't wanted, says false.
typedef bool event_answer(struct request *rq, const void *arg, bool empty);

// Calls answer at once, and where that has nothing at each new event, until wait_ms are over.
void event_wait(struct request *rq, int64_t wait_ms, event_answer *answer, const void *arg);

// Events come to those who wait a moment later, from the loop: many at once are one waking.
bool event_wait_start(void);
void event_wait_stop(void);

// The access list has changed: all who wait are answered with what they may see by the one they came under.
void event_wait_reloaded(void);

#endif
