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
	bool changed; // under this dump
};

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

// From the start again.  An errno, or 0.
static int again(struct scan *c)
{
	if (++c->tries >= TRIES)
		return EBUSY;
	c->at = 0;
	lowest_clear(&c->page);
	return next_ask(c) ? send_ask(c) : 0;
}

static void take(struct scan *c, const struct nlmsghdr *h)
{
	char key[LOWEST_KEY];

	if (c->s.key(h, c->s.key_arg, key) && lowest_wants(&c->page, key))
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

enum progress { GOES_ON, WHOLE, FAILED };

// One dump is over: the next one, or from the start again, or all is there.
static enum progress ask_over(struct scan *c, int *err)
{
	if (*err == EINTR || c->changed) {
		*err = again(c);
		return *err != 0 ? FAILED : GOES_ON;
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
	return datagram(c, &buf.align, (size_t)n, err);
}

static void start_queued(void);

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
	int err = open_socket(c);
	bool any = next_ask(c);

	TAILQ_INSERT_TAIL(&running, c, link);
	n_running++;
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
