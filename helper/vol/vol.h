// vol: what the vol cell holds for life, and what its operations share.
#ifndef HELPER_VOL_VOL_H
#define HELPER_VOL_VOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/common/cell.h"

#define VOL_DEVICE_SIZE 272 // "/dev/" and a relative path, with NUL

struct vol_state {
	int mount_root; // -1: the policy names none
	int dev;        // /dev
};

extern struct vol_state vol_state;

// A block device, pinned.
struct vol_source {
	int fd; // O_PATH
	dev_t device;
	char path[VOL_DEVICE_SIZE]; // canonical name: /dev/sda1
};

// source_open finds the device that policy allows and the request names below /dev. Failures are noted. The caller closes source->fd.
enum op_status source_open(struct cell *c, struct vol_source *source, const wire_relpath name);

// source_same says whether the canonical name still leads to the pinned device.
bool source_same(const struct vol_source *source);

// source_canonical resolves one link of /dev by its text: `name` is where it stood, `link` what it says, both below /dev. Writes the name below /dev
// to `out`, or answers false: the link leaves /dev, or says something that no device manager writes.
bool source_canonical(char out[static sizeof(wire_relpath)], const char *name, const char *link);

// target_open opens the directory below the mount root, making what is missing when `create`. The parent directory's descriptor goes to *parent
// unless it is NULL, its last component to *leaf. Answers an O_PATH descriptor, or -1 with errno.
int target_open(const char *path, bool create);
int target_open_parent(const char *path, const char **leaf);

// A mount as the kernel lists it.
struct vol_mount {
	char fstype[16];
	char source[VOL_DEVICE_SIZE];
	char options[256]; // of the mount, not of the file system: "rw,nosuid,nodev"
};

// mountinfo_find looks for a mount in the text that `read` gives: 1 found, 0 not there, -1 with errno.
int mountinfo_find(int fd, uint64_t id, struct vol_mount *found);

// mountinfo_line takes one line apart; false when it isn't one of the mount `id`.
bool mountinfo_line(char *line, uint64_t id, struct vol_mount *found);

#endif
