// Talking nfnetlink: dumps, and the answer to a batch.
#ifndef HELPER_NET_NFNL_H
#define HELPER_NET_NFNL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helper/net/sys.h"

// Begins a request in buf (NFNL_REQUEST bytes): subsystem NFNL_SUBSYS_…, message, family.  Attributes may follow.
#define NFNL_REQUEST 1024u
struct nlmsghdr *nfnl_request(char *buf, uint8_t subsystem, uint8_t message, uint8_t family, uint16_t flags);

// Sends a request with NLM_F_DUMP and calls each(arg, message) for what comes.  0; -EINTR where the list changed meanwhile, so that it may be
// incomplete; or what the kernel said.
typedef void nfnl_each(void *arg, const struct nlmsghdr *h);
int nfnl_dump(enum sys_socket s, struct nlmsghdr *request, nfnl_each *each, void *arg);

// Sends a request and hands its one answer to each; 0 or what the kernel said.
int nfnl_get(enum sys_socket s, struct nlmsghdr *request, nfnl_each *each, void *arg);

// Sends a batch of messages, one of them with NLM_F_ACK, and waits for the verdict: 0 when all of it happened.
int nfnl_commit(const char *buf, size_t len, unsigned last_seq);

// Reads away what an earlier request left unread: it would be taken for the next one's answer.
void nfnl_drain(enum sys_socket s);

#endif
