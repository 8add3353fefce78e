// Single words of policy.conf: numbers, ranges, paths and names of a list.
#ifndef HELPER_LAUNCHER_POLICY_WORDS_H
#define HELPER_LAUNCHER_POLICY_WORDS_H

#include "helper/common/policy.h"

// A decimal number from min to max without leading zeros; false otherwise.
bool word_number(const char *s, uint64_t min, uint64_t max, uint32_t *out);

// "N" or "N-M", both from 1 to max and in order.
bool word_range(const char *s, uint64_t max, struct policy_range *r);

// Absolute, at least one component, none of them empty, "." or "..".
bool word_path_ok(const char *s);

// Fills to[0..size) with the word, cut where it is too long, and zeros.
void word_copy(char *to, size_t size, const char *from);

// The place of a word among n, n where it isn't there.
unsigned word_place(const char *word, const char *const *words, unsigned n);

#endif
