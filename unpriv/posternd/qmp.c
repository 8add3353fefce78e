// QMP (QEMU's docs/interop/qmp-spec): one JSON object a line; events may come between answers.  QEMU is a guest's neighbour: its lines are
// bounded and parsed as anything else from outside.
#include "unpriv/posternd/qmp.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/unix_connect.h"

#define LINES_MAX 16384 // bytes that may wait for their end

// Greeting awaited -> Capabilities asked -> Command asked -> over.
enum qmp_state { QMP_GREETING, QMP_CAPABILITIES, QMP_COMMAND };

struct qmp_call {
	enum qmp_state state;
	int fd;
	const char *command;
	uint64_t deadline_ns;
	struct event *io;
	qmp_cb *done;
	void *arg;
	char buf[LINES_MAX];
	size_t len;
};

void qmp_cancel(struct qmp_call *q)
{
	if (q == NULL)
		return;
	event_free(q->io);
	close(q->fd);
	free(q);
}

static void finish(struct qmp_call *q, bool ok, const char *status, const char *why)
{
	qmp_cb *done = q->done;
	void *arg = q->arg;

	qmp_cancel(q);
	done(arg, ok, status, why);
}

static bool say(struct qmp_call *q, const char *command)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "{\"execute\":\"%s\"}\n", command);

	return send(q->fd, line, (size_t)n, MSG_NOSIGNAL) == n;
}

// One message; false when the call is over.
static bool take(struct qmp_call *q, json_t *j)
{
	json_t *ret = json_object_get(j, "return");
	char status[32];

	if (json_object_get(j, "error") != NULL) {
		finish(q, false, "", "the VMM refused");
		return false;
	}
	if (q->state == QMP_GREETING && json_object_get(j, "QMP") != NULL) {
		q->state = QMP_CAPABILITIES;
		return say(q, "qmp_capabilities") || (finish(q, false, "", "the VMM hung up"), false);
	}
	if (ret == NULL)
		return true; // an event
	if (q->state == QMP_CAPABILITIES) {
		q->state = QMP_COMMAND;
		return say(q, q->command) || (finish(q, false, "", "the VMM hung up"), false);
	}
	const char *s = json_string_value(json_object_get(ret, "status"));
	snprintf(status, sizeof(status), "%s", s != NULL ? s : "");
	finish(q, true, status, NULL);
	return false;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct qmp_call *q = arg;
	ssize_t n;
	char *end;

	if ((what & EV_TIMEOUT) != 0 || now_ns() >= q->deadline_ns) { // the timeout counts from the last byte: events must not move the deadline
		finish(q, false, "", "the VMM doesn't answer");
		return;
	}
	n = read((int)fd, q->buf + q->len, sizeof(q->buf) - q->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(q, false, "", q->len == sizeof(q->buf) ? "the VMM sends a line without end" : "the VMM hung up");
		return;
	}
	q->len += (size_t)n;
	while ((end = memchr(q->buf, '\n', q->len)) != NULL) {
		size_t line = (size_t)(end - q->buf) + 1;
		json_t *j = json_loadb(q->buf, line, 0, NULL);
		bool more = take(q, j);
		json_decref(j);
		if (!more)
			return;
		memmove(q->buf, q->buf + line, q->len - line);
		q->len -= line;
	}
}

struct qmp_call *qmp_ask(struct event_base *base, int api_o_path, const char *command, int64_t deadline_ms, qmp_cb *done, void *arg)
{
	struct timeval late = {.tv_sec = deadline_ms / 1000, .tv_usec = deadline_ms % 1000 * 1000 + 1};
	struct qmp_call *q;
	int fd = unix_connect_fd(api_o_path);

	if (fd < 0)
		return NULL;
	q = xcalloc(1, sizeof(*q));
	q->fd = fd;
	q->command = command;
	q->deadline_ns = now_ns() + (uint64_t)deadline_ms * 1000000;
	q->done = done;
	q->arg = arg;
	q->io = event_new(base, fd, EV_READ | EV_PERSIST, on_io, q);
	event_add(q->io, &late);
	return q;
}
