// See stream.h.  A stream lives until its last question is answered, whoever still wants it.
#include "unpriv/posternd/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/mem.h"

#define AT_ONCE 2

struct stream {
	TAILQ_ENTRY(stream) link;
	const struct stream_reader *reader;
	void *arg;
	uint32_t id;        // 0: it hasn't begun
	unsigned in_flight; // questions
	bool wanted;        // more
	bool over;          // the reader has been told, or wants to hear no more
	bool torn;
	bool lost;          // the helper that had it is gone: to the next one its number means another, or none
	int unsent;         // errno of a question that couldn't be asked
	struct event *late; // tells the reader so
};

TAILQ_HEAD(streams, stream);
static struct streams streams = TAILQ_HEAD_INITIALIZER(streams);
static const struct priv_reply interrupted = {.outcome = PRIV_INTERRUPTED, .op = OP_next, .rule = ""};

static void release(struct stream *s)
{
	if (!s->over || s->in_flight > 0)
		return;
	if (s->late != NULL)
		event_free(s->late);
	TAILQ_REMOVE(&streams, s, link);
	free(s);
}

static void end(struct stream *s, const struct priv_reply *failed)
{
	if (s->over)
		return;
	s->over = true;
	s->reader->ended(s->arg, failed, s->torn);
}

static void ask(struct stream *s);

// The last thing after a question's answer: until then it counts, so that nothing that the reader does frees the stream under us.
static void answered(struct stream *s)
{
	s->in_flight--;
	ask(s);
	release(s);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct priv_reply failed = {
	    .outcome = PRIV_ANSWERED, .op = OP_next, .status = OPS_IO, .err = (uint32_t)s->unsent, .rule = "request not sent"};

	(void)fd;
	(void)what;
	s->in_flight++;
	end(s, s->lost ? &interrupted : &failed);
	answered(s);
}

// From the loop, for the reader isn't to be called from inside its own call.
static void fail_later(struct stream *s, int err)
{
	s->unsent = err;
	if (s->late != NULL)
		event_active(s->late, EV_TIMEOUT, 0);
}

static void on_piece(void *arg, const struct priv_reply *r);

static void ask(struct stream *s)
{
	if (s->lost && s->wanted && !s->over && s->in_flight == 0)
		fail_later(s, 0);
	while (s->wanted && !s->over && !s->lost && s->id != 0 && s->in_flight < AT_ONCE) {
		int err = priv_next(&(struct op_next_args){.stream = s->id}, NULL, on_piece, s);

		if (err == 0)
			s->in_flight++;
		else if (s->in_flight == 0)
			fail_later(s, err);
		if (err != 0)
			return;
	}
}

static void on_piece(void *arg, const struct priv_reply *r)
{
	struct stream *s = arg;

	if (!s->over && (s->lost || !priv_ok(r))) {
		end(s, s->lost ? &interrupted : r);
	} else if (!s->over) {
		s->torn = s->torn || r->res->next.torn;
		if (r->res->next.data.len > 0)
			s->reader->data(s->arg, r->res->next.data.p, r->res->next.data.len);
		if (r->res->next.end)
			end(s, NULL);
	}
	answered(s);
}

static uint32_t begun(const struct priv_reply *r)
{
	switch ((int)r->op) {
	case OP_conntrack_read: return r->res->conntrack_read.stream;
	case OP_conntrack_flush: return r->res->conntrack_flush.stream;
	case OP_conntrack_stats: return r->res->conntrack_stats.stream;
	case OP_fw_read: return r->res->fw_read.stream;
	}
	return 0;
}

static void on_closed(void *arg, const struct priv_reply *r)
{
	(void)arg;
	(void)r;
}

static void on_begun(void *arg, const struct priv_reply *r)
{
	struct stream *s = arg;

	if (!priv_ok(r))
		end(s, r);
	else if (s->over) // given up meanwhile
		priv_close(&(struct op_close_args){.stream = begun(r)}, NULL, on_closed, NULL);
	else
		s->id = begun(r);
	answered(s);
}

struct stream *stream_start(enum op_id op, const void *args, const struct stream_reader *reader, void *arg)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	int err;

	s->reader = reader;
	s->arg = arg;
	s->wanted = true;
	s->late = evtimer_new(daemon_base(), on_late, s);
	TAILQ_INSERT_TAIL(&streams, s, link);
	err = priv_call(op, args, NULL, on_begun, s);
	if (err == 0)
		s->in_flight++;
	else
		fail_later(s, err);
	return s;
}

void stream_want(struct stream *s, bool more)
{
	s->wanted = more;
	ask(s);
}

void stream_drop(struct stream *s)
{
	if (s == NULL)
		return;
	// One that has ended by itself at the helper's answers that it isn't there.
	if (!s->over && !s->lost && s->id != 0)
		priv_close(&(struct op_close_args){.stream = s->id}, NULL, on_closed, NULL);
	s->over = true;
	release(s);
}

void streams_lost(void)
{
	struct stream *s;

	TAILQ_FOREACH (s, &streams, link)
		if (s->id != 0)
			s->lost = true;
}
