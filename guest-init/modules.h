// Kernel modules that a stock distribution kernel needs before it has disks, network and vsock.
#ifndef POSTERN_GUEST_INIT_MODULES_H
#define POSTERN_GUEST_INIT_MODULES_H

// Loads the modules that /modules/list names: one path per line, relative to /modules, any order (a module that misses another's
// symbols is tried again after the others).  No list is no error.
void modules_from_list(void);

// Loads what the devices in /sys ask for (modalias), where /lib/modules/<release> has modules.alias and modules.dep.
void modules_by_alias(void);

#endif
