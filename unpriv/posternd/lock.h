// One worker per state directory.
#ifndef POSTERN_POSTERND_LOCK_H
#define POSTERN_POSTERND_LOCK_H

#include <stdbool.h>

// Takes the lock of the state directory for the life of the process. False, logged with the holder's
// pid, if another daemon has it or the directory can't be used.
bool lock_take(const char *state_dir);

#endif
