// Leaving the initramfs for the root file system that root= names.
#ifndef POSTERN_GUEST_INIT_SWITCHROOT_H
#define POSTERN_GUEST_INIT_SWITCHROOT_H

// On an initramfs with root=/dev/… on the command line: waits for the device (10 s), mounts it (rootfstype=, rootflags=, ro and rw
// as the kernel's own), moves /proc, /sys and /dev into it, empties the initramfs, and makes the new root /.  Then executes
// /postern-init there if there is one; without, this very program carries on, so an image needs nothing of ours in it.
// On any failure it says why and returns: the guest then runs in its initramfs, where it can be looked into.
void switch_root(void);

#endif
