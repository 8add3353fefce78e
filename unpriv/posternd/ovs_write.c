// Written -> the switch has done it, or is given up on: its database says what should be all the same. See ovs_write.h.
#include "unpriv/posternd/ovs_write.h"

#include <event2/event.h>
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/ovsdb.h"

#define POLL_MS 20
#define POLLS   250 // 5 s

struct write {
	struct request *rq;
	void (*done)(void *arg, enum ovs_written how, const struct ovs_end *e);
	void *arg;
	int64_t wanted, current; // numbers of configurations
	unsigned polls;
	struct event *again;
};

static void put_text(struct text *t, const char *s)
{
	text_json(t, s, strlen(s));
}

static void next(struct text *ops)
{
	if (ops->len > 0)
		text_char(ops, ',');
}

void ovs_write_wait(struct text *ops, const struct ovs_node *bridge)
{
	next(ops);
	text_lit(ops, "{\"op\":\"wait\",\"timeout\":0,\"table\":\"Bridge\",\"where\":[[\"name\",\"==\",");
	put_text(ops, bridge->name);
	text_lit(ops, "]],\"columns\":[\"ports\"],\"until\":\"==\",\"rows\":[{\"ports\":");
	text_str(ops, bridge->ports);
	text_lit(ops, "}]}");
}

static void put_mutation(struct text *ops, const char *bridge, const char *how, const char *kind, const char *port)
{
	text_lit(ops, "{\"op\":\"mutate\",\"table\":\"Bridge\",\"where\":[[\"name\",\"==\",");
	put_text(ops, bridge);
	text_printf(ops, "]],\"mutations\":[[\"ports\",\"%s\",[\"set\",[[\"%s\",", how, kind);
	put_text(ops, port);
	text_lit(ops, "]]]]]}");
}

void ovs_write_add(struct text *ops, unsigned number, const char *bridge, const char *name, const char *peer, const char *other)
{
	char port[16];

	next(ops);
	text_printf(ops, "{\"op\":\"insert\",\"table\":\"Interface\",\"uuid-name\":\"interface%u\",\"row\":{\"type\":\"patch\",\"name\":", number);
	put_text(ops, name);
	text_lit(ops, ",\"options\":[\"map\",[[\"peer\",");
	put_text(ops, peer);
	text_lit(ops, "]]],\"external_ids\":[\"map\",[[\"" OVSDB_MARK "\",");
	put_text(ops, other);
	text_printf(ops, "]]]}},{\"op\":\"insert\",\"table\":\"Port\",\"uuid-name\":\"port%u\",\"row\":{\"name\":", number);
	put_text(ops, name);
	text_printf(ops, ",\"interfaces\":[\"named-uuid\",\"interface%u\"],\"external_ids\":[\"map\",[[\"" OVSDB_MARK "\",\"patch\"]]]}},", number);
	snprintf(port, sizeof(port), "port%u", number);
	put_mutation(ops, bridge, "insert", "named-uuid", port);
}

void ovs_write_remove(struct text *ops, const char *bridge, const char *port_uuid)
{
	next(ops);
	put_mutation(ops, bridge, "delete", "uuid", port_uuid);
}

// ---- waiting for the switch ----

static void ask_current(struct write *w);

static void finish(struct write *w, enum ovs_written how, const struct ovs_end *e)
{
	if (w->again != NULL)
		event_free(w->again);
	w->done(w->arg, how, e);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask_current(arg);
}

static void on_current(void *arg, unsigned op, const json_t *row)
{
	struct write *w = arg;

	(void)op;
	w->current = ovsdb_int(row, "cur_cfg");
}

static void on_asked(void *arg, const struct ovs_end *e, const json_t *results)
{
	struct write *w = arg;

	(void)results;
	if (e->ok && w->current < w->wanted && ++w->polls < POLLS) {
		if (w->again == NULL)
			w->again = evtimer_new(daemon_base(), on_again, w);
		event_add(w->again, &(struct timeval){.tv_usec = POLL_MS * 1000});
		return;
	}
	if (!e->ok || w->current < w->wanted)
		log_warn("Open vSwitch hasn't done yet what its database says", "rid=%lu", (unsigned long)w->rq->id);
	finish(w, OVS_WRITTEN, NULL);
}

static void ask_current(struct write *w)
{
	struct ovsdb_ask ask = {.row = on_current, .done = on_asked, .arg = w};

	text_lit(&ask.ops, "{\"op\":\"select\",\"table\":\"Open_vSwitch\",\"where\":[],\"columns\":[\"cur_cfg\"]}");
	ovsdb_ask(&ask);
}

// ---- writing ----

static void on_wanted(void *arg, unsigned op, const json_t *row)
{
	struct write *w = arg;

	(void)op;
	w->wanted = ovsdb_int(row, "next_cfg");
}

static void on_written(void *arg, const struct ovs_end *e, const json_t *results)
{
	struct write *w = arg;

	(void)results;
	if (e->ok)
		ask_current(w);
	else if (e->refused && w->rq->dry_run && strncmp(e->fail.detail, "aborted", 7) == 0)
		finish(w, OVS_WRITTEN, NULL);
	else if (e->refused && strncmp(e->fail.detail, "timed out", 9) == 0) // a wait's
		finish(w, OVS_CHANGED_MEANWHILE, e);
	else
		finish(w, OVS_NOT_WRITTEN, e);
}

void ovs_write(struct request *rq, struct text *ops, const char *why, void (*done)(void *arg, enum ovs_written how, const struct ovs_end *e),
               void *arg)
{
	struct write *w = arena_zalloc(rq->arena, sizeof(*w));
	struct ovsdb_ask ask = {.write = !rq->dry_run, .row = on_wanted, .done = on_written, .arg = w};

	*w = (struct write){.rq = rq, .done = done, .arg = arg};
	text_lit(ops, ",{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[],\"mutations\":[[\"next_cfg\",\"+=\",1]]},"
	              "{\"op\":\"select\",\"table\":\"Open_vSwitch\",\"where\":[],\"columns\":[\"next_cfg\"]},{\"op\":\"comment\",\"comment\":");
	put_text(ops, why);
	if (rq->dry_run)
		text_lit(ops, "},{\"op\":\"abort\"}");
	else
		text_lit(ops, "},{\"op\":\"commit\",\"durable\":true}");
	ask.ops = *ops;
	*ops = (struct text){0};
	ovsdb_ask(&ask);
}
