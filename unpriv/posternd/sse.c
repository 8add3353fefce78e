// See sse.h.
#include "unpriv/posternd/sse.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/event_sight.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/http.h"

#define FILL_BYTES 32768
#define PULSE_S    15 // a comment, which tells a dead peer from a quiet host

struct sse {
	LIST_ENTRY(sse) link;
	struct exchange *x;
	struct event_sight sight;
	uint64_t next; // number of the first event that it hasn't been given
	bool pulse;    // a comment is due
};

static LIST_HEAD(sse_list, sse) streams = LIST_HEAD_INITIALIZER(streams);
static unsigned n_streams;
static struct event *pulse_event;

struct sse *sse_create(struct exchange *x, bool has_since, uint64_t since)
{
	struct sse *s;

	if (n_streams >= SSE_STREAMS)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->x = x;
	event_sight_make(&s->sight, &x->caller, &x->arena);
	s->next = !has_since ? events_next() : since < events_next() ? since + 1 : events_first();
	LIST_INSERT_HEAD(&streams, s, link);
	n_streams++;
	return s;
}

void sse_destroy(struct sse *s)
{
	LIST_REMOVE(s, link);
	n_streams--;
	free(s);
}

static void put_event(struct text *out, const struct event_item *e)
{
	const char *topic = rpc_kinds[KIND_event_topic].values[e->topic];
	struct arena a = {0};

	text_printf(out, "id: %lu\nevent: %s\ndata: {\"seq\":%lu,\"topic\":\"%s\",\"at_unix_ms\":%ld,", e->seq, topic, e->seq, topic, e->at_unix_ms);
	if (e->tenant != NULL) {
		text_lit(out, "\"tenant\":");
		text_json(out, e->tenant, strlen(e->tenant));
		text_char(out, ',');
	}
	text_lit(out, "\"object\":");
	text_str(out, events_object(e, &a));
	text_lit(out, "}\n\n");
	arena_finish(&a);
}

bool sse_fill(struct sse *s, struct text *out)
{
	size_t before = out->len;

	if (s->next < events_first()) {
		text_printf(out, "event: dropped\ndata: {\"dropped\":%lu}\n\n", events_first() - s->next);
		s->next = events_first();
	}
	for (; s->next < events_next() && out->len - before < FILL_BYTES; s->next++)
		if (event_sight_sees(&s->sight, events_at(s->next)))
			put_event(out, events_at(s->next));
	if (s->pulse && out->len == before)
		text_lit(out, ":\n\n");
	s->pulse = false;
	return out->len > before;
}

void sse_wake(void)
{
	struct sse *next;

	for (struct sse *s = LIST_FIRST(&streams); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		conn_flush(s->x->conn); // may end it
	}
}

static void on_pulse(evutil_socket_t fd, short what, void *arg)
{
	struct sse *s;

	(void)fd;
	(void)what;
	(void)arg;
	LIST_FOREACH (s, &streams, link)
		s->pulse = true;
	sse_wake();
}

bool sse_start(void)
{
	pulse_event = event_new(daemon_base(), -1, EV_PERSIST, on_pulse, NULL);
	return pulse_event != NULL && event_add(pulse_event, &(struct timeval){.tv_sec = PULSE_S}) == 0;
}

void sse_stop(void)
{
	if (pulse_event != NULL)
		event_free(pulse_event);
	pulse_event = NULL;
}

void sse_end_all(void)
{
	while (!LIST_EMPTY(&streams))
		http_end_stream(LIST_FIRST(&streams)->x);
}
