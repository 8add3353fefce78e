// Pages of the kernel's long tables, many from one dump.
//
// Where the kernel sends a table in the order of its keys, a dump stops when a page is full, and goes on for the next one.  Where it doesn't, a
// dump costs as much for its last page as for its first: so one for any page keeps 10,000 entries, and the pages that follow are cut from those.
// Both are held for five seconds, and four at most; a listing's first page is always a new dump, and one that was read to its end isn't held.
#ifndef POSTERN_POSTERND_RTNL_WINDOW_H
#define POSTERN_POSTERND_RTNL_WINDOW_H

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/rtnl_scan.h"

// As rtnl_scan_start(), and may call done() at once.  Listings are the same when their asks and their key function are; what else the key
// function goes by must follow from the asks.  s->keep is one more than is shown of a page: the next one begins behind the last that is shown.
// The arena lives until then.
void rtnl_window_page(const struct rtnl_scan *s, struct arena *a);

// Drops what is held.
void rtnl_window_stop(void);

#endif
