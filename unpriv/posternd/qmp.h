// One QMP command to QEMU over its granted socket: greeting, capabilities, command, answer.
#ifndef POSTERN_POSTERND_QMP_H
#define POSTERN_POSTERND_QMP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct qmp_call;

// status: what query-status returned ("running" …), or "" for other commands; why: what went wrong.
typedef void qmp_cb(void *arg, bool ok, const char *status, const char *why);

// command: a constant of ours without arguments.  NULL where it can't be started; otherwise done is called once, unless cancelled.
struct qmp_call *qmp_ask(struct event_base *base, int api_o_path, const char *command, int64_t deadline_ms, qmp_cb *done, void *arg);

void qmp_cancel(struct qmp_call *q); // takes NULL

#endif
