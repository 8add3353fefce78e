// LINK: unpriv/common/vmspec.o
#include "tests/lib/test.h"
#include "unpriv/common/vmspec.h"

static struct vm_spec good(void)
{
	struct vm_spec s = {.magic = VM_SPEC_MAGIC, .version = VM_SPEC_VERSION, .vmm = VM_SPEC_QEMU, .accel = VM_SPEC_TCG, .vcpus = 1, .memory_mib = 256,
			    .cid = 3, .flags = VM_SPEC_VSOCK, .ndisks = 1, .nnets = 1, .cmdline = "console=ttyS0"};
	s.nets[0].mac[0] = 0x52;
	return s;
}

TEST("a spec that is whole is accepted")
{
	struct vm_spec s = good();
	CHECK(vm_spec_check(&s, sizeof s) == NULL);
}

TEST("a spec of another size, magic or version is refused")
{
	struct vm_spec s = good();

	CHECK_STR(vm_spec_check(&s, sizeof s - 1), "not a vm_spec");
	CHECK_STR(vm_spec_check(&s, sizeof s + 1), "not a vm_spec");
	s.magic++;
	CHECK_STR(vm_spec_check(&s, sizeof s), "not a vm_spec");
	s = good(), s.version++;
	CHECK_STR(vm_spec_check(&s, sizeof s), "unknown vm_spec version");
}

#define REFUSES(change, why) \
	do { \
		struct vm_spec s = good(); \
		change; \
		CHECK_STR(vm_spec_check(&s, sizeof s), why); \
	} while (0)

TEST("each field is refused outside its range")
{
	REFUSES(s.vmm = 0, "unknown VMM");
	REFUSES(s.vmm = 2, "unknown VMM");
	REFUSES(s.accel = 3, "unknown accelerator");
	REFUSES(s.vcpus = 0, "vcpus out of range");
	REFUSES(s.vcpus = VM_SPEC_MAX_VCPUS + 1, "vcpus out of range");
	REFUSES(s.memory_mib = VM_SPEC_MIN_MEMORY_MIB - 1, "memory out of range");
	REFUSES(s.memory_mib = VM_SPEC_MAX_MEMORY_MIB + 1, "memory out of range");
	REFUSES(s.flags = 1u << 31, "unknown flag");
	REFUSES(s.ndisks = VM_SPEC_MAX_DISKS + 1, "too many disks");
	REFUSES(s.disks[0].slot = VM_SPEC_MAX_DISKS, "disk out of range");
	REFUSES(s.disks[0].readonly = 2, "disk out of range");
	REFUSES(s.nnets = VM_SPEC_MAX_NETS + 1, "too many network interfaces");
	REFUSES(s.nets[0].mac[0] = 1, "MAC address is not unicast");
}

TEST("a vsock address is 3 or more with vsock, not the wildcard, and 0 without")
{
	for (uint32_t cid = 0; cid < 3; cid++)
		REFUSES(s.cid = cid, "vsock address out of range");
	REFUSES(s.cid = UINT32_MAX, "vsock address out of range");
	REFUSES(s.flags = 0, "vsock address out of range");
}

TEST("two disks can't have one slot")
{
	REFUSES((s.ndisks = 2, s.disks[1].slot = s.disks[0].slot), "disk slot used twice");
}

TEST("a command line without end, with a newline or with another control character is refused")
{
	REFUSES(memset(s.cmdline, 'a', sizeof s.cmdline), "kernel command line is not one printable line");
	REFUSES(strcpy(s.cmdline, "a\nb"), "kernel command line is not one printable line");
	REFUSES(strcpy(s.cmdline, "a\177"), "kernel command line is not one printable line");
}

int main(void)
{
	return test_main();
}
