// Life as process 1 after boot: keep an agent running, reap, wait for the end.
#ifndef POSTERN_GUEST_INIT_SUPERVISE_H
#define POSTERN_GUEST_INIT_SUPERVISE_H

#include "guest-init/config.h"

// How the agent, a child of process 1, asks for the end: sigqueue(2) with the grace period in milliseconds as its value.
// Others' signals end the guest too, with the default: SIGTERM and SIGINT (Ctrl-Alt-Del) reboot, SIGUSR1, SIGUSR2 and SIGPWR power off.
#define SIG_POWER_OFF SIGUSR2
#define SIG_REBOOT    SIGTERM

// Blocks the signals that supervise() waits for.  Call it first: an unhandled signal would be lost before.
void supervise_init(void);

// Starts the agent, again with a growing pause when it dies, and reaps everything; ends the guest when asked.
_Noreturn void supervise(const struct config *c);

#endif
