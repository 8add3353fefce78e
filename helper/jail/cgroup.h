// cgroup: the cgroups of VMs, on hosts with version 2, and on hybrid hosts where some controllers are still version 1.
//
// Each controller is used in version 2 where the kernel offers it there, else in its version 1 hierarchy. Membership for killing is always version
// 2's: a VM's processes are born into that cgroup, and cgroup.kill reaches them all, without a race with fork.
#ifndef HELPER_JAIL_CGROUP_H
#define HELPER_JAIL_CGROUP_H

#include <stdbool.h>

enum cgroup_controller { CGROUP_CPU, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CONTROLLERS };

// Directory descriptors, held for life.
struct cgroup_roots {
	int v2;                     // policy's cgroup-root
	int v1[CGROUP_CONTROLLERS]; // of the same last name in the controller's own hierarchy; -1: in version 2, or nowhere
	bool in_v2[CGROUP_CONTROLLERS];
};

// cgroup_open makes postern's cgroup where it is missing, gives it the controllers, and fills `roots`. For the start of a cell, before it gives up
// its rights. Answers NULL, or the step that failed with errno.
const char *cgroup_open(struct cgroup_roots *roots, const char *cgroup_root);

const char *cgroup_controller_name(enum cgroup_controller controller);

#endif
