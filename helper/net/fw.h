// What the files of the firewall share.  Table inet postern is ours alone, and all of it comes from records (proto/helper.h):
//
//   sets and maps     fw_set.c: a record is one element
//   chains            fw_table.c
//   rules             fw_rule.c: a fixed list that looks into the sets, and one for each allow rule that fits no set
//   transactions      fw_batch.c, sent by fw.c: fw_commit (all of it anew), fw_change (a few elements)
//   reading it back   fw_list.c
#ifndef HELPER_NET_FW_H
#define HELPER_NET_FW_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "helper/common/cell.h"
#include "helper/net/fw_set.h"

#define FW_ITEM_MAX 1024u // bytes of netlink message that one element, rule, set or chain takes at most

struct nftnl_rule;
struct nlattr;

// ---- records (fw_record.c) ----

// Checks one record of a caller's memfd: NULL, or what is wrong.  Sets *denied where policy, not form, says no.
const char *fw_record_wrong(const struct policy_net *net, const struct fw_record *r, bool *denied);

// Elements and rules that a record becomes: one, or one for each uplink.
size_t fw_items(const struct policy_net *net, const struct fw_record *r);

// ---- rules (fw_rule.c) ----

// Makes the i-th of the fixed rules; NULL behind the last one (or without memory).  The caller frees it.
struct nftnl_rule *fw_fixed_rule(unsigned i);

// Makes the rule of a record that is in no set; its userdata carry the record.
struct nftnl_rule *fw_record_rule(const struct fw_record *r);

// The record in a rule's userdata; false where there is none.
bool fw_rule_record(const struct nftnl_rule *rule, struct fw_record *r);

// True when both rules do the same: expressions and chain.
bool fw_rule_same(const struct nftnl_rule *a, const struct nftnl_rule *b);

// ---- a transaction being written (fw_batch.c) ----

struct fw_batch {
	char *buf;
	size_t cap, len;
	unsigned seq; // of the next message; the first one has 1
	bool full;    // something didn't fit, or there was no memory: all that follows is passed over
	bool asked;   // an acknowledgement is asked for, of the first message that changes something

	struct nlmsghdr *open;          // message that elements are still put into, or NULL
	struct nlattr *list;            // its list of elements
	uint16_t open_type;             // of it
	const struct fw_set *open_set;  // of it
};

// Begins and ends it.  cap must hold FW_ITEM_MAX for each item and message, these two among them.
void fw_begin(struct fw_batch *b);
void fw_end(struct fw_batch *b);

// A message about the table, NFT_MSG_NEWTABLE or DELTABLE.
void fw_put_table(struct fw_batch *b, uint16_t type, uint16_t flags);

// A rule: NFT_MSG_NEWRULE at the end of its chain, or NFT_MSG_DELRULE by its handle.
void fw_put_rule(struct fw_batch *b, uint16_t type, const struct nftnl_rule *r);

// An element: NFT_MSG_NEWSETELEM or DELSETELEM.
void fw_put_elem(struct fw_batch *b, uint16_t type, const struct fw_set *s, const struct fw_elem *e, const char *comment);

// For other messages: room for one (NULL: full) with its header, and its end.
struct nlmsghdr *fw_message(struct fw_batch *b, uint16_t type, uint16_t flags);
void fw_message_done(struct fw_batch *b, const struct nlmsghdr *h);

// ---- the empty table (fw_table.c) ----

#define FW_FRAME_ITEMS 112u // items that fw_put_frame() puts at most

struct fw_chain {
	const char *name, *type;
	uint32_t hook;
	int32_t priority;
};

#define FW_CHAINS 5u
extern const struct fw_chain fw_chains[FW_CHAINS];

// Chains, sets and fixed rules.
void fw_put_frame(struct fw_batch *b, const struct policy_net *net);

// ---- reading (fw_list.c) ----

// Called with each element or rule of ours; handle: of a rule, 0 for an element.
typedef void fw_each(void *arg, const struct fw_record *r, uint64_t handle);

struct fw_found {
	bool present;     // there is a table
	uint32_t items;   // of ours
	uint32_t foreign; // sets, chains, rules, elements that aren't
	uint32_t missing; // of what fw_put_frame() makes
};

// Reads the whole table.  0, or a negative errno value.
int fw_read(const struct policy_net *net, struct fw_found *f, fw_each *each, void *arg);

// Reads only the rules that carry records.
int fw_read_rules(const struct policy_net *net, fw_each *each, void *arg);

// ---- somebody else's chains (fw_foreign.c) ----

struct fw_foreign {
	char forward[128], input[128]; // family, table and chain that drops by default; empty: none
};

// Looks for them, unless the ruleset has only been changed since by `ours` transactions of this cell.  0, or a negative errno value.
int fw_foreign(struct fw_foreign *f, unsigned ours);

#endif
