// See rtnl_window.h.
#include "unpriv/posternd/rtnl_window.h"

#include <event2/event.h>
#include <string.h>

#include "unpriv/posternd/daemon.h"

#define ENTRIES   10001 // that a dump keeps: the largest page and one more
#define HELD_SECS 5
#define SLOTS     4

// Entries of one listing.
static struct window {
	struct rtnl_scan s; // what makes a listing the same; asks and key
	struct lowest page; // room 0: the slot is free
	bool whole;         // the table ends with it
	struct event *timer;
} windows[SLOTS];
static unsigned next_slot;

static bool same_listing(const struct rtnl_scan *a, const struct rtnl_scan *b)
{
	if (a->n_asks != b->n_asks || a->key != b->key)
		return false;
	for (unsigned i = 0; i < a->n_asks; i++) {
		const struct rtnl_ask *x = &a->asks[i], *y = &b->asks[i];
		if (x->h.nlmsg_len != y->h.nlmsg_len || x->h.nlmsg_type != y->h.nlmsg_type || memcmp(x->payload, y->payload, sizeof(x->payload)) != 0)
			return false;
	}
	return true;
}

static struct window *find(const struct rtnl_scan *s)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (windows[i].page.v != NULL && same_listing(&windows[i].s, s))
			return &windows[i];
	return NULL;
}

static void drop(struct window *w)
{
	if (w->timer != NULL)
		event_free(w->timer);
	lowest_clear(&w->page);
	*w = (struct window){0};
}

static void on_old(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drop(arg);
}

// Hands at most s->keep entries on, from the first'th.
static void give(const struct rtnl_scan *s, const struct lowest *page, size_t first)
{
	size_t left = page->n - first;
	struct lowest cut = {.keep = s->keep, .n = left < s->keep ? left : s->keep, .v = page->v + first};

	s->done(&cut, 0, s->arg);
}

// Takes the entries over from a dump.
static void hold(const struct rtnl_scan *s, struct lowest *page, bool whole)
{
	struct window *w = find(s);

	if (w == NULL)
		w = &windows[next_slot++ % SLOTS];
	drop(w);
	w->s = *s;
	w->page = *page;
	w->whole = whole;
	*page = (struct lowest){.keep = page->keep};
	w->timer = evtimer_new(daemon_base(), on_old, w);
	if (w->timer == NULL || evtimer_add(w->timer, &(struct timeval){.tv_sec = HELD_SECS}) != 0)
		drop(w);
}

static void filled(struct lowest *page, int err, void *arg)
{
	struct rtnl_scan s = *(const struct rtnl_scan *)arg; // the request, and its arena, end with done()

	if (err != 0) {
		s.done(page, err, s.arg);
		return;
	}
	give(&s, page, 0);
	if (page->n >= s.keep)
		hold(&s, page, page->n < ENTRIES);
}

// The place of the entry with this key; page->n where there is none.
static size_t place_of(const struct lowest *page, const char *key)
{
	size_t low = 0, high = page->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(page->v[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < page->n && strcmp(page->v[low]->key, key) == 0 ? low : page->n;
}

// Serves a page that follows another one.  False where it isn't held in full.
static bool serve(const struct rtnl_scan *s)
{
	struct window *w = s->after != NULL ? find(s) : NULL;
	size_t at = w != NULL ? place_of(&w->page, s->after) : 0;

	if (w == NULL || at == w->page.n || (!w->whole && w->page.n - at - 1 < s->keep))
		return false;
	bool end = w->whole && w->page.n - at - 1 < s->keep;
	give(s, &w->page, at + 1);
	if (end)
		drop(w);
	return true;
}

void rtnl_window_page(const struct rtnl_scan *s, struct arena *a)
{
	struct rtnl_scan wide = *s, *asked;

	if (serve(s))
		return;
	asked = arena_alloc(a, sizeof(*asked));
	*asked = *s;
	wide.keep = ENTRIES;
	wide.done = filled;
	wide.arg = asked;
	rtnl_scan_start(&wide);
}

void rtnl_window_stop(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		drop(&windows[i]);
}
