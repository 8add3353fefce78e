// Names only; nothing here touches the system. Linked into the jail and the spawn cell.
#include "helper/jail/layout.h"

#include <stdio.h>
#include <string.h>

const char *layout_vmm(uint32_t vmm)
{
	static const char *const names[VMM_MAX + 1] = {
	    [VMM_CLOUD_HYPERVISOR] = "cloud-hypervisor",
	    [VMM_FIRECRACKER] = "firecracker",
	    [VMM_QEMU] = "qemu",
	};
	return names[vmm];
}

const char *layout_slot(uint32_t slot)
{
	static const char *const names[JAIL_SLOTS] = {"kernel", "initrd", "disk0", "disk1", "disk2", "disk3", "disk4", "disk5", "disk6", "disk7"};
	return names[slot];
}

void layout_path(char path[static JAIL_NAME_SIZE], uint32_t vmm, const wire_vmid id)
{
	snprintf(path, JAIL_NAME_SIZE, "%s/%s", layout_vmm(vmm), id);
}

void layout_cgroup(char name[static JAIL_NAME_SIZE], uint32_t vmm, const wire_vmid id)
{
	snprintf(name, JAIL_NAME_SIZE, "%s@%s", layout_vmm(vmm), id);
}

bool layout_record_ok(const struct jail_record *record, size_t size)
{
	if (size != sizeof *record || record->magic != JAIL_RECORD_MAGIC || !record->uid)
		return false;
	for (size_t i = 0; i < JAIL_SLOTS; i++) {
		const struct jail_given *given = &record->given[i];
		if (given->used && (!memchr(given->path, '\0', sizeof given->path) || !wire_relpath_ok(given->path)))
			return false;
	}
	return true;
}
