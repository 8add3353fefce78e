// What the running system says about a VM: its keeper's process, its exit file, its logs.
//
// The files lie in a directory that belongs to the VM: whatever is read there is judged as the guest's own words.
#ifndef POSTERN_POSTERND_VM_LIVE_H
#define POSTERN_POSTERND_VM_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "unpriv/posternd/vm.h"

// This boot's id, read once.
const char *vm_live_boot_id(void);

// True and *pidfd where the process `pid` began at start_time and is in the cgroup of that VM: the keeper that was started, and no other that got
// its pid later.
bool vm_live_keeper(pid_t pid, uint64_t start_time, const char *id, int *pidfd);

// The two texts that decide it, for the tests: field 22 of /proc/PID/stat, and membership in /proc/PID/cgroup.
bool vm_live_start_time(const char *stat, uint64_t *out);
bool vm_live_in_cgroup(const char *cgroups, const char *id);

// Opens a file in the VM's run directory for reading: a regular one that isn't a link, or -1 with errno.
int vm_live_open(const char *id, const char *leaf);

// What exit.json says, if it was written after not_before: sets vm->final_reason, exit_code and last_error.  Otherwise the reason is `fallback`.
void vm_live_exit(struct vm *vm, int64_t not_before_unix_ms, enum rpc_vm_reason fallback);

#endif
