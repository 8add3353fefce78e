// The one judge of a vm_spec: posternd asks it before sending, the keeper after receiving.
#include "unpriv/common/vmspec.h"

#include <stdbool.h>
#include <string.h>

static bool printable_line(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);
	if (!end)
		return false;
	for (const char *p = text; p < end; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

static const char *check_disks(const struct vm_spec *spec)
{
	unsigned seen = 0;
	if (spec->ndisks > VM_SPEC_MAX_DISKS)
		return "too many disks";
	for (uint32_t i = 0; i < spec->ndisks; i++) {
		const struct vm_spec_disk *disk = &spec->disks[i];
		if (disk->slot >= VM_SPEC_MAX_DISKS || disk->readonly > 1)
			return "disk out of range";
		if (seen & 1u << disk->slot)
			return "disk slot used twice";
		seen |= 1u << disk->slot;
	}
	return NULL;
}

static const char *check_nets(const struct vm_spec *spec)
{
	if (spec->nnets > VM_SPEC_MAX_NETS)
		return "too many network interfaces";
	for (uint32_t i = 0; i < spec->nnets; i++)
		if (spec->nets[i].mac[0] & 1) // IEEE 802: the group bit
			return "MAC address is not unicast";
	return NULL;
}

const char *vm_spec_check(const struct vm_spec *spec, size_t size)
{
	if (size != sizeof *spec || spec->magic != VM_SPEC_MAGIC)
		return "not a vm_spec";
	if (spec->version != VM_SPEC_VERSION)
		return "unknown vm_spec version";
	if (spec->vmm != VM_SPEC_QEMU)
		return "unknown VMM";
	if (spec->accel != VM_SPEC_TCG && spec->accel != VM_SPEC_KVM)
		return "unknown accelerator";
	if (spec->vcpus < 1 || spec->vcpus > VM_SPEC_MAX_VCPUS)
		return "vcpus out of range";
	if (spec->memory_mib < VM_SPEC_MIN_MEMORY_MIB || spec->memory_mib > VM_SPEC_MAX_MEMORY_MIB)
		return "memory out of range";
	if (spec->flags & ~(uint32_t)VM_SPEC_ALL_FLAGS)
		return "unknown flag";
	if (spec->flags & VM_SPEC_VSOCK ? spec->cid < 3 || spec->cid == UINT32_MAX : spec->cid != 0)
		return "vsock address out of range"; // vsock(7): 0 to 2 and VMADDR_CID_ANY are reserved
	if (!printable_line(spec->cmdline, sizeof spec->cmdline))
		return "kernel command line is not one printable line";
	const char *wrong = check_disks(spec);
	return wrong ? wrong : check_nets(spec);
}
