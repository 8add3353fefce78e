// The module that holds the daemon's state together: store, cache, helper client, audit, VMs; started after confinement.
#ifndef POSTERN_POSTERND_STATE_H
#define POSTERN_POSTERND_STATE_H

#include <stdbool.h>

bool state_start(void);
void state_helper(int fd);
void state_stop(void);

#endif
