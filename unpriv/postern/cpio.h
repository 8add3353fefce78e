// Writes cpio archives in the newc format that the kernel takes as an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
#ifndef POSTERN_UNPRIV_POSTERN_CPIO_H
#define POSTERN_UNPRIV_POSTERN_CPIO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct cpio {
	FILE *out;
	uint32_t ino; // of the last entry
};

// Adds an entry of root's: mode with its file type, name without a leading slash, data of a file or symlink, NULL for a directory.
void cpio_add(struct cpio *c, const char *name, mode_t mode, const void *data, size_t len);

// Adds the trailer.
void cpio_end(struct cpio *c);

#endif
