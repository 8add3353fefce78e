// Base 64 (RFC 4648, section 4, with padding).
#ifndef POSTERN_POSTERND_BASE64_H
#define POSTERN_POSTERND_BASE64_H

#include <stddef.h>

// Characters that len bytes become.
size_t base64_length(size_t len);

// Writes them and a NUL.
void base64_write(const void *bytes, size_t len, char *out);

#endif
