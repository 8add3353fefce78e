// One short request to a guest's agent: connect, greet, ask, read the answer, close.
#ifndef POSTERN_POSTERND_AGENT_H
#define POSTERN_POSTERND_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/guest.h"

struct event_base;
struct agent_call;

// ok: the guest answered healthy or done.  why: otherwise, a sentence that lives until this returns.
typedef void agent_cb(void *arg, bool ok, const char *why);

// Asks: m is health, shutdown, set_time …, without slices that must outlive the call.  Connection, question and answer have deadline_ms together, and
// an agent that isn't there yet is tried again until then.  NULL where no descriptor is free; otherwise done is called once, unless cancelled.
struct agent_call *agent_ask(struct event_base *base, int vsock_o_path, const struct msg *m, int64_t deadline_ms, agent_cb *done, void *arg);

void agent_cancel(struct agent_call *c); // takes NULL

#endif
