// The orderly end of a guest.
#ifndef POSTERN_GUEST_INIT_SHUTDOWN_H
#define POSTERN_GUEST_INIT_SHUTDOWN_H

#include <stdbool.h>

#define SHUTDOWN_GRACE_MS 3000u

// sync, TERM to all, up to grace_ms, KILL, unmount, reboot(2).  Where power off isn't possible the kernel halts, which with panic=
// on its command line ends the VM as well.
_Noreturn void shutdown_guest(bool reboot, unsigned grace_ms);

#endif
