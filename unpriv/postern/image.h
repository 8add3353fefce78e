// Images on this host: where they are, and the verbs that make them.
//
// <image root>/<tenant>/NAME.ext4 is the image NAME; kernel, initrd and root.ext4 in there are the default bundle.  All are mode 0444: VMs
// run as uids of their own and get them bound read-only.
#ifndef POSTERN_UNPRIV_POSTERN_IMAGE_H
#define POSTERN_UNPRIV_POSTERN_IMAGE_H

#include <stdbool.h>

#include "unpriv/postern/files.h"

struct image_options {
	const char *root;      // --image-root, else the policy's, else the built-in default
	const char *tenant;    // --tenant
	const char *init;      // --init: the postern-init to bake in
	const char *name;      // --name of a kernel
	long size_mib;         // --size; 0: as large as the content wants
	bool force;            // --force: replace what is there
	char dir[FILES_PATH];  // <image root>/<tenant>, made
	char work[FILES_PATH]; // scratch directory in there, removed by image_done()
};

// The file of an image or of a kernel's part: <dir>/<name><suffix>.  False after a message when the name is none.
bool image_file(const struct image_options *o, const char *name, const char *suffix, char out[FILES_PATH]);

// Makes <name>.ext4 from a directory or a tar archive, with postern-init and mount points in it.  Exit code.
int image_import(struct image_options *o, const char *name, const char *source);

// Makes kernel and initrd (or NAME.kernel and NAME.initrd) from a Debian kernel package or its unpacked tree.  Exit code.
int image_kernel(struct image_options *o, const char *source);

// Makes the default bundle: a busybox root, and the kernel of `package`, or of Debian's cloud kernel, downloaded, when NULL.  Exit code.
int image_default(struct image_options *o, const char *package);

// postern-init's file: --init, else beside this program, else where it is installed.  False after a message when there is none.
bool image_find_init(const struct image_options *o, char out[FILES_PATH]);

#endif
