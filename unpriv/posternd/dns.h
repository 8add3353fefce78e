// How the host resolves names.
#ifndef POSTERN_POSTERND_DNS_H
#define POSTERN_POSTERND_DNS_H

#include "unpriv/posternd/resolv.h"

// path: where /etc/resolv.conf leads.  err 0, or an errno: then r says nothing.
typedef void dns_done(void *arg, const char *path, const struct resolv *r, int err);

// Reads it into the arena and calls done, at once or later.
void dns_read(struct arena *a, dns_done *done, void *arg);

#endif
