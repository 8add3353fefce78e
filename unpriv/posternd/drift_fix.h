// Puts right what differs: asks the helper for what the rows say, item by item.
#ifndef POSTERN_POSTERND_DRIFT_FIX_H
#define POSTERN_POSTERND_DRIFT_FIX_H

#include "unpriv/posternd/drift.h"

// Does what each item's `fix` says, in the order of enum drift_fix, and calls ended.  Items are copied; a row is read again just before it is
// acted on, and one that meanwhile has gone or is on its way is left alone.  One at a time.
void drift_fix(const struct drift_item *v, size_t n, void (*ended)(void));

#endif
