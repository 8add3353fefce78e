// See verify.h.
#include "unpriv/posternd/verify.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/live.h"
#include "unpriv/posternd/rtnl_route.h"
#include "unpriv/posternd/rtnl_scan.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/verify_fw.h"
#include "unpriv/posternd/verify_rows.h"

#define SLICE_NS   500000
#define BATCH      32 // rows between two looks at the clock
#define REWINDS    8
#define PATIENCE_S 2  // with a helper that doesn't answer
#define AGAIN_MS   50 // between the two comparisons where something was on its way

struct asker {
	STAILQ_ENTRY(asker) link;
	verify_done *done;
	void *arg;
};
STAILQ_HEAD(askers, asker);

static struct verify {
	bool running, second;
	bool scanning, paused;  // the dumps run; between two comparisons
	uint64_t version, made; // of rows and tasks, when it began
	bool busy;              // tasks were running then
	unsigned rewound;       // times that the comparison was begun again
	unsigned table;         // of `passes`, and where in it the comparison is
	size_t at;
	struct live live;
	struct drift_list found, before; // before: of the first of two
	struct verify_fw *fw;            // NULL: not asked, or it couldn't be read
	bool fw_asked;                   // the helper hasn't answered yet
	uintptr_t serial;                // of the question: an answer that comes too late is another's
	struct askers now, next;         // who waits for this one, and who for the one after it
	struct event *step, *patience;
} run;

static void start(void);

static void finish(int err)
{
	struct askers served = run.now;
	struct drift_list found = run.found;
	struct asker *a;

	if (STAILQ_EMPTY(&run.now))
		STAILQ_INIT(&served);
	STAILQ_INIT(&run.now);
	run.found = (struct drift_list){0};
	drift_clear(&run.before);
	run.running = run.second = run.scanning = run.paused = false;
	run.fw_asked = false;
	if (run.patience != NULL)
		evtimer_del(run.patience);
	if (!STAILQ_EMPTY(&run.next)) {
		STAILQ_CONCAT(&run.now, &run.next);
		start();
	}
	while ((a = STAILQ_FIRST(&served)) != NULL) {
		STAILQ_REMOVE_HEAD(&served, link);
		a->done(&found, err, a->arg);
		free(a);
	}
	drift_clear(&found);
}

// ---- comparing ----

static void each_bridge(size_t i)
{
	verify_bridge(&run.live, cache_at_bridge(i), &run.found);
}

static void each_tap(size_t i)
{
	verify_tap(&run.live, cache_at_tap(i), &run.found);
}

static void each_port(size_t i)
{
	verify_port(&run.live, cache_at_port(i), &run.found);
}

static void each_connection(size_t i)
{
	verify_connection(&run.live, cache_at_connection(i), &run.found);
}

static void each_route(size_t i)
{
	verify_route(&run.live, cache_at_route(i), &run.found);
}

static size_t n_routes(void)
{
	return run.live.routes.n;
}

static void each_live_route(size_t i)
{
	verify_stray_route(live_route_at(&run.live, i), &run.found);
}

static size_t n_links(void)
{
	return run.live.by_name.n;
}

static void each_link(size_t i)
{
	const struct live_link *bridge = live_count_port(&run.live, live_link_at(&run.live, i));

	if (bridge != NULL && bridge->ports > run.found.fullest_ports) {
		run.found.fullest_ports = bridge->ports;
		COPY_TEXT(run.found.fullest, bridge->name);
	}
	verify_stray_link(live_link_at(&run.live, i), &run.found);
}

static size_t n_addrs(void)
{
	return run.live.addrs.n;
}

static void each_addr(size_t i)
{
	verify_stray_addr(&run.live, live_addr_at(&run.live, i), &run.found);
}

static const struct pass {
	size_t (*n)(void);
	void (*each)(size_t i);
} passes[] = {
    {cache_n_bridge, each_bridge}, {cache_n_tap, each_tap}, {cache_n_port, each_port}, {cache_n_connection, each_connection},
    {cache_n_route, each_route},   {n_links, each_link},    {n_addrs, each_addr},      {n_routes, each_live_route},
};
#define PASSES (sizeof(passes) / sizeof(*passes))

// Rows that come and go while it is at them move the others: then it begins again with what the kernel showed.
static void rewind_passes(void)
{
	bool unread = run.found.firewall_unread;

	drift_clear(&run.found);
	run.found.firewall_unread = unread;
	run.version = cache_version();
	run.busy = true;
	run.rewound++;
	live_forget_ports(&run.live);
	run.table = 0;
	run.at = 0;
}

static void compared(void)
{
	bool moved = run.busy || task_running() > 0 || task_made() != run.made || cache_version() != run.version;

	verify_sysctl(&run.found);
	if (run.second)
		drift_intersect(&run.found, &run.before);
	else if ((run.found.n > 0 || run.found.firewall_unread) && moved) {
		run.second = true;
		run.before = run.found;
		run.found = (struct drift_list){0};
		run.paused = true;
		evtimer_add(run.step, &(struct timeval){.tv_usec = AGAIN_MS * 1000});
		return;
	}
	finish(0);
}

// ---- the firewall: the helper reads it while the dumps are made ----

static void fw_answered(void *arg, const struct priv_reply *r)
{
	if (!run.fw_asked || (uintptr_t)arg != run.serial)
		return;
	run.fw_asked = false;
	evtimer_del(run.patience);
	run.fw = r != NULL ? verify_fw_create(r) : NULL;
	run.found.firewall_unread = run.fw == NULL;
	if (run.table == PASSES)
		event_active(run.step, EV_TIMEOUT, 0);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fw_answered((void *)run.serial, NULL);
}

static void ask_firewall(void)
{
	const struct op_fw_list_args a = {0};
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	verify_fw_destroy(run.fw);
	run.fw = NULL;
	run.serial++;
	run.fw_asked = helper_client_ready() && priv_fw_list(&a, NULL, fw_answered, (void *)run.serial) == 0;
	run.found.firewall_unread = !run.fw_asked;
	if (run.fw_asked)
		evtimer_add(run.patience, &patience);
}

// ---- the dumps: links, addresses, routes of ours ----

static void scan_begins(void)
{
	live_clear(&run.live);
}

// Takes what it sees; nothing of it is kept as a page.
static bool take(const struct nlmsghdr *h, const void *arg, char key[LOWEST_KEY])
{
	struct rtnl_link link;
	struct rtnl_addr addr;
	struct rtnl_route route;

	(void)arg;
	(void)key;
	if (h->nlmsg_type == RTM_NEWLINK && rtnl_parse_link(h, &link))
		live_add_link(&run.live, &link);
	else if (h->nlmsg_type == RTM_NEWADDR && rtnl_parse_addr(h, &addr))
		live_add_addr(&run.live, &addr);
	else if (h->nlmsg_type == RTM_NEWROUTE && rtnl_parse_route(h, &route) && route.protocol == OUR_PROTOCOL)
		live_add_route(&run.live, &route);
	return false;
}

static void scanned(struct lowest *page, int err, void *arg)
{
	(void)page;
	(void)arg;
	if (err != 0) {
		finish(err);
		return;
	}
	run.scanning = false;
	event_active(run.step, EV_TIMEOUT, 0);
}

static void scan(void)
{
	struct rtnl_scan s = {.n_asks = 4, .key = take, .begin = scan_begins, .keep = 1, .done = scanned};
	const struct ifinfomsg links = {.ifi_family = AF_UNSPEC};
	const struct ifaddrmsg addrs = {.ifa_family = AF_UNSPEC};
	const struct rtmsg four = {.rtm_family = AF_INET, .rtm_protocol = OUR_PROTOCOL};
	const struct rtmsg six = {.rtm_family = AF_INET6, .rtm_protocol = OUR_PROTOCOL};
	const uint32_t brief = RTEXT_FILTER_SKIP_STATS;

	rtnl_ask_begin(&s.asks[0], 'a', RTM_GETLINK, &links, sizeof(links));
	rtnl_ask_attr(&s.asks[0], IFLA_EXT_MASK, &brief, sizeof(brief));
	rtnl_ask_begin(&s.asks[1], 'b', RTM_GETADDR, &addrs, sizeof(addrs));
	rtnl_ask_begin(&s.asks[2], 'c', RTM_GETROUTE, &four, sizeof(four));
	rtnl_ask_begin(&s.asks[3], 'd', RTM_GETROUTE, &six, sizeof(six));
	run.scanning = true;
	run.table = 0;
	run.at = 0;
	run.version = cache_version();
	run.made = task_made();
	run.rewound = 0;
	run.busy = task_running() > 0;
	ask_firewall();
	rtnl_scan_start(&s);
}

// The next slice of the comparison; or, after the pause, the second one's dumps.
static void on_step(evutil_socket_t fd, short what, void *arg)
{
	uint64_t end = now_ns() + SLICE_NS;

	(void)fd;
	(void)what;
	(void)arg;
	if (run.scanning)
		return;
	if (run.paused) {
		run.paused = false;
		scan();
		return;
	}
	if (cache_version() != run.version && run.rewound < REWINDS)
		rewind_passes();
	while (run.table < PASSES && now_ns() < end) {
		const struct pass *p = &passes[run.table];
		for (size_t n = 0; n < BATCH && run.at < p->n(); n++)
			p->each(run.at++);
		if (run.at >= p->n()) {
			run.table++;
			run.at = 0;
		}
	}
	while (run.table == PASSES && !run.fw_asked && run.fw != NULL && now_ns() < end)
		if (!verify_fw_step(run.fw, &run.found)) {
			verify_fw_destroy(run.fw);
			run.fw = NULL;
		}
	if (run.table == PASSES && !run.fw_asked && run.fw == NULL)
		compared();
	else if (run.table < PASSES || !run.fw_asked)
		event_active(run.step, EV_TIMEOUT, 0);
}

static void start(void)
{
	if (run.step == NULL) {
		run.step = evtimer_new(daemon_base(), on_step, NULL);
		run.patience = evtimer_new(daemon_base(), on_patience, NULL);
	}
	run.running = true;
	drift_clear(&run.found);
	scan();
}

void verify(verify_done *done, void *arg)
{
	struct asker *a = xcalloc(1, sizeof(*a));

	if (run.now.stqh_last == NULL) {
		STAILQ_INIT(&run.now);
		STAILQ_INIT(&run.next);
	}
	*a = (struct asker){.done = done, .arg = arg};
	STAILQ_INSERT_TAIL(run.running ? &run.next : &run.now, a, link);
	if (!run.running)
		start();
}

static void drop(struct askers *list)
{
	struct asker *a, *next;

	for (a = list->stqh_last != NULL ? STAILQ_FIRST(list) : NULL; a != NULL; a = next) {
		next = STAILQ_NEXT(a, link);
		free(a);
	}
	STAILQ_INIT(list);
}

void verify_stop(void)
{
	drop(&run.now);
	drop(&run.next);
	drift_clear(&run.found);
	drift_clear(&run.before);
	live_finish(&run.live);
	verify_fw_destroy(run.fw);
	run.fw = NULL;
	if (run.step != NULL) {
		event_free(run.step);
		event_free(run.patience);
	}
	run.step = run.patience = NULL;
	run.running = false;
}
