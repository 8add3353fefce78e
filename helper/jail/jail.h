// jail: what the jail cell holds for life, and what its operations share.
#ifndef HELPER_JAIL_JAIL_H
#define HELPER_JAIL_JAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/common/cell.h"
#include "helper/jail/cgroup.h"
#include "helper/jail/layout.h"

struct jail_state {
	int jail_root, image_root; // -1: the policy names none
	struct cgroup_roots cgroups;
};

extern struct jail_state jail_state;

// One VM as an operation sees it. dir is -1 where it has none.
struct jail_vm {
	char path[JAIL_NAME_SIZE];   // below the jail root
	char cgroup[JAIL_NAME_SIZE]; // below the cgroup roots
	int dir;
};

// jail_find names the VM and opens its directory. A missing directory is OPS_OK with dir -1; anything else that is wrong is a failure, already noted.
// The caller closes vm->dir with jail_done.
enum op_status jail_find(struct cell *c, struct jail_vm *vm, uint32_t vmm, const wire_vmid id);
void jail_done(struct jail_vm *vm);

// jail_read_record answers 1 with the record, 0 where the jail has none, -1 with errno.
int jail_read_record(const struct jail_vm *vm, struct jail_record *record);

// jail_write_record replaces the record: whole or not at all, on disk when it returns.
int jail_write_record(const struct jail_vm *vm, const struct jail_record *record);

// jail_each_cgroup calls act for each of the VM's cgroup roots, version 2 first; stops at the first answer that isn't 0, and answers it.
int jail_each_cgroup(int (*act)(int root, const char *name), const char *name);

// Names of a directory's entries but "." and "..", one call at a time.
struct jail_names {
	int dir;
	bool again;
	ssize_t used;
	size_t at;
	_Alignas(8) char bytes[2048];
};

// jail_names answers 1 with the next name, valid until the next call, 0 at the end, -1 with errno.
int jail_names_next(struct jail_names *names, const char **name);

// jail_open_taken gives the directory `name` to root, mode 0700, and opens it for reading. Only for what no living process of a VM can touch.
int jail_open_taken(int dir, const char *name);

// jail_empty removes everything below the directory `dir`, at most `most` entries: 1 when it is empty, 0 when there is more to do, -1 with errno.
int jail_empty(int dir, unsigned most);

#endif
