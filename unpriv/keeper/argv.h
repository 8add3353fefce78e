// argv: the command line of a VMM, built from a vm_spec without touching the system.
#ifndef POSTERN_UNPRIV_KEEPER_ARGV_H
#define POSTERN_UNPRIV_KEEPER_ARGV_H

#include <stdbool.h>
#include <stddef.h>

#include "unpriv/common/vmspec.h"

#define ARGV_MAX   96
#define ARGV_BYTES 8192

// Fds as the VMM will see them. vsock is -1 without a backend.
struct vmm_fds {
	int serial;
	int vsock;
	int taps[VM_SPEC_MAX_NETS];
};

struct argv {
	char *v[ARGV_MAX + 1]; // ends with NULL, ready for execve; points into bytes[]
	size_t count;
	char bytes[ARGV_BYTES];
	size_t used;
	bool full; // something did not fit: v[] is not to be used
};

// argv_qemu fills `argv` for QEMU; false when it does not fit.
bool argv_qemu(struct argv *argv, const struct vm_spec *spec, const struct vmm_fds *fds);

#endif
