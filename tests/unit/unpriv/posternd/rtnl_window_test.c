// LINK: unpriv/posternd/rtnl_window.o unpriv/posternd/rtnl_scan.o unpriv/posternd/lowest.o unpriv/posternd/rtnl_route.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -levent_core
// Pages of the running kernel's local routes: which of them need a dump, and that all of them together are the table.
#include "unpriv/posternd/rtnl_window.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/rtnl_route.h"

static struct event_base *base;
static struct arena arena;
static unsigned n_done, n_found;
static char keys[64][LOWEST_KEY]; // of the last page

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
	n_done += err == 0;
	n_found = (unsigned)page->n;
	for (unsigned i = 0; i < page->n && i < 64; i++)
		memcpy(keys[i], page->v[i]->key, LOWEST_KEY);
}

static bool goes_on; // dumps stop with a page

// True when the page was there at once.
static bool ask(uint8_t family, size_t keep, const char *after)
{
	struct rtnl_scan s = {.n_asks = 1, .key = key, .keep = keep, .after = after, .done = done};
	uint32_t table = RT_TABLE_LOCAL;
	bool at_once;

	n_done = 0;
	rtnl_ask_begin(&s.asks[0], family == AF_INET ? '4' : '6', RTM_GETROUTE, &(struct rtmsg){.rtm_family = family}, sizeof(struct rtmsg));
	rtnl_ask_attr(&s.asks[0], RTA_TABLE, &table, sizeof(table));
	s.asks[0].goes_on = goes_on;
	rtnl_window_page(&s, &arena);
	at_once = n_done != 0;
	while (n_done == 0 && event_base_loop(base, EVLOOP_ONCE) == 0)
		continue;
	return at_once;
}

static char whole[64][LOWEST_KEY];
static unsigned n_whole;

static void read_whole(void)
{
	ask(AF_INET, 10001, NULL);
	n_whole = n_found;
	memcpy(whole, keys, sizeof(whole));
}

TEST("pages behind the first come from its dump, and are the table together")
{
	read_whole();
	if (n_whole < 4 || n_whole > 64)
		SKIP("this machine's local table has too few or too many routes");
	CHECK(!ask(AF_INET, 2, NULL));
	for (unsigned i = 1; i < n_whole; i++) {
		CHECK(strcmp(keys[0], whole[i - 1]) == 0);
		CHECK_INT(n_found, 2);
		char after[LOWEST_KEY];
		memcpy(after, keys[0], sizeof(after));
		CHECK(ask(AF_INET, 2, after));
	}
	CHECK(strcmp(keys[0], whole[n_whole - 1]) == 0);
	CHECK_INT(n_found, 1);
	CHECK(!ask(AF_INET, 2, whole[0])); // read to its end: held no longer
	rtnl_window_stop();
}

TEST("another listing, a cursor that isn't in the dump, and a table that fits its page need dumps of their own")
{
	read_whole();
	if (n_whole < 4 || n_whole > 64)
		SKIP("this machine's local table has too few or too many routes");
	CHECK(!ask(AF_INET, 10001, whole[0]));
	CHECK_INT(n_found, n_whole - 1);
	ask(AF_INET, 2, NULL);
	CHECK(!ask(AF_INET6, 2, whole[0]));
	CHECK(!ask(AF_INET, 2, "4000000ff.no-such-key"));
	CHECK(!ask(AF_INET, 2, NULL));
	CHECK(ask(AF_INET, 2, whole[1]));
	CHECK(strcmp(keys[0], whole[2]) == 0);
	rtnl_window_stop();
}

TEST("pages of dumps that stop in between are the table together, and a stop releases one")
{
	char after[LOWEST_KEY];

	read_whole();
	if (n_whole < 4 || n_whole > 64)
		SKIP("this machine's local table has too few or too many routes");
	goes_on = true;
	for (size_t keep = 2; keep <= n_whole + 2; keep++) {
		unsigned n = 0;
		for (ask(AF_INET, keep, NULL); n < n_whole; ask(AF_INET, keep, after)) {
			for (unsigned i = 0; i < n_found; i++)
				CHECK(strcmp(keys[i], whole[n + i]) == 0);
			n += n_found < keep ? n_found : (unsigned)keep - 1;
			memcpy(after, whole[n - 1], sizeof(after));
		}
	}
	ask(AF_INET, 2, NULL);
	goes_on = false;
	rtnl_window_stop();
}

TEST("nothing is held for ever")
{
	read_whole();
	if (n_whole < 4)
		SKIP("this machine's local table has too few routes");
	ask(AF_INET, 2, NULL);
	event_base_dispatch(base); // until the timer, the only event left, has fired
	CHECK(!ask(AF_INET, 2, whole[0]));
	rtnl_window_stop();
	arena_finish(&arena);
}

int main(void)
{
	int failed;

	base = event_base_new();
	failed = test_main();
	rtnl_window_stop();
	rtnl_scan_stop();
	event_base_free(base);
	return failed;
}
