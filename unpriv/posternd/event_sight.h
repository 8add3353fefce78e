// Which events a caller may see: for each topic, the right and the tenant that it has for the method that would show it the same.
#ifndef POSTERN_POSTERND_EVENT_SIGHT_H
#define POSTERN_POSTERND_EVENT_SIGHT_H

#include "unpriv/posternd/access.h"
#include "unpriv/posternd/events.h"

#define EVENT_TOPICS 7

struct event_sight {
	bool may[EVENT_TOPICS];
	const char *tenant[EVENT_TOPICS]; // in the arena, so that it outlives the access list; NULL: the host, which sees all
};

// By the access list in force.
void event_sight_make(struct event_sight *s, const struct caller *c, struct arena *a);

bool event_sight_sees(const struct event_sight *s, const struct event_item *e);

#endif
