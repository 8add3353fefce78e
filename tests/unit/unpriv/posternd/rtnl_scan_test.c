// LINK: unpriv/posternd/rtnl_scan.o unpriv/posternd/lowest.o unpriv/posternd/rtnl_route.o unpriv/posternd/mem.o unpriv/posternd/text.o
// LINK: unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -levent_core
//
// The running kernel's local routes, read by many scans at once.
#include "unpriv/posternd/rtnl_scan.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/rtnl_route.h"

static struct event_base *base;
static unsigned n_done, n_found;
static int last_err;
static char first[LOWEST_KEY];
static bool ordered = true;

struct event_base *daemon_base(void)
{
	return base;
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static bool key(const struct nlmsghdr *h, const void *arg, char out[LOWEST_KEY])
{
	struct rtnl_route r;

	(void)arg;
	if (!rtnl_parse_route(h, &r))
		return false;
	rtnl_route_key(&r, out);
	return true;
}

static void done(struct lowest *page, int err, void *arg)
{
	(void)arg;
	n_done++;
	last_err = err;
	n_found = (unsigned)page->n;
	first[0] = '\0';
	if (page->n > 0)
		memcpy(first, page->v[0]->key, sizeof(first));
	for (size_t i = 1; i < page->n; i++)
		ordered = ordered && strcmp(page->v[i - 1]->key, page->v[i]->key) <= 0;
}

static struct rtnl_scan scan_of(uint32_t table, size_t keep, const char *after)
{
	struct rtnl_scan s = {.n_asks = 1, .key = key, .keep = keep, .after = after, .done = done};

	rtnl_ask_begin(&s.asks[0], '4', RTM_GETROUTE, &(struct rtmsg){.rtm_family = AF_INET}, sizeof(struct rtmsg));
	rtnl_ask_attr(&s.asks[0], RTA_TABLE, &table, sizeof(table));
	return s;
}

static void start(struct rtnl_scan s)
{
	rtnl_scan_start(&s);
}

TEST("a scan gives what a table holds in the order of its keys, page by page")
{
	char after[LOWEST_KEY] = "";
	unsigned all, pages = 0;

	n_done = 0;
	start(scan_of(RT_TABLE_LOCAL, 10000, NULL));
	event_base_dispatch(base);
	CHECK(n_done == 1 && last_err == 0 && ordered);
	all = n_found;
	do {
		start(scan_of(RT_TABLE_LOCAL, 1, after));
		event_base_dispatch(base);
		CHECK(strcmp(first, after) > 0 || n_found == 0);
		memcpy(after, first, sizeof(after));
		pages += n_found;
	} while (n_found > 0);
	CHECK_INT(pages, all);
}

TEST("a table that isn't there holds nothing")
{
	n_done = 0;
	start(scan_of(87654321, 10, NULL));
	event_base_dispatch(base);
	CHECK(n_done == 1 && last_err == 0 && n_found == 0);
}

TEST("what the kernel refuses is told")
{
	struct rtnl_scan s = scan_of(RT_TABLE_LOCAL, 10, NULL);

	n_done = 0;
	rtnl_ask_attr(&s.asks[0], RTA_MARK, "abcd", 4); // no filter of a dump; a strict socket says so
	start(s);
	event_base_dispatch(base);
	CHECK(n_done == 1 && last_err != 0 && n_found == 0);
}

TEST("a cursor behind a family needs no dump of it")
{
	n_done = 0;
	start(scan_of(RT_TABLE_LOCAL, 10, "6"));
	event_base_dispatch(base);
	CHECK(n_done == 1 && last_err == 0 && n_found == 0);
}

TEST("many at once are all answered")
{
	n_done = 0;
	for (int i = 0; i < 50; i++)
		start(scan_of(RT_TABLE_LOCAL, 10, NULL));
	event_base_dispatch(base);
	CHECK_INT(n_done, 50);
	CHECK_INT(last_err, 0);
}

TEST("a stop drops what runs and what waits, unanswered")
{
	n_done = 0;
	for (int i = 0; i < 9; i++)
		start(scan_of(RT_TABLE_LOCAL, 10, NULL));
	rtnl_scan_stop();
	event_base_dispatch(base);
	CHECK_INT(n_done, 0);
}

int main(void)
{
	int failed;

	base = event_base_new();
	failed = test_main();
	event_base_free(base);
	return failed;
}
