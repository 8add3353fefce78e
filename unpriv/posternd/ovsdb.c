// Questions wait in a queue, of which the first is in flight while the connection is there. See ovsdb.h.
#include "unpriv/posternd/ovsdb.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"

#define IDLE_S 60

struct question {
	TAILQ_ENTRY(question) link;
	struct ovsdb_ask ask;
	bool again;    // it was asked on a connection that was lost
	bool answered; // part of its answer has come
};

static TAILQ_HEAD(questions, question) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static size_t n_waiting;
static struct ovs_conn *conn; // or NULL
static bool ready;            // conn is connected
static bool asked;            // the first question is in flight
static bool stale;            // conn is from a helper that is gone: another one's policy may say no
static uint64_t last_id;
static struct event *idle;

static void ask_next(void);

static void answer_first(const struct ovs_end *e, const json_t *results)
{
	struct question *q = TAILQ_FIRST(&waiting);

	TAILQ_REMOVE(&waiting, q, link);
	n_waiting--;
	asked = false;
	q->ask.done(q->ask.arg, e, results);
	text_finish(&q->ask.ops);
	free(q);
}

// ---- what comes ----

static bool on_row(void *arg, unsigned op, const char *text, size_t len)
{
	struct question *q = TAILQ_FIRST(&waiting);

	(void)arg;
	if (!asked || q->ask.row == NULL)
		return false;
	json_t *row = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	q->answered = true;
	if (row != NULL)
		q->ask.row(q->ask.arg, op, row);
	json_decref(row);
	return row != NULL;
}

static void echo(const json_t *message)
{
	json_t *reply = json_pack("{s:O, s:O, s:n}", "id", json_object_get(message, "id"), "result", json_object_get(message, "params"), "error");
	char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;

	if (text != NULL)
		ovs_conn_tell(conn, text, strlen(text));
	free(text);
	json_decref(reply);
}

// What an operation says of its failure; false where none failed.
static bool failed(const json_t *results, char *out, size_t size)
{
	size_t i;
	json_t *one;

	json_array_foreach(results, i, one)
	{
		const char *error = json_string_value(json_object_get(one, "error")), *details = json_string_value(json_object_get(one, "details"));
		if (error == NULL)
			continue;
		snprintf(out, size, "%s%s%s", error, details != NULL ? ": " : "", details != NULL ? details : "");
		return true;
	}
	return false;
}

// False where it is no answer to the question.
static bool take_answer(const json_t *message)
{
	const json_t *id = json_object_get(message, "id"), *results = json_object_get(message, "result");
	char detail[512] = "Open vSwitch's database refused";
	struct ovs_end e = {.ok = true};

	if (!asked || !json_is_integer(id) || (uint64_t)json_integer_value(id) != last_id)
		return false;
	ovs_conn_rest(conn);
	if (!json_is_array(results) || failed(results, detail, sizeof(detail)))
		e = (struct ovs_end){.refused = true, .fail = {.kind = FAIL_IO, .detail = detail}};
	answer_first(&e, json_is_array(results) ? results : NULL);
	return true;
}

static bool on_message(void *arg, const char *text, size_t len)
{
	json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *method = json_string_value(json_object_get(message, "method"));
	bool good = message != NULL;

	(void)arg;
	if (method == NULL)
		good = good && take_answer(message);
	else if (strcmp(method, "echo") == 0)
		echo(message);
	json_decref(message);
	if (good)
		ask_next();
	return good;
}

// ---- the connection ----

static void on_ready(void *arg)
{
	(void)arg;
	ready = true;
	ask_next();
}

// Whoever waits behind the first asks anew; where it couldn't even be opened, that is everybody's answer.
static void on_ended(void *arg, const struct ovs_end *why)
{
	static const struct ovs_end lost_write = {.fail = {.kind = FAIL_INTERRUPTED,
	                                                   .detail = "Open vSwitch's database went before it answered",
	                                                   .hint = "Look at net.ovs and try again: it may or may not have happened."}};
	struct question *q = TAILQ_FIRST(&waiting);
	bool opened = ready;

	(void)arg;
	conn = NULL;
	ready = stale = false;
	if (q != NULL && asked && !q->ask.write && !q->again && !q->answered && why->fail.kind == FAIL_IO)
		q->again = true, asked = false;
	else if (q != NULL && asked && q->ask.write)
		answer_first(&lost_write, NULL);
	else if (q != NULL && (asked || !opened))
		answer_first(why, NULL);
	while (!opened && !TAILQ_EMPTY(&waiting) && why->fail.kind != FAIL_INTERRUPTED)
		answer_first(why, NULL);
	ask_next();
}

static void drop_connection(void)
{
	ovs_conn_close(conn);
	conn = NULL;
	ready = stale = false;
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	drop_connection();
}

void ovsdb_helper_gone(void)
{
	stale = ready;
	if (stale && !asked)
		drop_connection();
}

static void send_question(const struct question *q)
{
	struct text t = {0};

	text_printf(&t, "{\"id\":%lu,\"method\":\"transact\",\"params\":[\"Open_vSwitch\",", (unsigned long)++last_id);
	text_add(&t, q->ask.ops.at, q->ask.ops.len);
	text_lit(&t, "]}");
	ovs_conn_ask(conn, t.at, t.len);
	text_finish(&t);
}

static void ask_next(void)
{
	static const struct ovs_user user = {.cut = {.row = on_row, .message = on_message}, .ready = on_ready, .ended = on_ended};

	if (stale && !asked)
		drop_connection();
	if (TAILQ_EMPTY(&waiting)) {
		if (ready)
			event_add(idle, &(struct timeval){.tv_sec = IDLE_S});
	} else if (conn == NULL) {
		conn = ovs_conn_open(OVS_DATABASE, &user);
	} else if (ready && !asked) {
		asked = true;
		event_del(idle);
		send_question(TAILQ_FIRST(&waiting));
	}
}

static void on_too_many(evutil_socket_t fd, short what, void *arg)
{
	struct ovsdb_ask *ask = arg;

	(void)fd;
	(void)what;
	ask->done(ask->arg,
	          &(struct ovs_end){.fail = {.kind = FAIL_BUSY, .detail = "too many wait for Open vSwitch's database", .hint = "Ask again."}}, NULL);
	text_finish(&ask->ops);
	free(ask);
}

void ovsdb_ask(const struct ovsdb_ask *ask)
{
	if (idle == NULL)
		idle = evtimer_new(daemon_base(), on_idle, NULL);
	if (n_waiting >= OVSDB_WAITING) {
		struct ovsdb_ask *refused = xmalloc(sizeof(*refused));
		*refused = *ask;
		event_base_once(daemon_base(), -1, EV_TIMEOUT, on_too_many, refused, &(struct timeval){0});
		return;
	}
	struct question *q = xcalloc(1, sizeof(*q));
	q->ask = *ask;
	TAILQ_INSERT_TAIL(&waiting, q, link);
	n_waiting++;
	ask_next();
}

void ovsdb_stop(void)
{
	struct question *q;

	drop_connection();
	asked = false;
	while ((q = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, q, link);
		text_finish(&q->ask.ops);
		free(q);
	}
	n_waiting = 0;
	if (idle != NULL)
		event_free(idle);
	idle = NULL;
}
