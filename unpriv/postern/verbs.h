// Methods as the words of a command line, straight from the rows: net.bridge.add is `net bridge add`.
#ifndef POSTERN_UNPRIV_POSTERN_VERBS_H
#define POSTERN_UNPRIV_POSTERN_VERBS_H

#include <stdio.h>

#include "proto/rpc.h"

#define VERB_FIELDS_MAX 32 // parameters or results of one method, with those that the machinery adds

// Finds the method that the first words of argv name, the longest that fits; a word may hold dots, and - is as good as _.
// Returns how many words that took, 0 when none fits.
int verb_find(int argc, char *const *argv, const struct rpc_method **m);

// Everything a method takes: its rows, then dry_run where it writes, limit and cursor where it pages.  Returns how many.
size_t verb_params(const struct rpc_method *m, struct rpc_field out[VERB_FIELDS_MAX]);

// Everything it answers: its rows, then changed where it writes, next_cursor where it pages.
size_t verb_results(const struct rpc_method *m, struct rpc_field out[VERB_FIELDS_MAX]);

// "read", "write" or "admin".
const char *verb_right(enum rpc_right right);

// What a value of the kind looks like, in words: "one of qemu, firecracker", "1 to 256".
void verb_kind(FILE *out, const struct rpc_field *f);

// A value of the kind as one would type it, for examples.
const char *verb_example(enum rpc_kind kind);

// A command line that calls the method with what it requires.
void verb_example_line(FILE *out, const struct rpc_method *m);

// The method's name as words: "net bridge add".
void verb_words(FILE *out, const struct rpc_method *m);

#endif
