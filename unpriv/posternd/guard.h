// Keeps the kernel as the rows say, whoever else changes it.
//
// What changes there (watch.h) leads to a comparison, a tenth of a second later and at most once a second; so does the passing of a minute.  What
// differs is an event (net.drift), what agrees again one too (net.restored).  Put back is what has a `fix`: bridges, taps, addresses and ports
// that are gone; MTU, MAC, up and bridge of links; forwarding; the firewall's table.  Only reported are: spanning tree and VLAN filtering of a bridge
// that is in use, links of another kind or without our mark under a name of ours, taps that a VM holds, and strays, which the sweep deletes.
//
// Another tool that undoes it again and again isn't fought in a busy loop: each thing is put back three times, then after 1, 2, 4 … 300 s, and
// net.health says so, until it has been left alone for ten minutes.
#ifndef POSTERN_POSTERND_GUARD_H
#define POSTERN_POSTERND_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/drift.h"

#define GUARD_ITEMS 256 // that are told and put back after one comparison; the rest follows after the next

// Begins to compare: the rows have been restored.
void guard_begin(void);
void guard_stop(void);

// Something may have changed.
void guard_poke(void);

// While it is held nothing is compared nor put back: a checkpoint rolls back, and rows and kernel change at their own pace.  Counted.
void guard_hold(void);
void guard_release(void);

// How it was at the last comparison: what differed, NULL before the first one.
const struct drift_list *guard_drift(void);

// The ids of what is fought over, at most `most` of them; returns how many there are.
size_t guard_fights(const char **ids, size_t most);

#endif
