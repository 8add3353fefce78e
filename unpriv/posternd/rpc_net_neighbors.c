// net.neighbors: a page of the kernel's ARP and neighbour discovery tables.
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/rtnl_neigh.h"
#include "unpriv/posternd/rtnl_window.h"

// What is asked for, while it is looked for; lives in the request's arena.
struct neighbors {
	struct request *rq;
	uint32_t index; // of the link; 0: any
	struct link_names names;
	struct lowest page;
};

static const struct bit_name flag_names[] = {
    {NTF_ROUTER, "router"}, {NTF_PROXY, "proxy"}, {NTF_EXT_LEARNED, "extern_learn"}, {NTF_OFFLOADED, "offload"}, {NTF_STICKY, "sticky"},
};

static const char *state_name(uint16_t state)
{
	switch (state) {
	case NUD_INCOMPLETE: return "incomplete";
	case NUD_REACHABLE: return "reachable";
	case NUD_STALE: return "stale";
	case NUD_DELAY: return "delay";
	case NUD_PROBE: return "probe";
	case NUD_FAILED: return "failed";
	case NUD_NOARP: return "noarp";
	case NUD_PERMANENT: return "permanent";
	default: return "none";
	}
}

static bool key(const struct nlmsghdr *h, const void *arg, char out[LOWEST_KEY])
{
	const struct neighbors *k = arg;
	struct rtnl_neigh n;

	if (!rtnl_parse_neigh(h, &n) || (k->index != 0 && (uint32_t)n.index != k->index))
		return false;
	rtnl_neigh_key(&n, out);
	return true;
}

static const char *mac(const struct rtnl_neigh *n, struct arena *a)
{
	char *text = arena_alloc(a, MAC_TEXT);

	mac_text(n->mac, text);
	return text;
}

// False where the link went meanwhile, and its neighbours with it.
static bool fill(void *arg, size_t i, struct arena *a, void *element)
{
	struct neighbors *k = arg;
	const struct low *x = k->page.v[i];
	struct obj_neighbor *o = element;
	struct rtnl_neigh n;

	rtnl_parse_neigh((const struct nlmsghdr *)(const void *)x->data, &n);
	*o = (struct obj_neighbor){
	    .has_id = true,
	    .id = x->key,
	    .family = net_family_name(n.family),
	    .address = net_ip_text(n.family, n.addr, a),
	    .device = link_name(&k->names, n.index, k->rq->arena),
	    .has_mac = n.has_mac,
	    .mac = n.has_mac ? mac(&n, a) : NULL,
	    .state = state_name(n.state),
	    .flags = NET_VIEW_BITS(flag_names, n.flags, a),
	};
	return o->device != NULL;
}

static void done(struct lowest *page, int err, void *arg)
{
	struct neighbors *k = arg;

	if (err != 0) {
		net_page_failed(k->rq, err, "neighbours");
		return;
	}
	k->page = lowest_copy(page, k->rq->arena);
	request_reply_list(k->rq, &(struct rpc_net_neighbors_result){0}, &(struct reply_list){.n = k->page.n, .fill = fill, .arg = k});
}

static void ask(struct rtnl_scan *s, uint8_t family, uint32_t index)
{
	struct rtnl_ask *q = &s->asks[s->n_asks++];

	rtnl_ask_begin(q, family == AF_INET ? '4' : '6', RTM_GETNEIGH, &(struct ndmsg){.ndm_family = family}, sizeof(struct ndmsg));
	if (index != 0)
		rtnl_ask_attr(q, NDA_IFINDEX, &index, sizeof(index));
}

// The index of the link asked for; false after it has answered the failure.
static bool read_device(struct neighbors *k, const char *name)
{
	struct rtnl_links l;
	int err = rtnl_read_links(&(struct rtnl_filter){.name = name}, k->rq->arena, &l);

	if (err == ENODEV || (err == 0 && l.n == 0))
		fail(k->rq, FAIL_NOT_FOUND, "there is no interface %s", name);
	else if (err != 0)
		fail_errno(k->rq, FAIL_IO, err, "%s can't be looked up", name);
	else
		k->index = (uint32_t)l.v[0].index;
	return k->index != 0;
}

void rpc_net_neighbors(struct request *rq, const struct rpc_net_neighbors_params *p)
{
	struct neighbors *k = arena_zalloc(rq->arena, sizeof(*k));
	struct rtnl_scan s = {.key = key, .key_arg = k, .keep = net_page_keep(rq), .after = rq->cursor, .arg = k, .done = done};

	k->rq = rq;
	if (p->has_device && !read_device(k, p->device))
		return;
	if (!p->has_family || p->family == ip_family_inet)
		ask(&s, AF_INET, k->index);
	if (!p->has_family || p->family == ip_family_inet6)
		ask(&s, AF_INET6, k->index);
	rtnl_window_page(&s, rq->arena);
}
