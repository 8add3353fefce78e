// A method as a verb of the command line.
#ifndef POSTERN_UNPRIV_POSTERN_METHOD_H
#define POSTERN_UNPRIV_POSTERN_METHOD_H

#include <jansson.h>

#include "proto/rpc.h"
#include "unpriv/postern/cli.h"

// Calls the method with the options in argv (the words behind its name) and prints the answer.  Returns the exit code.
int method_verb(struct cli *cli, const struct rpc_method *m, int argc, char **argv);

// The first half alone: options into params, an object.  Returns CLI_OK, or CLI_USAGE after a message.
int method_params(struct cli *cli, const struct rpc_method *m, int argc, char **argv, json_t *params);

// Columns of the terminal on standard output; 80 where it doesn't say.
size_t method_width(void);

#endif
