// What the handlers of net.* share.
#ifndef POSTERN_POSTERND_RPC_NET_H
#define POSTERN_POSTERND_RPC_NET_H

#include <stdbool.h>

#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/request.h"

// Notes the time from which uptime counts.
void rpc_net_started(void);

// Reads the kernel's view into the request's arena; false after it has answered the failure.
bool net_read_view(struct request *rq, struct net_view *v);

#endif
