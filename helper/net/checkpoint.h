// Checkpoints: what the kernel has of ours is noted, and gone back to unless the daemon confirms in time.
//
//   Armed -> gone        confirmed: what changed since stays
//   Armed -> Reverted    its time was up: the cell has gone back to it by itself, whatever the daemon does or has become
//   Armed or Reverted -> gone    checkpoint_revert: gone back to, and to those made after it no more
//
// They are a stack: each is younger than those before it.  Going back to one drops the younger ones, whose changes are among those undone;
// confirming one leaves the others alone.  A reverted one stays until the daemon, which has its own state to put back, asks once more: what
// it changed between the deadline and its noticing goes too.  When the daemon's socket ends the broker asks to go back to the oldest, before the
// helper ends.  A helper that ends otherwise (a reload of the policy, a crash) leaves the stack in the file, and the next one goes on with it.
//
// /run/postern-helper/checkpoints: a head, then CHECKPOINTS_MAX places of CHECKPOINT_PLACE bytes for snapshots, most of them holes.  A
// snapshot is written before the head that names it.  A head of another build is no head.
#ifndef HELPER_NET_CHECKPOINT_H
#define HELPER_NET_CHECKPOINT_H

#include "helper/common/cell.h"

#define CHECKPOINTS_MAX     9u // eight of clients, and one of net.apply
#define CHECKPOINT_PLACE    (UINT64_C(32) << 20)
#define CHECKPOINT_FILE_MAX ((CHECKPOINTS_MAX + 1) * CHECKPOINT_PLACE)

// Reads the file, and sets how soon the cell's loop looks.
void checkpoint_start(struct cell *c);

// Goes back where time is up, and sets how soon the loop looks again, if that is sooner than what c->tick_ms says.
void checkpoint_tick(struct cell *c);

// A sysctl is about to change from `was`: a checkpoint puts back only those that were changed by us since.
void checkpoint_note_sysctl(enum sysctl_key key, bool was);

#endif
