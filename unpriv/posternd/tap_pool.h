// Taps that are made in advance: named, there and up, without bridge or owner.
//
// They have no rows: their alias says what they are, and the next daemon takes over those that it finds.  Who needs a tap acquires one, which is
// quicker than making it; a tap that is released is deleted, for whoever had it may still hold it open, and another is made in its place.
#ifndef POSTERN_POSTERND_TAP_POOL_H
#define POSTERN_POSTERND_TAP_POOL_H

#include <stdbool.h>

// Takes over what an earlier daemon left, and begins to fill the pool, in the background, up to the configured number.
void tap_pool_start(void);
void tap_pool_stop(void);

// Takes the oldest tap out.  False where the pool is empty.
bool tap_pool_acquire(char out[16]);

// True when a tap of this name is in the pool.
bool tap_pool_has(const char *name);

#endif
