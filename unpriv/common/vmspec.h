// vm_spec: what one VM is, handed from posternd to postern-keeper through the helper.
//
// posternd fills this struct, writes it into a memfd, seals the memfd (write, grow, shrink, seal) and passes it with jail_spawn; the keeper finds it
// at fd 3 and the taps at fds 4, 5, 6 in the order of nets[]. The helper checks the seals and the size limit and never looks inside: what a VMM is
// made of is no business of a process that holds a capability. Kernel, initrd and disks have no path here: they are where jail_give bound them,
// /vm/kernel, /vm/initrd and /vm/disk0 to /vm/disk7.
//
// The struct is plain data of this machine's byte order, its bytes that no field needs are zero, and it says its own version: posternd and the
// keepers of VMs that outlived an upgrade never read each other's struct, since a spec is read once, at start.
#ifndef POSTERN_UNPRIV_COMMON_VMSPEC_H
#define POSTERN_UNPRIV_COMMON_VMSPEC_H

#include <stddef.h>
#include <stdint.h>

#define VM_SPEC_MAGIC          0x6d767470u // "ptvm", little-endian
#define VM_SPEC_VERSION        1u
#define VM_SPEC_MAX_DISKS      8u
#define VM_SPEC_MAX_NETS       3u
#define VM_SPEC_MAX_VCPUS      64u
#define VM_SPEC_MIN_MEMORY_MIB 64u
#define VM_SPEC_MAX_MEMORY_MIB (1024u * 1024u)
#define VM_SPEC_CMDLINE_SIZE   2048u // the length limit of the x86 kernel's command line, with its NUL

enum vm_spec_vmm { VM_SPEC_QEMU = 1 };
enum vm_spec_accel { VM_SPEC_TCG = 1, VM_SPEC_KVM = 2 };

enum vm_spec_flag {
	VM_SPEC_VSOCK = 1u << 0,  // start postern-vsock and give the guest a vsock device
	VM_SPEC_INITRD = 1u << 1, // /vm/initrd is there
};
#define VM_SPEC_ALL_FLAGS (VM_SPEC_VSOCK | VM_SPEC_INITRD)

struct vm_spec_disk {
	uint32_t slot;     // n of /vm/diskn; the guest sees its disks in the order of disks[]
	uint32_t readonly; // 0 or 1
};

struct vm_spec_net {
	uint8_t mac[6]; // unicast
	uint8_t zero[2];
};

struct vm_spec {
	uint32_t magic, version;
	uint32_t vmm;   // enum vm_spec_vmm
	uint32_t accel; // enum vm_spec_accel
	uint32_t vcpus;
	uint32_t memory_mib;
	uint32_t cid;   // guest's vsock address, 3 or more; 0 without VM_SPEC_VSOCK
	uint32_t flags; // enum vm_spec_flag
	uint32_t ndisks, nnets;
	struct vm_spec_disk disks[VM_SPEC_MAX_DISKS];
	struct vm_spec_net nets[VM_SPEC_MAX_NETS];
	char cmdline[VM_SPEC_CMDLINE_SIZE]; // kernel command line, NUL-terminated
};

// vm_spec_check says what is wrong with the `size` bytes at `spec`, in a sentence without a full stop, or NULL when they are a spec that a keeper
// accepts.
const char *vm_spec_check(const struct vm_spec *spec, size_t size);

#endif
