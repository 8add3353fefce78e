// net.conntrack: the table as a stream, a page at a time.
//
// A listing is one stream of the helper's.  It is written as it comes, so that nothing but the page's own text is held.  When the page is full,
// the listing is held until the next one is asked for or 30 seconds are over; of that next page AHEAD bytes are read meanwhile, while the client
// has this one to read, and then written a piece at a time, between which the loop serves others.
// There are LISTINGS at once: a new one waits while all are being written, and takes the place of the one that is held longest otherwise.
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "unpriv/posternd/conntrack.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/stream.h"
#include "unpriv/posternd/task.h"

#define LISTINGS  4 // of the helper's streams; others are for flushes, counters and firewalls
#define HELD_SECS 30
#define AHEAD     (1u << 20) // 7,700 entries
#define PIECE     400u       // entries: half a millisecond

struct listing {
	TAILQ_ENTRY(listing) link;
	struct op_conntrack_read_args asked;
	uint64_t token; // of the cursor, beside the page's number
	unsigned page;
	char *identity;     // whose it is
	struct request *rq; // that waits for the page; NULL: it is held
	struct stream *s;   // NULL: it is over
	struct text *json;  // the page so far: the request's answer, or `nothing` of a notification
	struct text nothing;
	size_t n;            // entries in it
	struct text left;    // records that have come
	size_t at;           // bytes of them that are in pages
	struct event *timer; // the next piece, or the end of holding
};

TAILQ_HEAD(listings, listing);
// In `open` the one that was held first comes first.
static struct listings open_ones = TAILQ_HEAD_INITIALIZER(open_ones), waiting = TAILQ_HEAD_INITIALIZER(waiting);
static unsigned n_open;

static void begin_waiting(void);

static void destroy(struct listing *l)
{
	stream_drop(l->s);
	if (l->timer != NULL)
		event_free(l->timer);
	text_finish(&l->nothing);
	text_finish(&l->left);
	free(l->identity);
	free(l);
}

static void drop(struct listing *l)
{
	TAILQ_REMOVE(&open_ones, l, link);
	n_open--;
	destroy(l);
}

static void hold(struct listing *l)
{
	l->rq = NULL;
	l->page++;
	TAILQ_REMOVE(&open_ones, l, link);
	TAILQ_INSERT_TAIL(&open_ones, l, link);
	evtimer_add(l->timer, &(struct timeval){.tv_sec = HELD_SECS});
}

// Answers with the page, and holds the listing where more follows.
static void answer(struct listing *l)
{
	struct request *rq = l->rq;
	bool more = l->s != NULL || l->left.len > l->at;

	text_lit(l->json, "],\"count\":");
	text_u64(l->json, l->n);
	if (more)
		text_printf(l->json, ",\"next_cursor\":\"%016" PRIx64 ".%u\"", l->token, l->page + 1);
	text_char(l->json, '}');
	request_result_end(rq);
	text_finish(&l->nothing);
	if (more)
		hold(l);
	else
		drop(l);
	begin_waiting();
}

// Writes a piece of what has come into the page.
static void write_piece(struct listing *l)
{
	struct ct_record r;

	for (unsigned i = 0; i < PIECE && l->left.len - l->at >= sizeof(r) && l->n < l->rq->limit; i++, l->n++) {
		memcpy(&r, l->left.at + l->at, sizeof(r));
		l->at += sizeof(r);
		if (l->n > 0)
			text_char(l->json, ',');
		conntrack_write(&r, l->json);
	}
	if (l->at == l->left.len)
		l->left.len = l->at = 0;
}

// A page is whole when the table is at its end, or it is full and it is known whether more follows.
static bool is_whole(const struct listing *l)
{
	bool left = l->left.len > l->at;

	return l->s == NULL ? !left || l->n == l->rq->limit : left && l->n == l->rq->limit;
}

// Goes on with the page.
static void go(struct listing *l)
{
	write_piece(l);
	if (l->s != NULL)
		stream_want(l->s, l->left.len - l->at < AHEAD);
	if (is_whole(l))
		answer(l);
	else if (l->left.len > l->at)
		evtimer_add(l->timer, &(struct timeval){0});
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct listing *l = arg;

	(void)fd;
	(void)what;
	if (l->rq != NULL) {
		go(l);
		return;
	}
	drop(l);
	begin_waiting();
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct listing *l = arg;
	bool behind = l->left.len > l->at; // then the timer is on

	if (l->at > AHEAD / 2) {
		text_drop(&l->left, l->at);
		l->at = 0;
	}
	text_add(&l->left, bytes, len - len % sizeof(struct ct_record));
	if (l->rq == NULL)
		stream_want(l->s, l->left.len - l->at < AHEAD);
	else if (!behind)
		go(l);
}

static void on_ended(void *arg, const struct priv_reply *failed, bool torn)
{
	struct listing *l = arg;
	struct request *rq = l->rq;

	(void)torn; // the kernel doesn't say so of this table: what comes and goes meanwhile may be seen or not
	l->s = NULL;
	if (failed != NULL) {
		drop(l);
		if (rq != NULL)
			text_finish(&rq->held);
		if (rq != NULL && priv_fail_kind(failed) == FAIL_NOT_FOUND)
			fail_hint(rq, FAIL_NOT_FOUND, "Begin a new listing.", "the listing was held too long");
		else if (rq != NULL)
			fail_priv(rq, failed);
		begin_waiting();
	} else if (rq != NULL && is_whole(l)) {
		answer(l);
	}
}

static void begin_page(struct listing *l, struct request *rq)
{
	l->rq = rq;
	l->n = 0;
	net_page_keep(rq);
	l->json = rq->raw_id != NULL ? request_result_begin(rq) : &l->nothing;
	text_lit(l->json, "{\"entries\":[");
}

static void begin(struct listing *l)
{
	static const struct stream_reader reader = {on_data, on_ended};

	TAILQ_INSERT_TAIL(&open_ones, l, link);
	n_open++;
	begin_page(l, l->rq);
	l->s = stream_start(OP_conntrack_read, &l->asked, &reader, l);
}

static bool make_room(void)
{
	struct listing *l;

	if (n_open < LISTINGS)
		return true;
	TAILQ_FOREACH (l, &open_ones, link)
		if (l->rq == NULL) {
			drop(l);
			return true;
		}
	return false;
}

static void begin_waiting(void)
{
	struct listing *l;

	while ((l = TAILQ_FIRST(&waiting)) != NULL && make_room()) {
		TAILQ_REMOVE(&waiting, l, link);
		begin(l);
	}
}

static struct listing *find(const struct request *rq)
{
	char cursor[32];
	struct listing *l;

	for (l = TAILQ_FIRST(&open_ones); l != NULL; l = TAILQ_NEXT(l, link)) {
		snprintf(cursor, sizeof(cursor), "%016" PRIx64 ".%u", l->token, l->page);
		if (l->rq == NULL && strcmp(cursor, rq->cursor) == 0 && strcmp(l->identity, rq->identity) == 0)
			return l;
	}
	return NULL;
}

static void go_on(struct request *rq)
{
	struct listing *l = find(rq);

	if (l == NULL) {
		fail_hint(rq, FAIL_NOT_FOUND, "Begin a new listing.",
		          "there is no listing that goes on at this cursor: each is good for one page, for 30 s");
		return;
	}
	evtimer_del(l->timer);
	begin_page(l, rq);
	go(l);
}

void rpc_net_conntrack(struct request *rq, const struct rpc_net_conntrack_params *p)
{
	struct listing *l;

	if (rq->cursor != NULL) {
		go_on(rq);
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->rq = rq;
	l->identity = xstrdup(rq->identity);
	l->timer = evtimer_new(daemon_base(), on_timer, l);
	l->asked = (struct op_conntrack_read_args){.has_zone = p->has_zone,
	                                           .zone = (uint32_t)p->zone,
	                                           .has_family = p->has_family,
	                                           .family = p->family == ip_family_inet6 ? CT_FAMILY_6 : CT_FAMILY_4,
	                                           .has_mark = p->has_mark,
	                                           .mark = (uint32_t)p->mark};
	if (l->timer == NULL || getrandom(&l->token, sizeof(l->token), 0) != sizeof(l->token)) {
		destroy(l);
		fail_internal(rq, "a listing can't be made");
		return;
	}
	TAILQ_INSERT_TAIL(&waiting, l, link);
	begin_waiting();
}

void conntrack_stop(void)
{
	struct listing *l;

	while ((l = TAILQ_FIRST(&open_ones)) != NULL)
		drop(l);
	while ((l = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, l, link);
		destroy(l);
	}
}
