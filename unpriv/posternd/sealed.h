// Sealed memfds: bytes that the other side can trust not to change.
#ifndef POSTERN_POSTERND_SEALED_H
#define POSTERN_POSTERND_SEALED_H

#include <stddef.h>

// Makes a memfd with these bytes, sealed against writing, growing, shrinking and further seals, open for reading and close-on-exec.
// -1 with errno.
int sealed_memfd(const char *name, const void *bytes, size_t len);

#endif
