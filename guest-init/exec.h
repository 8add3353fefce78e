// The exec request.
#ifndef POSTERN_GUEST_INIT_EXEC_H
#define POSTERN_GUEST_INIT_EXEC_H

#include "guest-init/config.h"
#include "guest-init/conn.h"

// Runs the command that m, an exec request borrowed from c, describes, and everything that follows on this connection.  Takes over the
// process: SIGCHLD gets blocked, and nothing of the command is left behind unless it is detached.
void exec_serve(struct conn *c, const struct msg *m, const struct config *config);

#endif
