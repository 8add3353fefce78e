// Talking to rtnetlink: one message at a time, built by libnl from typed fields, each answer checked for its sequence number.
#ifndef HELPER_NET_RTNL_H
#define HELPER_NET_RTNL_H

#include <netlink/msg.h>
#include <stdbool.h>
#include <stdint.h>

#define MARK     "postern:" // how the alias of each link of ours begins
#define MARK_MAX 128        // bytes of an alias, with its NUL

// A link as the kernel shows it.
struct rtnl_link_info {
	uint32_t index;
	char name[16];
	char kind[16];        // "bridge", "veth", "tun"; empty: hardware
	char alias[MARK_MAX]; // cut off behind that
};

// True when the link carries our mark.
bool rtnl_marked(const struct rtnl_link_info *l);

// A message with its family header, for rtnl_do().  Returns NULL without memory; rtnl_do() frees it.
struct nl_msg *rtnl_link_msg(int type, int flags, uint32_t index);

// A question for one link, or, with index 0, for all or one by name; without counters, which cost more than everything else.
struct nl_msg *rtnl_ask_link(uint32_t index);

// Adds the link's alias: our mark, kind and, where it isn't NULL or empty, what it is for.
int rtnl_put_mark(struct nl_msg *m, const char *kind, const char *purpose);

// Sends m with NLM_F_ACK, waits for its acknowledgement, frees m.  Returns 0 or -errno; -ENOMEM where m is NULL or broken.
int rtnl_do(struct nl_msg *m, int broken);

// Sends both in one datagram, so that the kernel does both or was asked for neither, whoever is killed meanwhile; frees them.  The second is
// carried out even where the first fails.  Returns the first one's error, else the second's.
int rtnl_do_both(struct nl_msg *first, struct nl_msg *second, int broken);

// Looks a link up by its exact name.  Returns 0, or -ENODEV, or another -errno.
int rtnl_find(const char *name, struct rtnl_link_info *out);

// The same by its index.
int rtnl_find_index(uint32_t index, struct rtnl_link_info *out);

// Sends m, a question with one answer, and frees it.  Returns 0 with *answer, good until the next call, or -errno.
int rtnl_get(struct nl_msg *m, int broken, struct nlmsghdr **answer);

// Sends m as a dump and calls each() for every message of the answer; frees m.  Returns 0 or -errno.
int rtnl_dump(struct nl_msg *m, void (*each)(struct nlmsghdr *h, void *arg), void *arg);

// Reads what a link message says.  Returns false where it isn't one or its attributes make no sense.
bool rtnl_link_parse(struct nlmsghdr *h, struct rtnl_link_info *out);

#endif
