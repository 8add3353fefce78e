// What several operations need: finding a VM, its record, the names in a directory.
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

struct jail_state jail_state = {.jail_root = -1, .image_root = -1, .cgroups = {.v2 = -1, .v1 = {-1, -1, -1}}};

// As getdents64(2) lays it out.
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t length;
	uint8_t type;
	char name[];
};

enum op_status jail_find(struct cell *c, struct jail_vm *vm, uint32_t vmm, const wire_vmid id)
{
	vm->dir = -1;
	layout_path(vm->path, vmm, id);
	layout_cgroup(vm->cgroup, vmm, id);
	vm->dir = sys_open_dir(jail_state.jail_root, vm->path);
	if (vm->dir < 0 && errno != ENOENT)
		return cell_fail_errno(c, "open jail", errno);
	return OPS_OK;
}

void jail_done(struct jail_vm *vm)
{
	sys_close(vm->dir);
	vm->dir = -1;
}

int jail_read_record(const struct jail_vm *vm, struct jail_record *record)
{
	ssize_t got = sys_read(vm->dir, JAIL_RECORD, record, sizeof *record);
	if (got < 0)
		return errno == ENOENT ? 0 : -1;
	if (!layout_record_ok(record, (size_t)got)) {
		errno = EBADMSG;
		return -1;
	}
	return 1;
}

int jail_write_record(const struct jail_vm *vm, const struct jail_record *record)
{
	if (sys_unlink(vm->dir, JAIL_RECORD_NEW) < 0 && errno != ENOENT)
		return -1;
	if (sys_create(vm->dir, JAIL_RECORD_NEW, record, sizeof *record) < 0)
		return -1;
	return sys_rename(vm->dir, JAIL_RECORD_NEW, vm->dir, JAIL_RECORD);
}

int jail_each_cgroup(int (*act)(int root, const char *name), const char *name)
{
	int result = act(jail_state.cgroups.v2, name);
	for (int i = 0; i < CGROUP_CONTROLLERS && result == 0; i++)
		if (jail_state.cgroups.v1[i] >= 0)
			result = act(jail_state.cgroups.v1[i], name);
	return result;
}

int jail_names_next(struct jail_names *names, const char **name)
{
	for (;;) {
		if (names->at >= (size_t)names->used) {
			names->used = sys_list(names->dir, names->bytes, sizeof names->bytes, names->again);
			names->again = false;
			names->at = 0;
			if (names->used <= 0)
				return (int)names->used;
		}
		const struct entry *entry = (const void *)(names->bytes + names->at);
		names->at += entry->length;
		*name = entry->name;
		if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
			return 1;
	}
}
