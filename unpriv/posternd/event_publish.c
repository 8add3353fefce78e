// See event_publish.h.
#include "unpriv/posternd/event_publish.h"

#include <stdio.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/events.h"

#define REFUSALS  20 // events a minute
#define MINUTE_NS UINT64_C(60000000000)

void event_publish(enum rpc_event_topic topic, const char *tenant, const struct event_member *members)
{
	struct text object = {0};
	struct change *c = change_new();

	text_char(&object, '{');
	for (const struct event_member *m = members; m->key != NULL; m++) {
		if (m->value == NULL)
			continue;
		if (object.len > 1)
			text_char(&object, ',');
		text_json(&object, m->key, strlen(m->key));
		text_char(&object, ':');
		text_json(&object, m->value, strlen(m->value));
	}
	text_add(&object, "}", 2); // with its NUL
	events_put(c, events_add(topic, tenant, object.at, NULL));
	text_finish(&object);
	store_commit(c, NULL, NULL);
	events_tell();
}

void event_refusal(const char *identity, const char *method, const char *why)
{
	static uint64_t since_ns;
	static unsigned n;
	char more[32];
	unsigned left_out = 0;
	uint64_t now = now_ns();

	if (since_ns == 0 || now - since_ns >= MINUTE_NS) {
		left_out = n > REFUSALS ? n - REFUSALS : 0;
		since_ns = now;
		n = 0;
	}
	if (++n > REFUSALS)
		return;
	snprintf(more, sizeof(more), "%u", left_out);
	event_publish(event_topic_audit_refused, NULL,
	              (const struct event_member[]){
	                  {"identity", identity}, {"method", method}, {"why", why}, {"left_out_before", left_out > 0 ? more : NULL}, {NULL, NULL}});
}
