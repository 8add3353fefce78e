// The stream of events: whatever has happened that somebody may wait for, numbered.  The newest are kept in memory and in the store, so that the
// numbers go on, and nobody who was away misses what happened, over a restart of the daemon.
#ifndef POSTERN_POSTERND_EVENTS_H
#define POSTERN_POSTERND_EVENTS_H

#include "unpriv/posternd/store.h"
#include "unpriv/posternd/vm.h"

#define EVENTS_KEPT 4096

struct event_item {
	uint64_t seq;
	int64_t at_unix_ms;
	enum rpc_event_topic topic;
	char *tenant;            // whom it concerns; NULL: the host
	char *object;            // JSON text of an object; NULL where `vm` says it
	struct vm_transition vm; // of event_topic_vm_state
};

// Takes a row of the store, oldest first, at start.
void events_load(const struct row_event *row);
void events_finish(void);

// The first and one past the last number that are kept.
uint64_t events_first(void);
uint64_t events_next(void);

// The event with that number, which must be kept.
const struct event_item *events_at(uint64_t seq);

// Numbers an event and keeps it.  Texts are copied; vm NULL where it is no VM's change of state, else its seq and at_unix_ms are set here.
const struct event_item *events_add(enum rpc_event_topic topic, const char *tenant, const char *object, struct vm_transition *vm);

// Adds an event's row to a change, and takes the one out that it pushes out of the stream.
void events_put(struct change *c, const struct event_item *e);

// Its object as JSON, in the arena where it has to be made.
const char *events_object(const struct event_item *e, struct arena *a);

// Called after each event; one listener.
void events_on_new(void (*fn)(void));
void events_tell(void);

#endif
