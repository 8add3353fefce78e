// /proc/self/mountinfo, as proc_pid_mountinfo(5) describes it.
#ifndef POSTERN_POSTERND_MOUNTINFO_H
#define POSTERN_POSTERND_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "unpriv/posternd/mem.h"

struct words {
	size_t n;
	const char **v;
};

struct mountinfo {
	long id, parent;
	const char *device;   // "major:minor"
	const char *root;     // path inside the file system
	const char *target;   // where it is mounted
	struct words options; // of the mount
	struct words tags;    // "shared:1", "master:2" …
	const char *fstype, *source;
	struct words super; // options of the file system
};

struct mountinfos {
	size_t n;
	struct mountinfo *v;
};

// Reads a whole mountinfo text in the arena; octal escapes are resolved.  Lines that aren't of that form are left out.
void mountinfo_parse(const char *text, size_t len, struct arena *a, struct mountinfos *out);

// Reads this process's.  Returns 0 or an errno.
int mountinfo_read(struct arena *a, struct mountinfos *out);

// The topmost mount at a path, or NULL.
const struct mountinfo *mountinfo_at(const struct mountinfos *m, const char *target);

#endif
