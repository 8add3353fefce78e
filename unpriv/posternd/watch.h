// Hears from the kernel that something of ours may have changed, and pokes the guard.
//
// Links, addresses and forwarding by rtnetlink's groups, which need no privilege; the firewall by a socket that the helper put into nftables'
// group and passed here (operation event_socket).  Messages that the kernel had to drop (ENOBUFS) count as a change: the comparison that follows
// looks at everything anyway.
#ifndef POSTERN_POSTERND_WATCH_H
#define POSTERN_POSTERND_WATCH_H

#include <stdbool.h>

bool watch_start(void);

// A new helper has said hello: asks it for its event socket.
void watch_helper(void);

void watch_stop(void);

#endif
