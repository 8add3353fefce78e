// See ovs_ctl.h. The protocol is the database's, JSON-RPC 1.0 (lib/unixctl.c of Open vSwitch), with an answer that is one string.
#include "unpriv/posternd/ovs_ctl.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"

struct ovs_ctl {
	TAILQ_ENTRY(ovs_ctl) link;
	struct ovs_conn *conn; // NULL: it couldn't be opened, or was lost
	struct ovs_user user;
	bool ready;
	bool asked; // `ask` is waited for
	struct ovs_ctl_ask ask;
	struct text line;
	struct event *later; // tells of an end that was there before it was asked for
	struct ovs_end end;  // of the session
	char detail[256];    // of that
};

static TAILQ_HEAD(sessions, ovs_ctl) sessions = TAILQ_HEAD_INITIALIZER(sessions);
static unsigned n_sessions;

static void done(struct ovs_ctl *s, const struct ovs_end *e)
{
	s->asked = false;
	text_clear(&s->line, 4096);
	s->ask.done(s->ask.arg, e); // may close it
}

// ---- what comes ----

// A byte that no text has becomes a question mark: a line is a C string.
static void give_line(struct ovs_ctl *s)
{
	for (size_t i = 0; i < s->line.len; i++)
		if (s->line.at[i] == '\0')
			s->line.at[i] = '?';
	text_char(&s->line, '\0');
	if (s->ask.line != NULL)
		s->ask.line(s->ask.arg, s->line.at);
	s->line.len = 0;
}

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	struct ovs_ctl *s = arg;

	while (len > 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end != NULL ? (size_t)(end - bytes) : len;

		if (!s->asked || s->line.len + n > OVS_CTL_LINE)
			return false;
		text_add(&s->line, bytes, n);
		if (end == NULL)
			return true;
		give_line(s);
		bytes += n + 1;
		len -= n + 1;
	}
	return true;
}

static bool on_message(void *arg, const char *text, size_t len)
{
	struct ovs_ctl *s = arg;
	json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(message, "error"), *result = json_object_get(message, "result");
	struct ovs_end e = {.ok = true};
	char detail[512];

	if (!s->asked || (!json_is_string(error) && !json_is_string(result))) {
		json_decref(message);
		return false;
	}
	if (json_is_string(error)) {
		snprintf(detail, sizeof(detail), "%.*s", (int)strcspn(json_string_value(error), "\n"), json_string_value(error));
		e = (struct ovs_end){.refused = true, .fail = {.kind = FAIL_IO, .detail = detail}};
	}
	json_decref(message);
	if (s->line.len > 0)
		give_line(s);
	ovs_conn_rest(s->conn);
	done(s, &e);
	return true;
}

// ---- the session ----

static void send_command(struct ovs_ctl *s)
{
	struct text t = {0};

	text_lit(&t, "{\"id\":0,\"method\":");
	text_json(&t, s->ask.command, strlen(s->ask.command));
	text_lit(&t, ",\"params\":[");
	for (unsigned i = 0; i < OVS_CTL_ARGS && s->ask.args[i] != NULL; i++) {
		if (i > 0)
			text_char(&t, ',');
		text_json(&t, s->ask.args[i], strlen(s->ask.args[i]));
	}
	text_lit(&t, "]}");
	ovs_conn_ask(s->conn, t.at, t.len);
	text_finish(&t);
}

static void on_ready(void *arg)
{
	struct ovs_ctl *s = arg;

	s->ready = true;
	if (s->asked)
		send_command(s);
}

static void on_ended(void *arg, const struct ovs_end *why)
{
	struct ovs_ctl *s = arg;

	s->conn = NULL;
	s->end = *why;
	snprintf(s->detail, sizeof(s->detail), "%s", why->fail.detail);
	s->end.fail.detail = s->detail;
	if (s->asked)
		done(s, &s->end);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct ovs_ctl *s = arg;

	(void)fd;
	(void)what;
	done(s, &s->end);
}

struct ovs_ctl *ovs_ctl_open(void)
{
	struct ovs_ctl *s = xcalloc(1, sizeof(*s));

	s->user = (struct ovs_user){.cut = {.piece = on_piece, .message = on_message, .arg = s}, .ready = on_ready, .ended = on_ended, .arg = s};
	s->later = evtimer_new(daemon_base(), on_later, s);
	if (n_sessions >= OVS_CTL_SESSIONS)
		s->end.fail = (struct failure){.kind = FAIL_BUSY, .detail = "too many ask Open vSwitch's switch at once", .hint = "Ask again."};
	else
		s->conn = ovs_conn_open(OVS_SWITCH, &s->user);
	TAILQ_INSERT_TAIL(&sessions, s, link);
	n_sessions++;
	return s;
}

void ovs_ctl_ask(struct ovs_ctl *s, const struct ovs_ctl_ask *ask)
{
	s->ask = *ask;
	s->asked = true;
	if (s->conn == NULL)
		event_add(s->later, &(struct timeval){0});
	else if (s->ready)
		send_command(s);
}

void ovs_ctl_close(struct ovs_ctl *s)
{
	if (s == NULL)
		return;
	ovs_conn_close(s->conn);
	event_free(s->later);
	text_finish(&s->line);
	TAILQ_REMOVE(&sessions, s, link);
	n_sessions--;
	free(s);
}

void ovs_ctl_stop(void)
{
	while (!TAILQ_EMPTY(&sessions))
		ovs_ctl_close(TAILQ_FIRST(&sessions));
}
