// See ct_forward.h.
//
// The kernel walks its whole table for a dump, but sends only what the filter lets through, so a few forwards cost a walk each, and many one
// walk that sends everything.  Entries are deleted after the walk, CHUNK at a time; a walk that found more than that is made again.
#include "helper/net/ct_forward.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "helper/net/ct.h"
#include "helper/net/nfnl.h"
#include "helper/net/rtnl.h"

#define CHUNK     256u
#define TUPLE_MAX 256u // bytes of a tuple's attribute
#define WALKS     8u   // most walks with a filter, before one without
#define ROUNDS    64u  // most walks in a row that found CHUNK entries
#define TRIES     3u
#define LOCALS    4096u // addresses of this host that are told apart from the world's
#define BUCKETS   1024u

// Bits of CTA_FILTER_ORIG_FLAGS (net/netfilter/nf_internals.h of the kernel).
#define FILTER_PROTO     (1u << 3)
#define FILTER_DEST_PORT (1u << 5)

struct noted {
	struct fw_record r;
	bool gone;
	uint32_t next; // in its bucket, counted from 1; 0 ends it
};

static struct noted *noted;
static uint32_t n_noted, room, bucket[BUCKETS];
static bool urgent;
static unsigned failed; // sweeps of what is noted

static uint8_t local[LOCALS][17];
static uint32_t n_local;

static struct {
	uint8_t family;
	uint16_t len;
	bool gone;
	uint8_t tuple[TUPLE_MAX]; // the attribute, as it came
	uint8_t zone[8];
	uint16_t zone_len;
} found[CHUNK];
static uint32_t n_found;

static uint32_t hash(uint8_t proto, uint16_t port)
{
	return (port * 31u + proto) % BUCKETS;
}

bool ct_forward_room(uint32_t n)
{
	struct noted *v;

	if (room - n_noted >= n)
		return true;
	v = malloc((n_noted + n) * sizeof(*v));
	if (v == NULL)
		return false;
	if (n_noted > 0)
		memcpy(v, noted, n_noted * sizeof(*v));
	free(noted);
	noted = v;
	room = n_noted + n;
	return true;
}

void ct_forward_note(const struct fw_record *r, bool gone)
{
	uint32_t *head = &bucket[hash(r->proto, r->port_lo)];

	if (r->kind != FW_DNAT || n_noted == room)
		return;
	noted[n_noted] = (struct noted){*r, gone, *head};
	*head = ++n_noted;
	urgent = urgent || gone;
}

bool ct_forward_urgent(void)
{
	return urgent;
}

static void forget(void)
{
	free(noted);
	noted = NULL;
	n_noted = room = failed = 0;
	urgent = false;
	memset(bucket, 0, sizeof(bucket));
}

// ---- addresses of this host ----

static void on_address(struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[IFA_MAX + 1], *a;
	const struct ifaddrmsg *m = nlmsg_data(h);

	(void)arg;
	if (h->nlmsg_type != RTM_NEWADDR || n_local == LOCALS || nlmsg_parse(h, sizeof(*m), tb, IFA_MAX, NULL) != 0)
		return;
	a = tb[IFA_LOCAL] != NULL ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (a == NULL || nla_len(a) > 16)
		return;
	memset(local[n_local], 0, sizeof(local[0]));
	local[n_local][0] = m->ifa_family == AF_INET ? 4 : 6;
	memcpy(local[n_local++] + 1, nla_data(a), (size_t)nla_len(a));
}

static int read_local(void)
{
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_REQUEST);
	struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};

	n_local = 0;
	if (m == NULL || nlmsg_append(m, &any, sizeof(any), NLMSG_ALIGNTO) != 0) {
		if (m != NULL)
			nlmsg_free(m);
		return -1;
	}
	return rtnl_dump(m, on_address, NULL);
}

static bool is_local(const struct ct_record *f)
{
	for (uint32_t i = 0; i < n_local; i++)
		if (local[i][0] == f->family && memcmp(local[i] + 1, f->orig.dst, 16) == 0)
			return true;
	return false;
}

// ---- which entries ----

static bool within(const struct wire_addr *net, const uint8_t *addr)
{
	for (unsigned i = 0; i < net->prefix; i++)
		if (((net->addr[i / 8] ^ addr[i / 8]) & 0x80u >> i % 8) != 0)
			return false;
	return true;
}

static bool concerns(const struct noted *k, const struct ct_record *f)
{
	const struct fw_record *r = &k->r;
	bool translated = memcmp(r->to.addr, f->reply.src, 16) == 0 && r->to_port == f->reply.sport;

	if (r->proto != f->proto || r->port_lo != f->orig.dport || r->to.family != f->family)
		return false;
	if ((r->host.family != 0 && memcmp(r->host.addr, f->orig.dst, 16) != 0) || (r->source.family != 0 && !within(&r->source, f->orig.src)))
		return false;
	return k->gone ? translated : !translated && (r->host.family != 0 || is_local(f));
}

static bool concerned(const struct ct_record *f, bool *gone)
{
	for (uint32_t i = bucket[hash(f->proto, f->orig.dport)]; i != 0; i = noted[i - 1].next)
		if (concerns(&noted[i - 1], f)) {
			*gone = noted[i - 1].gone;
			return true;
		}
	return false;
}

static uint16_t copy(uint8_t *to, size_t room_, const struct nlattr *a)
{
	uint16_t len = a != NULL && a->nla_len <= room_ ? a->nla_len : 0;

	if (len > 0)
		memcpy(to, a, len);
	return len;
}

static void on_entry(void *arg, const struct nlmsghdr *h)
{
	struct ct_entry e;
	bool gone;

	(void)arg;
	if (n_found == CHUNK || !ct_parse(h, &e) || (e.r.has & CT_PORTS) == 0 || !concerned(&e.r, &gone))
		return;
	found[n_found].family = e.r.family == 4 ? AF_INET : AF_INET6;
	found[n_found].gone = gone;
	found[n_found].len = copy(found[n_found].tuple, TUPLE_MAX, e.orig);
	found[n_found].zone_len = copy(found[n_found].zone, sizeof(found[0].zone), e.zone);
	n_found += found[n_found].len > 0;
}

// ---- walks ----

static void ignore(void *arg, const struct nlmsghdr *h)
{
	(void)arg;
	(void)h;
}

// Deletes what was found; an entry that ended by itself meanwhile is as good.
static uint32_t delete_found(void)
{
	char buf[NFNL_REQUEST];
	uint32_t flows = 0;

	for (uint32_t i = 0; i < n_found; i++) {
		struct nlmsghdr *h = nfnl_request(buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, found[i].family, 0);
		memcpy(mnl_nlmsg_get_payload_tail(h), found[i].tuple, found[i].len);
		h->nlmsg_len += (uint32_t)MNL_ALIGN(found[i].len);
		memcpy(mnl_nlmsg_get_payload_tail(h), found[i].zone, found[i].zone_len);
		h->nlmsg_len += (uint32_t)MNL_ALIGN(found[i].zone_len);
		if (nfnl_get(SYS_NFT, h, ignore, NULL) == 0 && found[i].gone)
			flows++;
	}
	return flows;
}

static struct nlmsghdr *walk_request(char *buf, const struct fw_record *only)
{
	uint8_t family = only == NULL ? AF_UNSPEC : only->to.family == 4 ? AF_INET : AF_INET6;
	struct nlmsghdr *h = nfnl_request(buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, family, 0);
	struct nlattr *t, *p;

	if (only == NULL)
		return h;
	t = mnl_attr_nest_start(h, CTA_TUPLE_ORIG);
	p = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, only->proto);
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(only->port_lo));
	mnl_attr_nest_end(h, p);
	mnl_attr_nest_end(h, t);
	t = mnl_attr_nest_start(h, CTA_FILTER);
	mnl_attr_put_u32(h, CTA_FILTER_ORIG_FLAGS, FILTER_PROTO | FILTER_DEST_PORT);
	mnl_attr_put_u32(h, CTA_FILTER_REPLY_FLAGS, 0);
	mnl_attr_nest_end(h, t);
	return h;
}

// One walk, and more where CHUNK didn't hold what it found.
static int walk(const struct fw_record *only, uint32_t *flows)
{
	char buf[NFNL_REQUEST];

	for (unsigned round = 0; round < ROUNDS; round++) {
		int err;
		n_found = 0;
		err = nfnl_dump(SYS_NFT, walk_request(buf, only), on_entry, NULL);
		if (err != 0)
			return err;
		*flows += delete_found();
		if (n_found < CHUNK)
			return 0;
	}
	return 0;
}

static void on_stats(void *arg, const struct nlmsghdr *h)
{
	struct nlattr *tb[CTA_STATS_GLOBAL_MAX + 1];
	uint32_t be;

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct nfgenmsg), tb, CTA_STATS_GLOBAL_MAX, NULL) != 0 ||
	    tb[CTA_STATS_GLOBAL_ENTRIES] == NULL || nla_len(tb[CTA_STATS_GLOBAL_ENTRIES]) != sizeof(be))
		return;
	memcpy(&be, nla_data(tb[CTA_STATS_GLOBAL_ENTRIES]), sizeof(be));
	*(bool *)arg = be == 0;
}

// True when this network has no connection: a walk would still pass every bucket, of which there are 262,144 on a large host.
static bool no_connections(void)
{
	char buf[NFNL_REQUEST];
	bool none = false;

	nfnl_get(SYS_NFT, nfnl_request(buf, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS, AF_UNSPEC, 0), on_stats, &none);
	return none;
}

uint32_t ct_forward_sweep(void)
{
	uint32_t flows = 0;
	int err;

	if (n_noted > 0 && no_connections())
		forget();
	err = n_noted == 0 ? 0 : read_local();

	if (n_noted > WALKS && err == 0)
		err = walk(NULL, &flows);
	for (uint32_t i = 0; n_noted <= WALKS && i < n_noted && err == 0; i++)
		err = walk(&noted[i].r, &flows);
	if (err == 0 || ++failed == TRIES)
		forget();
	return flows;
}

void ct_forward_tick(void)
{
	if (n_noted > 0)
		ct_forward_sweep();
}
