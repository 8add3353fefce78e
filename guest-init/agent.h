// The agent: accepts the host's connections and gives each a process of its own, so that one that hangs harms nobody.
#ifndef POSTERN_GUEST_INIT_AGENT_H
#define POSTERN_GUEST_INIT_AGENT_H

#include <sys/socket.h>

#include "guest-init/serve.h"

// Connections served at once; the next one is told so and closed.
#define AGENT_CONNS 256

// Says whether a peer may talk to the agent at all; the sockets of others are closed without a byte.
typedef bool agent_admits(const struct sockaddr_storage *peer);

// Serves a listening socket for ever; env->running is filled in.  Ends the process only when the socket is unusable.
_Noreturn void agent_run(int listener, agent_admits *admits, struct serve_env *env);

// Takes vsock port 1024.  Returns a listening socket, or -1 with errno while the kernel has no vsock.  Process 1 keeps it over the agent's
// lives: nobody else in the guest can take the port between two of them, and who connects then waits instead of being turned away.
int agent_listen(void);

// The agent of a guest: for the host (CID 2) alone.  Without a listener (-1) it waits for the vsock driver as long as it takes.
_Noreturn void agent_main(int listener, const struct config *c);

#endif
