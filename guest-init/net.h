// Hostname, loopback, addresses, routes and resolver, once, at boot.
#ifndef POSTERN_GUEST_INIT_NET_H
#define POSTERN_GUEST_INIT_NET_H

#include "guest-init/config.h"

// Sets up what c asks for; without anything in c, the loopback alone.  Each failure is said on the console and survived.
void net_up(const struct config *c);

#endif
