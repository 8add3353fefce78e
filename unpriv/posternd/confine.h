// Takes from the worker every right that it doesn't need to serve.
#ifndef POSTERN_POSTERND_CONFINE_H
#define POSTERN_POSTERND_CONFINE_H

#include <stdbool.h>

#include "unpriv/posternd/config.h"

// Capability sets empty, no_new_privs, not dumpable, no core file, Landlock, seccomp; read back. False,
// logged, if any step fails: then the worker must not start. What is opened before stays open; threads
// must be made after.
bool confine(const struct config *config, const struct flags *flags);

#endif
