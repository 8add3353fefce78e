// See rtnl_scan.h.  The kernel makes the next part of a dump while the one before is being received, so the socket is readable until the dump
// is over: a slice ends by the clock, and the loop comes back when it has served what else there is.
#include "unpriv/posternd/rtnl_scan.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/mem.h"

#define AT_ONCE  4      // scans; more wait their turn
#define TRIES    8      // dumps that something changed under, one after the other
#define SLICE_NS 500000 // then others have the loop

struct scan {
	struct rtnl_scan s;
	struct lowest page;
	TAILQ_ENTRY(scan) link;
	int sock;
	struct event *ready;
	unsigned at; // the ask that runs
	unsigned tries;
	uint32_t seq;
	bool changed;           // under this dump
	bool went_on;           // it had stopped with a part; what sorts before that can't come
	bool lost;              // but did
	char shown[LOWEST_KEY]; // of the page's first entry, the last that was shown; empty: none was
};

// Set when a kernel was seen to send a table in another order than that of our keys, as it may where the numbers of two routing tables collide in
// its hash: from then on dumps are read to their ends.
static bool disordered;

TAILQ_HEAD(scans, scan);
static struct scans running = TAILQ_HEAD_INITIALIZER(running), queued = TAILQ_HEAD_INITIALIZER(queued);
static unsigned n_running;

void rtnl_ask_begin(struct rtnl_ask *q, char first, uint16_t type, const void *header, size_t len)
{
	*q = (struct rtnl_ask){.first = first, .h = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	memcpy(q->payload, header, len);
	q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
}

void rtnl_ask_attr(struct rtnl_ask *q, uint16_t type, const void *data, size_t len)
{
	struct rtattr a = {.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(len)};
	size_t at = NLMSG_ALIGN(q->h.nlmsg_len) - sizeof(q->h);

	memcpy(q->payload + at, &a, sizeof(a));
	memcpy(q->payload + at + RTA_LENGTH(0), data, len);
	q->h.nlmsg_len = (uint32_t)(sizeof(q->h) + at + RTA_ALIGN(a.rta_len));
}

static void scan_destroy(struct scan *c)
{
	if (c->ready != NULL)
		event_free(c->ready);
	if (c->sock >= 0)
		close(c->sock);
	lowest_clear(&c->page);
	free(c);
}

static void finish(struct scan *c, int err)
{
	TAILQ_REMOVE(&running, c, link);
	n_running--;
	lowest_sort(&c->page);
	c->s.done(&c->page, err, c->s.arg);
	scan_destroy(c);
}

// Sends the ask that is due.  An errno, or 0.
static int send_ask(struct scan *c)
{
	struct rtnl_ask *q = &c->s.asks[c->at];

	c->changed = false;
	q->h.nlmsg_seq = ++c->seq;
	return send(c->sock, q, q->h.nlmsg_len, 0) < 0 ? errno : 0;
}

// Goes on to the next ask whose entries can be in the page.  False when there is none.
static bool next_ask(struct scan *c)
{
	bool full = c->page.n == c->page.keep;

	while (c->at < c->s.n_asks && c->page.after != NULL && c->page.after[0] > c->s.asks[c->at].first)
		c->at++;
	const char *highest = full ? c->page.v[c->page.heap ? 0 : c->page.n - 1]->key : "";
	return c->at < c->s.n_asks && !(full && highest[0] < c->s.asks[c->at].first);
}

// Empties the page but for what was shown.
static void clear_page(struct scan *c)
{
	struct low *shown = c->shown[0] != '\0' ? c->page.v[0] : NULL;

	if (shown != NULL)
		c->page.v[0] = c->page.v[--c->page.n];
	lowest_clear(&c->page);
	if (shown != NULL)
		lowest_put(&c->page, shown->key, shown->data, shown->len);
	free(shown);
}

// From the start again.  An errno, or 0.
static int again(struct scan *c)
{
	if (++c->tries >= TRIES)
		return EBUSY;
	c->at = 0;
	c->went_on = c->lost = false;
	clear_page(c);
	if (c->shown[0] != '\0')
		c->page.after = c->shown;
	if (c->s.begin != NULL)
		c->s.begin();
	return next_ask(c) ? send_ask(c) : 0;
}

static void take(struct scan *c, const struct nlmsghdr *h)
{
	char key[LOWEST_KEY];

	if (!c->s.key(h, c->s.key_arg, key))
		return;
	if (c->went_on && strcmp(key, c->shown) <= 0)
		c->lost = true;
	else if (lowest_wants(&c->page, key))
		lowest_put(&c->page, key, h, h->nlmsg_len);
}

// The error that ends a dump.  A routing table that isn't there has no routes.
static int error_of(const struct nlmsghdr *h)
{
	int err = 0;

	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(h), sizeof(err));
	return err == -ENOENT ? 0 : -err;
}

enum progress { GOES_ON, WHOLE, PART, FAILED };

// A dump that goes on where it was can be trusted after a change as before it.
static bool must_again(const struct scan *c)
{
	return c->changed && !(c->went_on && c->s.asks[c->at].goes_on);
}

// One dump is over: the next one, or from the start again, or all is there.
static enum progress ask_over(struct scan *c, int *err)
{
	if (*err == EINTR || must_again(c)) {
		*err = again(c);
		return *err != 0 ? FAILED : GOES_ON;
	}
	if (c->lost && !c->changed) {
		disordered = true;
		*err = EBUSY;
		return FAILED;
	}
	c->at++;
	if (*err == 0 && !next_ask(c))
		return WHOLE;
	if (*err == 0)
		*err = send_ask(c);
	return *err != 0 ? FAILED : GOES_ON;
}

// Takes what one datagram brings.
static enum progress datagram(struct scan *c, const struct nlmsghdr *h, size_t len, int *err)
{
	for (unsigned left = (unsigned)len; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_seq != c->seq)
			continue;
		c->changed = c->changed || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
			*err = error_of(h);
			return ask_over(c, err);
		}
		take(c, h);
	}
	return GOES_ON;
}

// The kernel sends entries that differ in the last field alone in an order of its own; when one came that differs in another one, all have come.
bool rtnl_scan_complete(const struct lowest *page, size_t n)
{
	const char *key = page->v[n - 1]->key, *end = strrchr(key, '.');

	return end == NULL || strncmp(key, page->v[page->n - 1]->key, (size_t)(end - key)) != 0;
}

static bool is_enough(const struct scan *c)
{
	const struct lowest *p = &c->page;
	size_t enough = c->s.enough;

	return enough > 1 && c->s.asks[c->at].goes_on && !disordered && !must_again(c) && !p->heap && p->n >= enough &&
	       rtnl_scan_complete(p, enough - 1);
}

static enum progress receive(struct scan *c, int *err)
{
	static union {
		struct nlmsghdr align;
		char bytes[65536];
	} buf;
	ssize_t n = recv(c->sock, buf.bytes, sizeof(buf.bytes), MSG_TRUNC);

	if (n < 0 && errno == ENOBUFS) { // messages are lost; the dump goes on, and is made again when it is over
		c->changed = true;
		return GOES_ON;
	}
	if (n <= 0 || (size_t)n > sizeof(buf.bytes)) {
		*err = n < 0 ? errno : EIO;
		return FAILED;
	}
	enum progress p = datagram(c, &buf.align, (size_t)n, err);
	return p == GOES_ON && is_enough(c) ? PART : p;
}

static void start_queued(void);

static void stop_with_part(struct scan *c)
{
	TAILQ_REMOVE(&running, c, link);
	n_running--;
	event_del(c->ready);
	c->page.after = NULL; // the request's
	c->s.part(&c->page, c, c->s.arg);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct scan *c = arg;
	uint64_t end = now_ns() + SLICE_NS;
	enum progress p = GOES_ON;
	int err = 0;

	(void)fd;
	(void)what;
	while (p == GOES_ON && now_ns() < end)
		p = receive(c, &err);
	if (p == FAILED && (err == EAGAIN || err == EINTR))
		return;
	if (p == GOES_ON)
		return;
	if (p == PART)
		stop_with_part(c);
	else
		finish(c, p == FAILED ? err : 0);
	start_queued();
}

// An errno, or 0.
static int open_socket(struct scan *c)
{
	int on = 1;

	c->sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (c->sock < 0 || setsockopt(c->sock, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) != 0)
		return errno;
	c->ready = event_new(daemon_base(), c->sock, EV_READ | EV_PERSIST, on_ready, c);
	return c->ready != NULL && event_add(c->ready, NULL) == 0 ? 0 : ENOMEM;
}

static void run(struct scan *c)
{
	TAILQ_INSERT_TAIL(&running, c, link);
	n_running++;
	if (c->went_on) {
		event_add(c->ready, NULL);
		return;
	}
	int err = open_socket(c);
	bool any = next_ask(c);
	if (c->s.begin != NULL)
		c->s.begin();
	if (err == 0 && any)
		err = send_ask(c);
	if (err != 0 || !any)
		finish(c, err);
}

static void start_queued(void)
{
	struct scan *c;

	while (n_running < AT_ONCE && (c = TAILQ_FIRST(&queued)) != NULL) {
		TAILQ_REMOVE(&queued, c, link);
		run(c);
	}
}

void rtnl_scan_start(const struct rtnl_scan *s)
{
	struct scan *c = xcalloc(1, sizeof(*c));

	c->s = *s;
	c->sock = -1;
	c->page = (struct lowest){.keep = s->keep, .after = s->after};
	TAILQ_INSERT_TAIL(&queued, c, link);
	start_queued();
}

void rtnl_scan_resume(struct scan *rest, struct lowest *page, const struct rtnl_scan *s)
{
	lowest_clear(&rest->page);
	rest->s = *s;
	rest->page = (struct lowest){.keep = s->keep, .n = page->n, .room = page->room, .v = page->v};
	rest->went_on = true;
	memcpy(rest->shown, page->v[0]->key, sizeof(rest->shown));
	page->v = NULL;
	page->n = page->room = 0;
	TAILQ_INSERT_TAIL(&queued, rest, link);
	start_queued();
}

void rtnl_scan_drop(struct scan *rest)
{
	scan_destroy(rest);
}

static void drop(struct scans *list)
{
	struct scan *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		scan_destroy(c);
	}
}

void rtnl_scan_stop(void)
{
	drop(&running);
	drop(&queued);
	n_running = 0;
}
