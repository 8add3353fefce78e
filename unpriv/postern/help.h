// Help texts, made from the rows and the table of verbs.
#ifndef POSTERN_UNPRIV_POSTERN_HELP_H
#define POSTERN_UNPRIV_POSTERN_HELP_H

#include <stdio.h>

#include "proto/rpc.h"

// What a method does, takes, allows and answers, with an example.
void help_method(FILE *out, const struct rpc_method *m);

// Every method whose name begins with prefix, a line each.  Returns how many.
size_t help_methods(FILE *out, const char *prefix);

// The verbs and common options.
void help_overview(FILE *out);

// One verb of cli_verbs.
struct cli_verb;
void help_verb(FILE *out, const struct cli_verb *v);

#endif
