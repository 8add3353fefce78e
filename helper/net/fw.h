// Checking and building the firewall's one table.
#ifndef HELPER_NET_FW_H
#define HELPER_NET_FW_H

#include <stdbool.h>
#include <stddef.h>

#include "helper/common/policy.h"

#define FW_RULE_MAX 1024u // bytes of netlink message that one rule takes at most

// Checks one record of a caller's memfd: NULL, or what is wrong.  Sets *denied where policy, not form, says no.
const char *fw_record_wrong(const struct policy_net *net, const struct fw_record *r, bool *denied);

// Rules that a record becomes: one, or one for each uplink.
size_t fw_rules(const struct policy_net *net, const struct fw_record *r);

// A transaction being written.
struct fw_batch {
	char *buf;
	size_t cap, len;
	unsigned seq; // of the next message; the first one has 1
};

// Begins: the table as it was goes.  with_chain: it comes back with an empty postrouting chain.  False where it doesn't fit.
bool fw_begin(struct fw_batch *b, bool with_chain);

// Adds the rules of one record.
bool fw_add(struct fw_batch *b, const struct policy_net *net, const struct fw_record *r);

// Ends it; the batch is then ready to send.
bool fw_end(struct fw_batch *b);

#endif
