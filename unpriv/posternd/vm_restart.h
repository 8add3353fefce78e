// What a start of the daemon does about VMs: rows are read, keepers that still run are adopted, the others are taken down and demoted.
#ifndef POSTERN_POSTERND_VM_RESTART_H
#define POSTERN_POSTERND_VM_RESTART_H

#include <stdbool.h>

// Reads VMs and events from the opened store.  False when it can't be read.
bool vm_restart_load(void);

// Looks at each VM that hasn't been looked at, once a helper is there; then sweeps jails that no VM has, and starts what has autostart.
void vm_restart_verify(void);

#endif
