// See rtnl_window.h.
#include "unpriv/posternd/rtnl_window.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/daemon.h"

#define ENTRIES   10001 // that a dump keeps: the largest page and one more
#define ONE_READ  2048  // entries that a buffer of 64 KiB brings at most
#define HELD_SECS 5
#define SLOTS     4

// Entries of one listing.
static struct window {
	struct rtnl_scan s; // what makes a listing the same; asks and key
	struct lowest page; // v NULL: the slot is free
	bool whole;         // the table ends with it
	struct scan *rest;  // what brings the entries behind it, or NULL
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
	if (w->rest != NULL)
		rtnl_scan_drop(w->rest);
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

// Takes the entries over from a dump, and the dump where it isn't over.
static void hold(const struct rtnl_scan *s, struct lowest *page, bool whole, struct scan *rest)
{
	struct window *w = find(s);

	if (w == NULL)
		w = &windows[next_slot++ % SLOTS];
	drop(w);
	w->s = *s;
	w->page = *page;
	w->whole = whole;
	w->rest = rest;
	*page = (struct lowest){.keep = page->keep};
	w->timer = evtimer_new(daemon_base(), on_old, w);
	if (w->timer == NULL || evtimer_add(w->timer, &(struct timeval){.tv_sec = HELD_SECS}) != 0)
		drop(w);
}

// What was asked for, while a dump runs; lives in the request's arena.
struct asked {
	struct rtnl_scan s;
	size_t shown; // entries at the page's beginning that the client has
};

static void filled(struct lowest *page, int err, void *arg)
{
	struct asked k = *(const struct asked *)arg; // the request, and its arena, end with done()

	if (err != 0) {
		k.s.done(page, err, k.s.arg);
		return;
	}
	bool more = page->n - k.shown >= k.s.keep;
	give(&k.s, page, k.shown);
	if (more)
		hold(&k.s, page, page->n < page->keep, NULL);
}

static void filled_part(struct lowest *page, struct scan *rest, void *arg)
{
	struct asked k = *(const struct asked *)arg;

	give(&k.s, page, k.shown);
	hold(&k.s, page, false, rest);
}

// A dump for what was asked, behind `shown` entries that are there.
static struct rtnl_scan dump_for(struct asked *k)
{
	struct rtnl_scan wide = k->s;

	wide.keep = ENTRIES + ONE_READ;
	wide.enough = k->shown + k->s.keep;
	wide.done = filled;
	wide.part = filled_part;
	wide.arg = k;
	return wide;
}

// The place of the entry with this key; page->n where there is none.
static size_t place_of(const struct lowest *page, const char *key)
{
	size_t at = lowest_place(page, key);

	return at < page->n && strcmp(page->v[at]->key, key) == 0 ? at : page->n;
}

// Drops what was shown before the entry at `first`.
static void drop_before(struct lowest *page, size_t first)
{
	for (size_t i = 0; i < first; i++)
		free(page->v[i]);
	page->n -= first;
	memmove(page->v, page->v + first, page->n * sizeof(void *));
}

// Lets the dump of a window go on behind the entry at `last`.
static void go_on(struct window *w, size_t last, struct asked *k)
{
	struct lowest page = w->page;
	struct scan *rest = w->rest;
	struct rtnl_scan wide;

	w->page = (struct lowest){0};
	w->rest = NULL;
	drop(w);
	drop_before(&page, last);
	k->shown = 1;
	wide = dump_for(k);
	rtnl_scan_resume(rest, &page, &wide);
}

// Serves a page that follows another one.  False where it isn't held in full.
static bool serve(struct asked *k)
{
	const struct rtnl_scan *s = &k->s;
	struct window *w = s->after != NULL ? find(s) : NULL;
	size_t at = w != NULL ? place_of(&w->page, s->after) : 0;

	if (w == NULL || at == w->page.n)
		return false;
	bool full = w->page.n - at - 1 >= s->keep;
	if (w->rest != NULL && !(full && rtnl_scan_complete(&w->page, at + s->keep))) {
		go_on(w, at, k);
		return true;
	}
	if (!full && !w->whole)
		return false;
	give(s, &w->page, at + 1);
	if (!full)
		drop(w);
	return true;
}

void rtnl_window_page(const struct rtnl_scan *s, struct arena *a)
{
	struct asked *k = arena_zalloc(a, sizeof(*k));

	k->s = *s;
	if (!serve(k)) {
		struct rtnl_scan wide = dump_for(k);
		rtnl_scan_start(&wide);
	}
}

void rtnl_window_stop(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		drop(&windows[i]);
}
