// net.interfaces: a page of the links by name, then the addresses of those that are in it.  A host has thousands of taps, and counters make a link's
// message long, so both are read in slices.
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/rtnl_window.h"

#define ADDRESSES 100000 // of one page, at most

// What is asked for, while it is looked for; lives in the request's arena.
struct interfaces {
	struct request *rq;
	struct net_view v;
	int *indices;      // of v.links, rising
	uint32_t *n_addrs; // that came
	struct link_names names;
};

static bool link_key(const struct nlmsghdr *h, const void *arg, char out[LOWEST_KEY])
{
	struct rtnl_link l;

	(void)arg;
	if (!rtnl_parse_link(h, &l))
		return false;
	snprintf(out, LOWEST_KEY, "l%s", l.name);
	return true;
}

static int by_index(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

// By link, and of one link in the kernel's order, where the primary address comes before those that depend on it.
static bool addr_key(const struct nlmsghdr *h, const void *arg, char out[LOWEST_KEY])
{
	const struct interfaces *k = arg;
	struct rtnl_addr r;

	if (!rtnl_parse_addr(h, &r) || bsearch(&r.index, k->indices, k->v.links.n, sizeof(int), by_index) == NULL)
		return false;
	*out = 'a';
	*lowest_u32(lowest_u32(out + 1, (uint32_t)r.index), (*k->n_addrs)++) = '\0';
	return true;
}

static bool fill(void *arg, size_t i, struct arena *a, void *element)
{
	struct interfaces *k = arg;
	const struct rtnl_link *link = &k->v.links.v[i];
	const char *master = link->master != 0 ? link_name(&k->names, link->master, k->rq->arena) : NULL;

	net_view_interface(&k->v, link, master, a, element);
	return true;
}

static void answer(struct interfaces *k)
{
	request_reply_list(k->rq, &(struct rpc_net_interfaces_result){0}, &(struct reply_list){.n = k->v.links.n, .fill = fill, .arg = k});
}

static void addrs_done(struct lowest *page, int err, void *arg)
{
	struct interfaces *k = arg;
	struct rtnl_addrs *l = &k->v.addrs;

	if (err == 0 && page->n == ADDRESSES)
		err = EBUSY;
	if (err != 0) {
		net_page_failed(k->rq, err, "addresses");
		return;
	}
	l->v = arena_alloc(k->rq->arena, (page->n + 1) * sizeof(*l->v));
	for (size_t i = 0; i < page->n; i++)
		if (rtnl_parse_addr((const struct nlmsghdr *)(const void *)page->v[i]->data, &l->v[l->n]))
			l->n++;
	answer(k);
}

static void read_addrs(struct interfaces *k)
{
	struct rtnl_scan s = {.n_asks = 1, .key = addr_key, .key_arg = k, .keep = ADDRESSES, .arg = k, .done = addrs_done};

	k->n_addrs = arena_zalloc(k->rq->arena, sizeof(*k->n_addrs));
	k->indices = arena_alloc(k->rq->arena, (k->v.links.n + 1) * sizeof(int));
	for (size_t i = 0; i < k->v.links.n; i++)
		k->indices[i] = k->v.links.v[i].index;
	qsort(k->indices, k->v.links.n, sizeof(int), by_index);
	rtnl_ask_begin(&s.asks[0], 'a', RTM_GETADDR, &(struct ifaddrmsg){0}, sizeof(struct ifaddrmsg));
	rtnl_scan_start(&s);
}

static void links_done(struct lowest *page, int err, void *arg)
{
	struct interfaces *k = arg;
	struct rtnl_links *l = &k->v.links;

	if (err != 0) {
		net_page_failed(k->rq, err, "interfaces");
		return;
	}
	l->v = arena_alloc(k->rq->arena, (page->n + 1) * sizeof(*l->v));
	for (size_t i = 0; i < page->n; i++)
		if (rtnl_parse_link((const struct nlmsghdr *)(const void *)page->v[i]->data, &l->v[l->n]))
			l->n++;
	read_addrs(k);
}

static void read_one(struct interfaces *k, const char *name)
{
	int err = rtnl_read_links(&(struct rtnl_filter){.name = name}, k->rq->arena, &k->v.links);

	if (err == 0 && k->v.links.n > 0)
		err = rtnl_read_addrs(&(struct rtnl_filter){.index = k->v.links.v[0].index}, k->rq->arena, &k->v.addrs);
	if (err == ENODEV || (err == 0 && k->v.links.n == 0))
		fail(k->rq, FAIL_NOT_FOUND, "there is no interface %s", name);
	else if (err != 0)
		fail_errno(k->rq, FAIL_IO, err, "%s can't be read", name);
	else
		answer(k);
}

void rpc_net_interfaces(struct request *rq, const struct rpc_net_interfaces_params *p)
{
	struct interfaces *k = arena_zalloc(rq->arena, sizeof(*k));
	struct rtnl_scan s = {.n_asks = 1, .key = link_key, .keep = net_page_keep(rq), .arg = k, .done = links_done};

	k->rq = rq;
	if (p->has_name) {
		read_one(k, p->name);
		return;
	}
	s.after = rq->cursor != NULL ? arena_printf(rq->arena, "l%s", rq->cursor) : NULL;
	rtnl_ask_begin(&s.asks[0], 'l', RTM_GETLINK, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	rtnl_window_page(&s, rq->arena);
}
