// The ring behind events.h.
#include "unpriv/posternd/events.h"

#include <stdlib.h>
#include <time.h>

#include "unpriv/posternd/addr.h"

static struct event_item kept[EVENTS_KEPT]; // number s stands at s % EVENTS_KEPT
static uint64_t next_seq = 1, first_seq = 1;
static void (*on_new)(void);

static int64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static void clear(struct event_item *e)
{
	free(e->tenant);
	free(e->object);
	*e = (struct event_item){0};
}

static const struct event_item *keep(const struct event_item *e, const char *tenant, const char *object)
{
	struct event_item *place = &kept[e->seq % EVENTS_KEPT];

	clear(place);
	*place = *e;
	place->tenant = copy(tenant);
	place->object = copy(object);
	next_seq = e->seq + 1;
	if (next_seq - first_seq > EVENTS_KEPT)
		first_seq = next_seq - EVENTS_KEPT;
	return place;
}

// Rows of the schema before topics are all about VMs.
static bool topic_of(const char *name, enum rpc_event_topic *out)
{
	const char *const *names = rpc_kinds[KIND_event_topic].values;

	*out = event_topic_vm_state;
	for (int i = 0; name != NULL && names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum rpc_event_topic)i;
			return true;
		}
	return name == NULL;
}

void events_load(const struct row_event *row)
{
	struct event_item e = {.seq = (uint64_t)row->seq, .at_unix_ms = row->at_unix_ms};

	if (!topic_of(row->topic, &e.topic)) // an older program's, or a newer one's
		return;
	e.vm = (struct vm_transition){
	    .seq = e.seq,
	    .from = (enum rpc_vm_state)row->from_state,
	    .to = (enum rpc_vm_state)row->to_state,
	    .reason = (enum rpc_vm_reason)row->reason,
	    .at_unix_ms = e.at_unix_ms,
	};
	if (row->vm != NULL)
		COPY_TEXT(e.vm.id, row->vm);
	if (e.seq != next_seq) // rows of a stream have no gaps: begin anew behind one
		first_seq = e.seq;
	keep(&e, row->tenant, row->object);
}

void events_finish(void)
{
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		clear(&kept[i]);
	next_seq = first_seq = 1;
}

uint64_t events_first(void)
{
	return first_seq;
}

uint64_t events_next(void)
{
	return next_seq;
}

const struct event_item *events_at(uint64_t seq)
{
	return &kept[seq % EVENTS_KEPT];
}

const struct event_item *events_add(enum rpc_event_topic topic, const char *tenant, const char *object, struct vm_transition *vm)
{
	struct event_item e = {.seq = next_seq, .at_unix_ms = unix_ms(), .topic = topic};

	if (vm != NULL) {
		vm->seq = e.seq;
		vm->at_unix_ms = e.at_unix_ms;
		e.vm = *vm;
	}
	return keep(&e, tenant, object);
}

void events_put(struct change *c, const struct event_item *e)
{
	struct row_event row = {
	    .seq = (int64_t)e->seq,
	    .vm = e->vm.id[0] != '\0' ? e->vm.id : NULL,
	    .from_state = e->vm.from,
	    .to_state = e->vm.to,
	    .reason = e->vm.reason,
	    .at_unix_ms = e->at_unix_ms,
	    .topic = rpc_kinds[KIND_event_topic].values[e->topic],
	    .tenant = e->tenant,
	    .object = e->object,
	};

	change_put_event(c, &row);
	if (e->seq > EVENTS_KEPT)
		change_del_event(c, (int64_t)(e->seq - EVENTS_KEPT));
}

const char *events_object(const struct event_item *e, struct arena *a)
{
	if (e->object != NULL)
		return e->object;
	// An id and the words of a closed list need no escapes.
	return arena_printf(a, "{\"id\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"reason\":\"%s\"}", e->vm.id,
	                    rpc_kinds[KIND_vm_state].values[e->vm.from], rpc_kinds[KIND_vm_state].values[e->vm.to],
	                    rpc_kinds[KIND_vm_reason].values[e->vm.reason]);
}

void events_on_new(void (*fn)(void))
{
	on_new = fn;
}

void events_tell(void)
{
	if (on_new != NULL)
		on_new();
}
