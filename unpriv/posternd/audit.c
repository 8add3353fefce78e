// Rows around each write, and refusals counted.  See audit.h.
#include "unpriv/posternd/audit.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/event_publish.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/store.h"

#define NAME_MAX_ 96

// One identity and method that was refused in the last minute.
struct counter {
	char identity[NAME_MAX_], method[NAME_MAX_];
	uint64_t since_ns;
	unsigned n;
};

static struct counter counters[AUDIT_COUNTERS + 1]; // the last is everybody else's
static struct event *sweep_event;
static char start_tag[32]; // tells this process's request numbers from an earlier one's

static int64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_row(const char *identity, const char *method, const char *params, const char *result, const char *request, store_cb *done,
                      void *arg)
{
	struct audit_row row = {unix_ms(), identity != NULL ? identity : "anonymous", method, params, result, request};
	struct change *c = change_new();

	change_audit(c, &row);
	store_commit(c, done, arg);
}

// ---- secrets ----

static bool is_secret(const char *name)
{
	return strcmp(name, "stdin") == 0 || strstr(name, "secret") != NULL || strstr(name, "password") != NULL || strstr(name, "token") != NULL;
}

static void blank_values(json_t *map)
{
	const char *key;
	json_t *value;

	json_object_foreach(map, key, value) json_object_set_new(map, key, json_string("(removed)"));
}

// Says whether there was anything to remove.
static bool redact(json_t *named)
{
	const char *key;
	json_t *value;
	bool found = false;

	json_object_foreach(named, key, value)
	{
		bool env = strcmp(key, "env") == 0;
		if (!env && !is_secret(key))
			continue;
		found = true;
		if (env && json_is_object(value))
			blank_values(value);
		else
			json_object_set_new(named, key, json_string("(removed)"));
	}
	return found;
}

// Parameters given by position, by name.
static json_t *by_name(const struct rpc_method *m, const json_t *list)
{
	json_t *named = json_object();

	for (size_t i = 0; i < json_array_size(list) && m->params[i].name != NULL; i++)
		json_object_set_new(named, m->params[i].name, json_deep_copy(json_array_get(list, i)));
	return named;
}

// *secret: there were secrets among them.
static char *params_text(const struct rpc_method *m, const json_t *params, bool *secret)
{
	json_t *named = json_is_array(params) ? by_name(m, params) : json_is_object(params) ? json_deep_copy(params) : json_object();
	char *text, omitted[64];

	*secret = redact(named);
	text = json_dumps(named, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(named);
	if (text == NULL || strlen(text) <= AUDIT_PARAMS_MAX)
		return text != NULL ? text : xstrdup("{}");
	snprintf(omitted, sizeof(omitted), "{\"omitted_bytes\":%zu}", strlen(text));
	free(text);
	return xstrdup(omitted);
}

char *audit_params(const struct rpc_method *m, const json_t *params)
{
	bool secret;

	return params_text(m, params, &secret);
}

// ---- writes ----

// A request between its two rows.
struct pending {
	struct request *rq;
	void (*next)(struct request *rq);
	char number[64];
};

static void on_row(void *arg, int err)
{
	struct pending *a = arg;

	if (err != 0) {
		fail_hint(a->rq, FAIL_IO, "Free space in the state directory.", "the audit row could not be written: %s", strerror(err));
		return;
	}
	gate_pass(a->rq, a->next);
}

static void on_end_row(void *arg, int err)
{
	struct pending *a = arg;
	struct request *rq = a->rq;
	void (*send)(struct request *) = a->next;

	(void)err; // the operation has happened and the store has logged the failure: the caller still gets to know what happened
	rq->audit = NULL;
	free(a);
	send(rq);
}

static void begin(struct request *rq, void (*go)(struct request *rq))
{
	struct pending *a = xcalloc(1, sizeof(*a));
	char *params = audit_params(rq->method, rq->params);

	a->rq = rq;
	a->next = go;
	snprintf(a->number, sizeof(a->number), "%s.%" PRIu64, start_tag, rq->id);
	rq->audit = a;
	write_row(rq->identity, rq->method->name, params, rq->dry_run ? "dry_run" : "pending", a->number, on_row, a);
	free(params);
}

static void end(struct request *rq, void (*send)(struct request *rq))
{
	struct pending *a = rq->audit;

	a->next = send;
	gate_left(rq);
	write_row(rq->identity, rq->method->name, "", rq->result != NULL ? rq->result : "ok", a->number, on_end_row, a);
}

void audit_note(const char *identity, const char *method, const char *params, const char *result, store_cb *done, void *arg)
{
	write_row(identity, method, params, result, "", done, arg);
}

// ---- refusals ----

// The counter of an identity and method: its own, a free one, or everybody's.
static struct counter *counter_of(const char *identity, const char *method)
{
	struct counter *free_one = NULL;

	for (size_t i = 0; i < AUDIT_COUNTERS; i++) {
		struct counter *c = &counters[i];
		if (c->n == 0)
			free_one = free_one != NULL ? free_one : c;
		else if (strncmp(c->identity, identity, NAME_MAX_ - 1) == 0 && strncmp(c->method, method, NAME_MAX_ - 1) == 0)
			return c;
	}
	if (free_one == NULL) {
		identity = method = "(others)";
		free_one = &counters[AUDIT_COUNTERS];
	}
	if (free_one->n == 0) {
		snprintf(free_one->identity, NAME_MAX_, "%s", identity);
		snprintf(free_one->method, NAME_MAX_, "%s", method);
		free_one->since_ns = now_ns();
	}
	return free_one;
}

static void close_window(struct counter *c)
{
	char result[48];

	if (c->n > AUDIT_REFUSALS) {
		snprintf(result, sizeof(result), "refused %u times more", c->n - AUDIT_REFUSALS);
		write_row(c->identity, c->method, "", result, "", NULL, NULL);
	}
	c->n = 0;
}

static void sweep(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = now_ns();

	(void)fd;
	(void)what;
	(void)arg;
	for (size_t i = 0; i <= AUDIT_COUNTERS; i++)
		if (counters[i].n > 0 && now - counters[i].since_ns >= AUDIT_WINDOW_S * UINT64_C(1000000000))
			close_window(&counters[i]);
}

void audit_refusal(const char *identity, const char *method, const char *params, const char *why)
{
	char result[256];
	struct counter *c = counter_of(identity != NULL ? identity : "anonymous", method);

	if (c->n >= AUDIT_REFUSALS && now_ns() - c->since_ns >= AUDIT_WINDOW_S * UINT64_C(1000000000)) {
		close_window(c);
		c = counter_of(identity != NULL ? identity : "anonymous", method);
	}
	if (++c->n > AUDIT_REFUSALS)
		return;
	event_refusal(identity, method, why);
	snprintf(result, sizeof(result), "refused: %s", why);
	write_row(identity, method, params, result, "", NULL, NULL);
}

static void refused(struct request *rq, int code, const char *why)
{
	bool secret;
	char *params = params_text(rq->method, rq->params, &secret);

	// What is said of a wrong parameter shows its value.
	if (secret && code == RPC_INVALID_PARAMS)
		why = "invalid parameters, with secrets among them";
	audit_refusal(rq->identity, rq->method->name, params, why != NULL ? why : "");
	free(params);
}

bool audit_start(void)
{
	static const struct audit_hooks hooks = {begin, end, refused};
	struct timeval often = {.tv_sec = 10};

	snprintf(start_tag, sizeof(start_tag), "%" PRIx64, (uint64_t)unix_ms());
	memset(counters, 0, sizeof(counters));
	sweep_event = event_new(daemon_base(), -1, EV_PERSIST, sweep, NULL);
	if (sweep_event == NULL || event_add(sweep_event, &often) != 0)
		return false;
	audit_set_hooks(&hooks);
	return true;
}

void audit_stop(void)
{
	for (size_t i = 0; i <= AUDIT_COUNTERS; i++)
		if (counters[i].n > 0)
			close_window(&counters[i]);
	if (sweep_event != NULL)
		event_free(sweep_event);
	sweep_event = NULL;
}
