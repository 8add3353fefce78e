// What a VM was asked to be: read from the parameters of compute.vm.create with every default filled in, kept as JSON in the store.
#ifndef POSTERN_POSTERND_VM_DESC_H
#define POSTERN_POSTERND_VM_DESC_H

#include <stdbool.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

#define VM_DISKS_MAX 8
#define VM_NETS_MAX  3

struct vm_desc_disk {
	const char *path; // below the image root, tenant's directory included
	bool readonly;
};

struct vm_desc_net {
	const char *bridge, *tap; // NULL: none
	const char *mac;
	bool nat;
};

// Texts live in the arena that the description was made in.
struct vm_desc {
	int64_t vcpus, memory_mib;
	const char *kernel, *initramfs; // below the image root; initramfs may be NULL
	const char *cmdline;            // complete
	unsigned ndisks, nnets;
	struct vm_desc_disk disks[VM_DISKS_MAX];
	struct vm_desc_net nets[VM_NETS_MAX];
	struct kv_map labels;
	bool vsock, console, autostart;
	int64_t cpu_percent, memory_max_mib, pids_max; // 0: none
};

struct vm_defaults {
	const char *kernel, *initramfs, *image; // below the image root
};

// Fills it in from a create's parameters.  Returns NULL, or what is wrong: "name: what was given and what is allowed".
const char *vm_desc_read(struct vm_desc *d, const struct rpc_vm_create_params *p, const char *tenant, const struct vm_defaults *def, struct arena *a);

// As JSON text in the arena, always written the same way: two descriptions are equal if their texts are.
const char *vm_desc_text(const struct vm_desc *d, struct arena *a);

// Back from that text; false where it isn't one.
bool vm_desc_parse(struct vm_desc *d, const char *text, struct arena *a);

#endif
