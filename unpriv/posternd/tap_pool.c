// See tap_pool.h.  Taps are made one after the other; one that fails is tried again later, under another name.
#include "unpriv/posternd/tap_pool.h"

#include <event2/event.h>
#include <string.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/tap.h"
#include "unpriv/posternd/task.h"

#define ALIAS   "pool"
#define MARKED  "postern:tap:" ALIAS // as the helper writes it
#define AGAIN_S 10                   // after a failure

static char members[TAP_POOL_MAX][16]; // the oldest first
static size_t n;
static bool making;
static struct event *timer;

static void fill(void);

static void put(const char *name)
{
	copy_text(members[n++], sizeof(members[0]), name);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fill();
}

struct warm {
	struct task t;
	char name[16];
};

static void warm_step(struct task *t)
{
	struct warm *w = (struct warm *)t;
	const struct timeval later = {.tv_sec = AGAIN_S};
	struct op_tap_create_args a = {.has_alias = true, .alias = ALIAS};

	if (t->step++ == 0) {
		COPY_TEXT(a.name, w->name);
		task_priv(t, OP_tap_create, &a, NULL);
		return;
	}
	making = false;
	if (timer == NULL) { // stopped meanwhile: the next daemon takes it over
		task_done(t, true);
	} else if (priv_ok(t->reply)) {
		if (n < TAP_POOL_MAX)
			put(w->name);
		task_done(t, true);
		fill();
	} else {
		evtimer_add(timer, &later);
		task_fail(t);
	}
}

static void fill(void)
{
	struct warm *w;

	if (making || timer == NULL || n >= (size_t)daemon_config()->tap_pool)
		return;
	w = task_new(sizeof(*w), "tap for the pool", NULL, warm_step);
	if (!tap_free_name(daemon_config()->interface_prefix, w->name)) {
		task_done(&w->t, false);
		return;
	}
	making = true;
	task_run(&w->t);
}

static bool is_ours(const struct rtnl_link *l)
{
	const char *prefix = daemon_config()->interface_prefix;

	return strcmp(l->alias, MARKED) == 0 && strcmp(l->kind, "tun") == 0 && strncmp(l->name, prefix, strlen(prefix)) == 0 &&
	       cache_find_tap(l->name) == NULL;
}

// What is too many stays behind for the sweep.
void tap_pool_start(void)
{
	struct arena a = {0};
	struct rtnl_links links;

	timer = evtimer_new(daemon_base(), on_timer, NULL);
	if (rtnl_read_links(&(struct rtnl_filter){.brief = true}, &a, &links) != 0)
		links.n = 0;
	for (size_t i = 0; i < links.n && n < (size_t)daemon_config()->tap_pool; i++)
		if (is_ours(&links.v[i]))
			put(links.v[i].name);
	arena_finish(&a);
	if (n > 0)
		log_info("taps of the pool taken over", "n=%zu", n);
	fill();
}

void tap_pool_stop(void)
{
	if (timer != NULL)
		event_free(timer);
	timer = NULL;
	n = 0;
}

bool tap_pool_acquire(char out[16])
{
	bool found = false;

	while (n > 0 && !found) {
		memcpy(out, members[0], sizeof(members[0]));
		memmove(members[0], members[1], --n * sizeof(members[0]));
		found = cache_find_tap(out) == NULL; // else somebody has asked for it by its name
	}
	fill();
	return found;
}

bool tap_pool_has(const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(members[i], name) == 0)
			return true;
	return false;
}
