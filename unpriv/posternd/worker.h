// The worker: everything that posternd does but starting it and its helper.
#ifndef POSTERN_POSTERND_WORKER_H
#define POSTERN_POSTERND_WORKER_H

#include "unpriv/posternd/config.h"

// Runs until told to stop; CONTROL_FD is the line to the parent. Returns the exit code: 0 told to stop,
// 1 couldn't start, 3 the helper sent a malformed packet.
int worker_run(const struct flags *flags);

#endif
