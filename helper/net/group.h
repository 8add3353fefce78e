// Groups of links (IFLA_GROUP): by them the kernel changes or deletes many links in one request.
#ifndef HELPER_NET_GROUP_H
#define HELPER_NET_GROUP_H

#include <stdint.h>

// The numbers that the two processes of the net cell choose from: what one of them is just making must never be in a group that the other deletes.
#define GROUPS_OF_CELL   0x70400000u
#define GROUPS_OF_REAPER 0x70800000u
#define GROUPS_EACH      0x00400000u

// Says which are this process's; before that, the cell's.
void group_space(uint32_t first);

// A group that no link is in: whatever is in it when it is deleted is what we put there.  Returns 0 or -errno.
int group_fresh(uint32_t *group);

// Moves a link.
int group_set(uint32_t index, uint32_t group);

// Deletes every link of the group in one request: a link that is deleted waits for an RCU grace period, and a group waits for one.
int group_delete(uint32_t group);

#endif
