// spawn: what the spawn cell holds for life, and the plan of one child.
#ifndef HELPER_SPAWN_SPAWN_H
#define HELPER_SPAWN_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "helper/common/cell.h"
#include "helper/jail/cgroup.h"
#include "helper/jail/layout.h"

#define SPAWN_TAPS 3

struct spawn_state {
	int jail_root, image_root; // -1: the policy names none
	struct cgroup_roots cgroups;
};

extern struct spawn_state spawn_state;

// Everything that a child needs, as descriptors that the cell has checked: the child looks up no name of the host's. -1 where there is nothing.
struct spawn_plan {
	const char *id;
	uint32_t uid;
	uint32_t pids_max;
	bool kvm;
	int base;                   // detached mount: the VMM's base, read-only
	int run;                    // detached mount: root/ of the jail
	int given[JAIL_SLOTS];      // detached mounts: files of the record
	int v1[CGROUP_CONTROLLERS]; // cgroup.procs, open for writing
	int cgroup;                 // version 2 cgroup
	int spec;                   // borrowed
	int taps[SPAWN_TAPS];       // borrowed
	int report;                 // pipe to the cell
};

// What a child says when a step fails. Nothing is said when it executes the keeper: the pipe closes.
struct spawn_failure {
	uint32_t step;
	int32_t err;
};

// plan_make fills the plan from the jail's record, or notes why not; plan_drop closes what it holds, filled or not.
enum op_status plan_make(struct cell *c, struct spawn_plan *plan, const struct op_jail_spawn_args *a, const int *fds);
void plan_init(struct spawn_plan *plan);
void plan_drop(struct spawn_plan *plan);

// limits_set writes the VM's limits into its cgroups.
enum op_status limits_set(struct cell *c, const struct spawn_plan *plan, const char *cgroup, const struct op_jail_spawn_args *a);

// child_run becomes the keeper of the plan, or reports the step that failed.
_Noreturn void child_run(struct spawn_plan *plan);

// child_step_name is for the cell's answer.
const char *child_step_name(uint32_t step);

#endif
