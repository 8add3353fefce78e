// Names that postern chooses: the prefix, a letter and a number that rises.
#ifndef POSTERN_POSTERND_NAMES_H
#define POSTERN_POSTERND_NAMES_H

#include <stdint.h>

#define NAMES_NUMBERS 100000u // then they begin again, so that a name of the longest prefix fits 15 characters

// The next number of a counter of the store ("tap", "veth"), below NAMES_NUMBERS.  None comes again before all the others, also not after a restart:
// numbers are taken from the store by the dozen, and what is left of a dozen is skipped.
uint32_t names_next(const char *counter);

#endif
