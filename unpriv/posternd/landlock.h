// Which parts of the file system a process may still reach, by Landlock.
#ifndef POSTERN_POSTERND_LANDLOCK_H
#define POSTERN_POSTERND_LANDLOCK_H

#include <stdbool.h>

// Starts a rule set that allows nothing. -1, logged, if the kernel has no Landlock of ABI 2 or later.
int landlock_begin(void);

// Allows reading below a path (a file or a directory). What doesn't exist is passed over.
bool landlock_read(int rules, const char *path);

// Allows opening files below a path for writing as well, but neither making nor removing them: a VM's disks. What doesn't exist is passed over.
bool landlock_edit(int rules, const char *path);

// Allows everything that a state directory needs below a path, which must exist.
bool landlock_own(int rules, const char *path);

// Puts this thread, and threads and processes made later, under the rules; closes them. Needs no_new_privs.
bool landlock_enter(int rules);

#endif
