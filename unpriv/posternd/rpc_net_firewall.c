// net.firewall: the whole rule set of one moment, read through the helper and taken apart here, where no right is needed for it.
//
// Reading, and taking apart in slices of half a millisecond; a page that isn't the last leaves the messages held for the next one, for 30 s.
// READINGS are read or held at once, of NFT_RULESET_MAX bytes at most: a new one waits, or takes the place of the one that is held longest.
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <netinet/in.h> // before the kernel's headers, which then leave out what it has
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <linux/netfilter.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/firewall.h"
#include "unpriv/posternd/nft_page.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/task.h"

#define READINGS  2
#define HELD_SECS 30
#define PAGE      1000
#define SLICE_NS  500000

struct reading {
	TAILQ_ENTRY(reading) link;
	uint64_t token; // of the cursor, beside the page's number
	unsigned number;
	char *identity, *table;
	struct nft_query q;
	struct request *rq; // NULL: it is held
	struct nft_page page;
	struct event *timer; // the next slice, or the end of holding
};

TAILQ_HEAD(readings, reading);
static struct readings open_ones = TAILQ_HEAD_INITIALIZER(open_ones), waiting = TAILQ_HEAD_INITIALIZER(waiting);
static unsigned n_open;

static void begin_waiting(void);

static void destroy(struct reading *r)
{
	if (r->page.rs != NULL)
		nft_ruleset_destroy(r->page.rs);
	if (r->timer != NULL)
		event_free(r->timer);
	free(r->identity);
	free(r->table);
	free(r);
}

static void drop(struct reading *r)
{
	TAILQ_REMOVE(&open_ones, r, link);
	n_open--;
	destroy(r);
}

static void answer(struct reading *r)
{
	struct request *rq = r->rq;
	bool more = r->page.place.part != NFT_AT_END;
	struct rpc_net_firewall_result result = {.tables = r->page.tables, .generation = r->page.rs->generation, .has_next_cursor = more};

	r->rq = NULL;
	r->number++;
	if (more)
		result.next_cursor = arena_printf(rq->arena, "%016" PRIx64 ".%u", r->token, r->number);
	reply_net_firewall(rq, &result);
	if (more) {
		TAILQ_REMOVE(&open_ones, r, link);
		TAILQ_INSERT_TAIL(&open_ones, r, link);
		evtimer_add(r->timer, &(struct timeval){.tv_sec = HELD_SECS});
	} else {
		drop(r);
	}
	begin_waiting();
}

// A slice of the page, or the end of a reading that nobody goes on with.
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct reading *r = arg;
	uint64_t end = now_ns() + SLICE_NS;

	(void)fd;
	(void)what;
	if (r->rq == NULL) {
		drop(r);
		begin_waiting();
		return;
	}
	while (nft_page_step(&r->page))
		if (now_ns() >= end) {
			evtimer_add(r->timer, &(struct timeval){0});
			return;
		}
	answer(r);
}

static void begin_page(struct reading *r, struct request *rq, size_t limit)
{
	r->rq = rq;
	r->page = (struct nft_page){.rs = r->page.rs, .q = &r->q, .place = r->page.place, .a = rq->arena, .limit = limit};
}

static void on_read(void *arg, struct nft_ruleset *rs, const struct priv_reply *failed, int err)
{
	struct reading *r = arg;
	struct request *rq = r->rq;

	r->page.rs = rs;
	if (rs != NULL) {
		evtimer_add(r->timer, &(struct timeval){0});
		return;
	}
	drop(r);
	if (failed != NULL)
		fail_priv(rq, failed);
	else if (err == EBUSY)
		fail_hint(rq, FAIL_BUSY, "Ask again.", "nftables' rules change faster than they can be read");
	else if (err != EFBIG)
		fail_errno(rq, FAIL_IO, err, "nftables' rules can't be read");
	else
		fail_hint(rq, FAIL_QUOTA_EXCEEDED, "Look with nft: list table.", "nftables holds more than %u MiB of rules", NFT_RULESET_MAX >> 20);
	begin_waiting();
}

static bool make_room(void)
{
	struct reading *r;

	if (n_open < READINGS)
		return true;
	TAILQ_FOREACH (r, &open_ones, link)
		if (r->rq == NULL) {
			drop(r);
			return true;
		}
	return false;
}

static void begin_waiting(void)
{
	struct reading *r;

	while ((r = TAILQ_FIRST(&waiting)) != NULL && make_room()) {
		TAILQ_REMOVE(&waiting, r, link);
		TAILQ_INSERT_TAIL(&open_ones, r, link);
		n_open++;
		nft_read(&r->q, on_read, r);
	}
}

static void go_on(struct request *rq, const char *cursor, size_t limit)
{
	char have[32];
	struct reading *r;

	for (r = TAILQ_FIRST(&open_ones); r != NULL; r = TAILQ_NEXT(r, link)) {
		snprintf(have, sizeof(have), "%016" PRIx64 ".%u", r->token, r->number);
		if (r->rq != NULL || strcmp(have, cursor) != 0 || strcmp(r->identity, rq->identity) != 0)
			continue;
		begin_page(r, rq, limit);
		evtimer_add(r->timer, &(struct timeval){0});
		return;
	}
	fail_hint(rq, FAIL_NOT_FOUND, "Begin a new listing.", "there is no listing that goes on at this cursor: each is good for one page, for 30 s");
}

static uint8_t family(int word)
{
	static const uint8_t families[] = {[fw_family_ip] = NFPROTO_IPV4, [fw_family_ip6] = NFPROTO_IPV6,      [fw_family_inet] = NFPROTO_INET,
	                                   [fw_family_arp] = NFPROTO_ARP, [fw_family_bridge] = NFPROTO_BRIDGE, [fw_family_netdev] = NFPROTO_NETDEV};

	return families[word];
}

void rpc_net_firewall(struct request *rq, const struct rpc_net_firewall_params *p)
{
	size_t limit = p->has_limit ? (size_t)p->limit : PAGE;
	struct reading *r;

	if (p->has_cursor) {
		go_on(rq, p->cursor, limit);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->identity = xstrdup(rq->identity);
	r->table = p->has_table ? xstrdup(p->table) : NULL;
	r->q = (struct nft_query){.has_family = p->has_family, .family = p->has_family ? family(p->family) : 0, .table = r->table};
	r->timer = evtimer_new(daemon_base(), on_timer, r);
	begin_page(r, rq, limit);
	if (r->timer == NULL || getrandom(&r->token, sizeof(r->token), 0) != sizeof(r->token)) {
		destroy(r);
		fail_internal(rq, "a listing can't be made");
		return;
	}
	TAILQ_INSERT_TAIL(&waiting, r, link);
	begin_waiting();
}

static void drop_all(struct readings *list)
{
	struct reading *next;

	for (struct reading *r = TAILQ_FIRST(list); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		destroy(r);
	}
	TAILQ_INIT(list);
}

void firewall_stop(void)
{
	drop_all(&open_ones);
	drop_all(&waiting);
	n_open = 0;
}
