// Connection tracking's messages.
#ifndef HELPER_NET_CT_H
#define HELPER_NET_CT_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/helper.h"

// One entry of a dump; the pointers lead into its message.
struct ct_entry {
	struct ct_record r;
	const struct nlattr *orig, *zone, *id; // what names it to the kernel; zone: NULL in zone 0
};

// Takes an entry's message apart.  False where it is no entry, or one that isn't whole.
bool ct_parse(const struct nlmsghdr *h, struct ct_entry *e);

// Takes one processor's counters apart.  False where the message holds none.
bool ct_parse_cpu(const struct nlmsghdr *h, struct ct_cpu *cpu);

// True when the entry fits everything that is asked for.
bool ct_fits(const struct ct_record *r, const struct op_conntrack_flush_args *asked);

// Begins a message of connection tracking in buf: header, family (AF_…).
struct nlmsghdr *ct_begin(void *buf, uint8_t type, uint16_t flags, uint8_t family);

// Asks for a dump, in buf of CT_ASK_MAX bytes, of what is asked for: by family, and by zone where the kernel can.  What it sends beside that
// doesn't pass ct_fits().
#define CT_ASK_MAX 128u
struct nlmsghdr *ct_ask(void *buf, const struct op_conntrack_flush_args *asked);

#endif
