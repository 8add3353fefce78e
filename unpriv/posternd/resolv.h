// resolv.conf, as resolv.conf(5) and the C library read it.
#ifndef POSTERN_POSTERND_RESOLV_H
#define POSTERN_POSTERND_RESOLV_H

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

struct resolv {
	struct list_str nameservers, search, options;
};

// Parses a whole file's text into the arena; lines that say nothing of these are passed over.
void resolv_parse(const char *text, size_t len, struct arena *a, struct resolv *out);

// Reads a file, by its descriptor from the beginning or by its path; at most 64 KiB of it.  Return 0 or an errno.
int resolv_read_fd(int fd, struct arena *a, struct resolv *out);
int resolv_read(const char *path, struct arena *a, struct resolv *out);

#endif
