// exitfile: the keeper's last word, /run/exit.json. A VM that ended without one was killed together with its keeper.
#ifndef POSTERN_UNPRIV_KEEPER_EXITFILE_H
#define POSTERN_UNPRIV_KEEPER_EXITFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "unpriv/keeper/vm.h"

#define EXITFILE_NAME "exit.json"

// exitfile_write puts {reason, exit_code, signal, at_unix_ms, detail} below `dir`: whole, or not at all. `detail` is a sentence of the keeper's own
// without quotes, "" for none. False with errno set.
bool exitfile_write(int dir, const struct vm *vm, const char *detail, int64_t at_unix_ms);

#endif
