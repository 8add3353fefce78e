// What postern-vsock gives up before it looks at a byte from QEMU or the guest. The jail around it is the spawner's work.
#ifndef UNPRIV_VSOCK_CONFINE_H
#define UNPRIV_VSOCK_CONFINE_H

// Closes every descriptor above `last`, makes the listener non-blocking and raises RLIMIT_NOFILE to its hard limit, which
// must be at least nofile_min. NULL, or what failed.
const char *confine_fds(int last, unsigned nofile_min);

// No core, not dumpable, no new privileges, seccomp filter; each read back. NULL, or what failed.
const char *confine_self(void);

#endif
