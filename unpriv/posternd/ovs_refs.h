// Which row of one table owns a row of the next, by the UUIDs that it names: bridges own ports, ports own interfaces. And a list that grows in an
// arena.
#ifndef POSTERN_POSTERND_OVS_REFS_H
#define POSTERN_POSTERND_OVS_REFS_H

#include "unpriv/posternd/mem.h"

#define OVS_UUID 37 // bytes of its text, with its NUL

struct ovs_ref {
	char uuid[OVS_UUID];
	void *owner;
};

// Zeroed it is empty.
struct ovs_refs {
	struct ovs_ref *v;
	size_t n, room;
	bool sorted;
};

// Notes an owner; nothing more may be noted once something was looked for.
void ovs_refer(struct arena *a, struct ovs_refs *l, const char *uuid, void *owner);

struct ovs_ref *ovs_refs_find(struct ovs_refs *l, const char *uuid);

// The owner, once: a list that has room for as many rows as were named isn't to get one twice. NULL where nobody owns it, or it was taken.
void *ovs_refs_take(struct ovs_refs *l, const char *uuid);

// Makes place for one more of n elements of `size` bytes, of which there is room for *room. Returns where they are now.
void *ovs_grown(struct arena *a, void *v, size_t n, size_t *room, size_t size);

#endif
