// The well-formed UTF-8 sequences of RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF.
#ifndef POSTERN_POSTERND_UTF8_H
#define POSTERN_POSTERND_UTF8_H

#include <stddef.h>

// The length (1 to 4) of the sequence at s, of which n > 0 bytes are there; 0 where it isn't well-formed.
size_t utf8_length(const unsigned char *s, size_t n);

// Writes a code point (not a surrogate, at most U+10FFFF) and returns the number of bytes, 1 to 4.
size_t utf8_put(unsigned long code, char out[4]);

#endif
