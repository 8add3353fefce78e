// A page of one of the kernel's long tables: routes, neighbours.
//
// A dump over a socket of its own, read in slices of half a millisecond between which the loop serves others, however many entries there are; of
// those the lowest of a page stay (lowest.h), as the messages that they came in.  A dump that something changed under is made again.
#ifndef POSTERN_POSTERND_RTNL_SCAN_H
#define POSTERN_POSTERND_RTNL_SCAN_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "unpriv/posternd/lowest.h"

// A dump to ask for.  Its entries' keys begin with `first`.
struct rtnl_ask {
	struct nlmsghdr h;
	char payload[60];
	char first;
};

// Starts a request: its fixed header of len bytes, then attributes.
void rtnl_ask_begin(struct rtnl_ask *q, char first, uint16_t type, const void *header, size_t len);
void rtnl_ask_attr(struct rtnl_ask *q, uint16_t type, const void *data, size_t len);

// The key that sorts an entry, at most LOWEST_KEY with its NUL; false where the message is no entry that is asked for.
typedef bool rtnl_key_fn(const struct nlmsghdr *h, const void *arg, char key[LOWEST_KEY]);

struct rtnl_scan {
	struct rtnl_ask asks[2]; // one after the other, `first` rising
	unsigned n_asks;
	rtnl_key_fn *key;
	const void *key_arg;
	size_t keep;
	const char *after; // cursor, or NULL; must outlive the scan
	void *arg;         // of done
	// Called once, later; `page` is sorted and gone after it.  err 0, or an errno: EBUSY where the table changed under every try.
	void (*done)(struct lowest *page, int err, void *arg);
};

// Starts it, or queues it behind others; copies *s.
void rtnl_scan_start(const struct rtnl_scan *s);

// Drops every scan; their done() isn't called.
void rtnl_scan_stop(void);

#endif
