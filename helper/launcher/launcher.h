// The steps of the launcher, in the order in which main() takes them.  Each one refuses (one line, exit 2) rather than return an error.
#ifndef HELPER_LAUNCHER_LAUNCHER_H
#define HELPER_LAUNCHER_LAUNCHER_H

#include <sys/types.h>

#include "helper/common/policy.h"

#define LAUNCHER "postern-helper"

// Replaces everything that the caller could have arranged: descriptors but 2 and 3, ids, session, signals, umask, limits, timers, priority,
// directory, environment, personality.  Checks that all capabilities of the tree are there before the first of these.
void world_clean(void);

// Checks who called: uid is the real uid before world_clean().  On return descriptor 3 is a connected socket whose other end is the daemon's.
void caller_check(uid_t uid, const struct policy *p);

// Takes the lock that each process of a helper tree holds; waits up to two seconds for an earlier tree to be gone.  Returns its descriptor.
int tree_lock(void);

// Starts broker and cells.  What only they need is closed here afterwards; the returned descriptor is the life pipe's write end.
int tree_start(struct policy *p, int lock);

// Waits until one of them ends, lets go of life, gives the others a second, and returns the helper's exit status.
int tree_wait(int life);

#endif
