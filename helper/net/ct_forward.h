// Connections that a forward has to do with.  A translation is looked up for the first packet alone: the rest of a connection goes where the
// connection tracking's entry says, however the table has changed since.  So when a forward goes, the entries that it made are deleted, and when
// one comes, those of clients who got no forward so far (a UDP client that never pauses would never see it).
//
// An entry belongs to a gone forward when it is for its host port and was translated to its target, and to a new one when it is for that port of
// this host and was translated to something else or nothing.  A guest's own connection to that port of the world is neither.
#ifndef HELPER_NET_CT_FORWARD_H
#define HELPER_NET_CT_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/helper.h"

// Makes room for noting n forwards more; false without memory, and then none is noted.
bool ct_forward_room(uint32_t n);

// Notes a forward that went, or came; records of other kinds are passed over.
void ct_forward_note(const struct fw_record *r, bool gone);

// Deletes the entries of everything noted; returns how many belonged to forwards that went.  Where the kernel doesn't answer, what is noted
// stays noted, and the tick tries again.
uint32_t ct_forward_sweep(void);

// True when a forward that went is noted.
bool ct_forward_urgent(void);

// After a request: does what isn't urgent.
void ct_forward_tick(void);

#endif
