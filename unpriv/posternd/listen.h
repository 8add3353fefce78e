// The sockets that clients connect to.
#ifndef POSTERN_POSTERND_LISTEN_H
#define POSTERN_POSTERND_LISTEN_H

#include <stdbool.h>

#include "unpriv/posternd/config.h"

// Opens all sockets of the configuration: mode 0660, the configured group. A socket that nobody listens
// on any more is replaced, one in use is an error. False, logged. Before confinement.
bool listen_open(const struct config *config);

// Starts accepting; after confinement.
bool listen_start(void);

// Stops accepting and removes the sockets.
void listen_finish(void);

#endif
