// A page of one of the kernel's long tables: routes, neighbours.
//
// A dump over a socket of its own, read in slices of half a millisecond between which the loop serves others, however many entries there are; of
// those the lowest of a page stay (lowest.h), as the messages that they came in.  A dump that something changed under is made again.
//
// Where the kernel sends a table in the order of its keys, a dump can stop when a page is full and go on for the next one: in between the kernel
// keeps its place, and a buffer.  What changes then may or may not be seen, as in any listing by pages; what stays is seen once.
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
	// The kernel sends it in the order of the keys, as far as their last '.', and goes on at a key, whatever has changed meanwhile.
	bool goes_on;
};

// Starts a request: its fixed header of len bytes, then attributes.
void rtnl_ask_begin(struct rtnl_ask *q, char first, uint16_t type, const void *header, size_t len);
void rtnl_ask_attr(struct rtnl_ask *q, uint16_t type, const void *data, size_t len);

// The key that sorts an entry, at most LOWEST_KEY with its NUL; false where the message is no entry that is asked for.
typedef bool rtnl_key_fn(const struct nlmsghdr *h, const void *arg, char key[LOWEST_KEY]);

struct scan; // one that runs, or has stopped with a part

struct rtnl_scan {
	struct rtnl_ask asks[4]; // one after the other, `first` rising
	unsigned n_asks;
	rtnl_key_fn *key;
	const void *key_arg;
	void (*begin)(void); // NULL, or called before the first ask, and again before it is made again: for a key function that takes what it sees
	size_t keep;
	const char *after; // cursor, or NULL; must outlive the scan
	void *arg;         // of done
	// Called once, later; `page` is sorted and gone after it.  err 0, or an errno: EBUSY where the table changed under every try.
	void (*done)(struct lowest *page, int err, void *arg);

	size_t enough; // 0: read to the end; else stop when so many are there, where a dump goes on; keep is 2048 more at least
	// Called instead of done() with that many or more: `page` may be taken away, and `rest` goes on with rtnl_scan_resume() or ends with
	// rtnl_scan_drop().
	void (*part)(struct lowest *page, struct scan *rest, void *arg);
};

// Starts it, or queues it behind others; copies *s.
void rtnl_scan_start(const struct rtnl_scan *s);

// Of entries that came in order: has everything come that sorts before the n'th, counted from 1, whatever order the last field says?
bool rtnl_scan_complete(const struct lowest *page, size_t n);

// Goes on as *s says, whose asks are the same.  Takes over the entries of `page`: the one that was shown last, and what came behind it.
void rtnl_scan_resume(struct scan *rest, struct lowest *page, const struct rtnl_scan *s);
void rtnl_scan_drop(struct scan *rest);

// Drops every scan but those that have stopped with a part; their done() isn't called.
void rtnl_scan_stop(void);

#endif
