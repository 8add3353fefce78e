// A command in a VM: its options, and running it.
#ifndef POSTERN_UNPRIV_POSTERN_EXEC_H
#define POSTERN_UNPRIV_POSTERN_EXEC_H

#include "unpriv/postern/cli.h"
#include "unpriv/postern/client.h"

#define EXEC_ENV_MAX 1024

struct exec_options {
	char **argv; // NULL until "--" or the first word has been seen
	char *env[EXEC_ENV_MAX + 1];
	int nenv;
	const char *cwd, *user;
	bool read_terminal; // -i
	bool tty, no_tty;   // -t, -T
};

// Takes one of exec's own options at argv[*i].  Returns 1 when it did, 0 when it is none, -1 after a message.
int exec_option(struct exec_options *o, int argc, char **argv, int *i);

// Runs the command over the VM's exec endpoint and returns its exit code; or a cli_exit, after a message, when it couldn't be run.
int exec_in_vm(struct cli *cli, struct client *c, int signal_fd, const char *vm, const struct exec_options *o);

#endif
