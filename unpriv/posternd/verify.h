// Compares what the rows say with what the kernel has.
//
// One dump for each kind of thing, read in slices; then the rows are gone through, in slices too, so that the loop is never held for more than a
// millisecond however many there are.  Only what carries our mark, or what a row names, is looked at: another's objects are no drift.
#ifndef POSTERN_POSTERND_VERIFY_H
#define POSTERN_POSTERND_VERIFY_H

#include "unpriv/posternd/drift.h"

// l: what differs, gone after the call.  err 0, or an errno: then l says nothing.
typedef void verify_done(const struct drift_list *l, int err, void *arg);

// Calls done later, after a comparison that began after this call; those who ask while one runs share the next.
//
// Where operations were on their way meanwhile, it is made twice, and what differs both times is drift.
void verify(verify_done *done, void *arg);

void verify_stop(void);

#endif
