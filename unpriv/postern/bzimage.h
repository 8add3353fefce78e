// Looks into kernel files: an x86 bzImage's payload, and whether a vmlinux can be booted by PVH.
#ifndef POSTERN_UNPRIV_POSTERN_BZIMAGE_H
#define POSTERN_UNPRIV_POSTERN_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct payload {
	size_t off, len;  // in the file, without the length that the kernel's build appends
	const char *tool; // that decompresses it with -dc
	const char *package;
};

// Finds the compressed kernel in a bzImage (Documentation/arch/x86/boot.rst, protocol 2.08 and later).  False: it is none, or is packed
// by something unknown.
bool bzimage_payload(const uint8_t *image, size_t len, struct payload *p);

// True for a 64-bit ELF file with the Xen note PHYS32_ENTRY (18), which is what a VMM enters by PVH.
bool vmlinux_has_pvh(const uint8_t *file, size_t len);

#endif
