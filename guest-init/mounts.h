// The file systems every Linux user space expects.
#ifndef POSTERN_GUEST_INIT_MOUNTS_H
#define POSTERN_GUEST_INIT_MOUNTS_H

#include <stdbool.h>

// cgroup v2: commands get their cgroups below CGROUP_EXEC, with the controllers the kernel has.
#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_EXEC CGROUP_ROOT "/exec"

// Mounts /proc, /sys and /dev, which finding the root and loading modules needs, and opens the console if nobody has.
void mount_early(void);

// Mounts /dev/pts, /dev/shm, /run, /tmp and cgroup2 and prepares CGROUP_EXEC.  Each failure is said and survived.
void mount_rest(void);

// True while / is the kernel's initramfs (a ramfs or tmpfs).
bool on_initramfs(void);

#endif
