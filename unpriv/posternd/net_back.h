// Puts back what belongs to a link, when the link comes back.
#ifndef POSTERN_POSTERND_NET_BACK_H
#define POSTERN_POSTERND_NET_BACK_H

#include <stdbool.h>

// Watches the kernel's links and addresses: what a link that went down, or an address that went, took along of routes is added again when it is back.
// False with errno.
bool net_back_start(void);
void net_back_stop(void);

// A bridge is there again: its ports join it and its routes come back; then ended(arg) is called.
void net_back_bridge(const char *bridge, void (*ended)(void *arg), void *arg);

#endif
