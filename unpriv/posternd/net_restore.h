// Puts back at the daemon's start what the rows say and the kernel doesn't have, and takes away what nobody was told about.
#ifndef POSTERN_POSTERND_NET_RESTORE_H
#define POSTERN_POSTERND_NET_RESTORE_H

#include <stddef.h>

#include <stdbool.h>

// Bridges, taps, ports, translations, mounts, one after the other; then ended is called.  Needs a helper.
void net_restore(void (*ended)(void *arg, bool ok), void *arg);

// The same for the network alone, at any time when no write of it is at work (gate.h).
void net_restore_again(void (*ended)(void *arg, bool ok), void *arg);

// How many operations of the last restoring failed, and what the first of them was for.
size_t net_restore_failures(const char **first);

// Looks every 60 s for taps of ours that no row has; what is seen twice is deleted.
void net_sweep_start(void);
void net_sweep_stop(void);

#endif
