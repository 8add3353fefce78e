// Opening a path that root's policy names: trusted only as far as nobody but root could have put something else there.
#ifndef HELPER_COMMON_ROOTPATH_H
#define HELPER_COMMON_ROOTPATH_H

#include <stdbool.h>
#include <sys/stat.h>

// True when it belongs to uid 0 and neither group nor others may write it.
bool rootpath_alone(const struct stat *st);

// Opens an absolute path with flags (O_CLOEXEC and O_NOFOLLOW are added).  Every directory above it must be root's alone; what it leads to isn't
// judged.  Returns a descriptor, or -1 with errno: EPERM where a directory isn't root's alone, ELOOP or ENOTDIR at a symlink, else as openat2(2).
int rootpath_open(const char *path, int flags);

#endif
