// The kernel modules that a guest needs before its root file system is there, with what they depend on, in load order.
#ifndef POSTERN_UNPRIV_POSTERN_MODULES_H
#define POSTERN_UNPRIV_POSTERN_MODULES_H

#include "unpriv/postern/cpio.h"

// Finds the wanted modules below dir (…/lib/modules/VERSION), puts them as modules/NAME.ko into the archive, and modules/list, their
// file names a line each in load order.  work: directory for unpacked files.  What the kernel has built in or lacks is passed over.
// Returns how many modules there were, -1 after a message.
int modules_add(struct cpio *c, const char *dir, const char *work);

#endif
