// What fw_commit and fw_change share: records of a caller's memfd, and transactions.
#ifndef HELPER_NET_FW_IMPL_H
#define HELPER_NET_FW_IMPL_H

#include "helper/net/fw.h"

// What is in the table, as far as this cell knows.
struct fw_present {
	bool known;
	uint32_t items;
};
extern struct fw_present fw_present;

extern unsigned fw_commits; // of ours since the last look at other tables

// Calls each with records `from` to `from` + `count`, until it fails.
typedef enum op_status fw_each_record(struct cell *c, const struct fw_record *r, void *arg);
enum op_status fw_records(struct cell *c, int fd, uint32_t from, uint32_t count, fw_each_record *each, void *arg);

// Each for fw_records: checks a record and adds the items that it becomes to *(size_t *)arg.  One that goes may be one that policy no longer allows.
enum op_status fw_check(struct cell *c, const struct fw_record *r, void *arg);
enum op_status fw_check_gone(struct cell *c, const struct fw_record *r, void *arg);

// Puts a record's elements into a transaction, or takes them out: NFT_MSG_NEWSETELEM, DELSETELEM.
void fw_put_items(struct fw_batch *b, uint16_t type, const struct policy_net *net, const struct fw_set *s, const struct fw_record *r);

// For fw_records: adds a record to the transaction *(struct fw_batch *)arg.
enum op_status fw_add(struct cell *c, const struct fw_record *r, void *arg);

// Room for a transaction of so many items beside the frame; b->buf is to be freed.
enum op_status fw_make_room(struct cell *c, struct fw_batch *b, size_t items);

// Ends and sends it.
enum op_status fw_transact(struct cell *c, struct fw_batch *b);

// Ends the connections of what went, and sees to those of what came; returns how many ended.
uint32_t fw_end_flows(struct cell *c, int fd, uint32_t from, uint32_t removes, uint32_t adds);

#endif
