// Puts events other than VMs' into the stream.
#ifndef POSTERN_POSTERND_EVENT_PUBLISH_H
#define POSTERN_POSTERND_EVENT_PUBLISH_H

#include "proto/rpc.h"

// A member of an event's object.  A list ends with a key of NULL; a value of NULL is left out.
struct event_member {
	const char *key, *value;
};

// Numbers, keeps and stores an event, and wakes those who wait for one.  tenant: whom it concerns, NULL for the host.
void event_publish(enum rpc_event_topic topic, const char *tenant, const struct event_member *members);

// The same for a refusal; those beyond a few a minute are counted, and the next one says how many, so that a stranger can't push everything
// else out of the stream.
void event_refusal(const char *identity, const char *method, const char *why);

#endif
