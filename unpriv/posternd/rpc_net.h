// What the handlers of net.* share.
#ifndef POSTERN_POSTERND_RPC_NET_H
#define POSTERN_POSTERND_RPC_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/request.h"

// Notes the time from which uptime counts.
void rpc_net_started(void);

// Reads the kernel's view into the request's arena; false after it has answered the failure.
bool net_read_view(struct request *rq, struct net_view *v);

// The source translations that the caller may see.
struct list_snat nat_list(struct request *rq);

// For lists that may be long: sets the limit where the client gave none, and returns how many elements a page of it takes, which is one more,
// so that next_cursor follows where there are more.
size_t net_page_keep(struct request *rq);

// Answers that a scan of such a list failed.
void net_page_failed(struct request *rq, int err, const char *what);

// The name of a family, AF_….
const char *net_family_name(uint8_t family);

// An address in network byte order as text.
const char *net_ip_text(uint8_t family, const uint8_t *addr, struct arena *a);

#endif
