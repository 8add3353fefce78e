// LINK: unpriv/posternd/events.o unpriv/posternd/addr.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o
// LINK: unpriv/common/log.o proto/rpc.o
// The ring of events, with the store played here.
#include "unpriv/posternd/events.h"

#include "tests/lib/test.h"

static int64_t put, deleted;
static struct row_event last;
static unsigned told;

void change_put_event(struct change *c, const struct row_event *row)
{
	(void)c;
	put = row->seq;
	last = *row;
}

void change_del_event(struct change *c, col_num seq)
{
	(void)c;
	deleted = seq;
}

static void on_new(void)
{
	told++;
}

static const struct event_item *add(const char *tenant, const char *object)
{
	return events_add(event_topic_net_drift, tenant, object, NULL);
}

TEST("events are numbered from 1 without gaps, and keep copies of their texts")
{
	char tenant[] = "a", object[] = "{}";

	events_finish();
	CHECK_INT(events_next(), 1);
	CHECK_INT(add(tenant, object)->seq, 1);
	tenant[0] = object[0] = 'x';
	CHECK_INT(add(NULL, "{}")->seq, 2);
	CHECK_STR(events_at(1)->tenant, "a");
	CHECK_STR(events_at(1)->object, "{}");
	CHECK(events_at(2)->tenant == NULL);
	CHECK_INT(events_first(), 1);
	CHECK_INT(events_next(), 3);
}

TEST("the newest 4096 are kept, and the row of the one that is pushed out goes")
{
	events_finish();
	for (int i = 0; i < EVENTS_KEPT; i++)
		add(NULL, "{}");
	CHECK_INT(events_first(), 1);
	deleted = 0;
	events_put(NULL, events_at(EVENTS_KEPT));
	CHECK_INT(deleted, 0);
	events_put(NULL, add(NULL, "{\"n\":1}"));
	CHECK_INT(put, EVENTS_KEPT + 1);
	CHECK_INT(deleted, 1);
	CHECK_STR(last.topic, "net.drift");
	CHECK_STR(last.object, "{\"n\":1}");
	CHECK(last.vm == NULL);
	CHECK_INT(events_first(), 2);
	CHECK_STR(events_at(EVENTS_KEPT + 1)->object, "{\"n\":1}");
}

TEST("a VM's change of state is written as an object, and its row has its states")
{
	struct vm_transition t = {.id = "v1", .from = vm_state_stopped, .to = vm_state_starting, .reason = vm_reason_requested};
	const struct event_item *e = events_add(event_topic_vm_state, "a", NULL, &t);
	struct arena a = {0};

	CHECK_INT(t.seq, e->seq);
	CHECK(t.at_unix_ms > 0 && t.at_unix_ms == e->at_unix_ms);
	CHECK_STR(events_object(e, &a), "{\"id\":\"v1\",\"from\":\"Stopped\",\"to\":\"Starting\",\"reason\":\"requested\"}");
	events_put(NULL, e);
	CHECK_STR(last.vm, "v1");
	CHECK_INT(last.to_state, vm_state_starting);
	CHECK(last.object == NULL);
	arena_finish(&a);
}

TEST("the numbers go on behind what was loaded, and rows from before there were topics are about VMs")
{
	struct row_event old = {.seq = 41, .vm = "v1", .from_state = vm_state_running, .to_state = vm_state_stopping, .at_unix_ms = 5};
	struct row_event drift = {.seq = 42, .topic = "net.drift", .tenant = "b", .object = "{\"id\":\"x\"}", .at_unix_ms = 6};

	events_finish();
	events_load(&old);
	events_load(&drift);
	CHECK_INT(events_first(), 41);
	CHECK_INT(events_next(), 43);
	CHECK_INT(events_at(41)->topic, event_topic_vm_state);
	CHECK_INT(events_at(41)->vm.from, vm_state_running);
	CHECK_INT(events_at(42)->topic, event_topic_net_drift);
	CHECK_STR(events_at(42)->tenant, "b");
	CHECK_INT(add(NULL, "{}")->seq, 43);
}

TEST("a gap in what is loaded begins the stream anew, and a row of an unknown topic is passed over")
{
	struct row_event one = {.seq = 5, .topic = "net.drift", .object = "{}"}, unknown = {.seq = 6, .topic = "no.such", .object = "{}"};
	struct row_event later = {.seq = 9, .topic = "helper.up", .object = "{}"};

	events_finish();
	events_load(&one);
	events_load(&unknown);
	CHECK_INT(events_next(), 6);
	events_load(&later);
	CHECK_INT(events_first(), 9);
	CHECK_INT(events_next(), 10);
}

TEST("the listener is told, and only while it listens")
{
	events_on_new(on_new);
	events_tell();
	events_on_new(NULL);
	events_tell();
	CHECK_INT(told, 1);
	events_finish();
}

int main(void)
{
	return test_main();
}
