// See event_sight.h.
#include "unpriv/posternd/event_sight.h"

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/tenant.h"

// What shows the same as a topic's events, and the right for it that they need.
static const struct {
	enum rpc_method_id like;
	enum rpc_right right;
} topics[EVENT_TOPICS] = {
    [event_topic_vm_state] = {RPC_vm_events_tail, RIGHT_READ},   [event_topic_net_drift] = {RPC_net_verify, RIGHT_READ},
    [event_topic_net_restored] = {RPC_net_verify, RIGHT_READ},   [event_topic_net_checkpoint] = {RPC_net_checkpoint_list, RIGHT_READ},
    [event_topic_helper_up] = {RPC_net_health, RIGHT_READ},      [event_topic_helper_down] = {RPC_net_health, RIGHT_READ},
    [event_topic_audit_refused] = {RPC_event_tail, RIGHT_ADMIN},
};

void event_sight_make(struct event_sight *s, const struct caller *c, struct arena *a)
{
	for (int i = 0; i < EVENT_TOPICS; i++) {
		struct grant g = access_grant(daemon_acl(), c, topics[i].like);
		s->may[i] = g.right >= topics[i].right;
		s->tenant[i] = g.tenant != NULL ? arena_strdup(a, g.tenant) : NULL;
	}
}

bool event_sight_sees(const struct event_sight *s, const struct event_item *e)
{
	return s->may[e->topic] && tenant_may(s->tenant[e->topic], e->tenant);
}
