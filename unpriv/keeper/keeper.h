// keeper: everything that one postern-keeper holds.
#ifndef POSTERN_UNPRIV_KEEPER_KEEPER_H
#define POSTERN_UNPRIV_KEEPER_KEEPER_H

#include <stdbool.h>

#include "unpriv/keeper/console.h"
#include "unpriv/keeper/rotlog.h"
#include "unpriv/keeper/vm.h"

#define KEEPER_SPEC_FD 3
#define KEEPER_TAP_FD  4 // the first of them

struct keeper {
	int run_dir;
	int signal_fd;
	int vmm_output; // read end of the VMM's and the backend's standard output and error; -1 after end of file
	struct rotlog serial_log, vmm_log;
	struct console console;
	struct vm vm;
};

// keeper_start reads the spec, makes sockets, logs and pipes, and starts the backend and the VMM. Answers NULL, or what failed (errno is set where
// the sentence doesn't say all).
const char *keeper_start(struct keeper *keeper);

// keeper_serve returns when the VM has ended and its last output is in the logs.
void keeper_serve(struct keeper *keeper);

#endif
