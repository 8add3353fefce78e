// Connection tracking's messages.  See ct.h.
//
// A dump may have a million of them: attributes are walked in place, without a call for each.
#include "helper/net/ct.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#define TABLE(max) ((max) + 1)
#define HEAD       sizeof(struct nlattr)

// Notes where each attribute of p[0..len) is, up to type max.
static void walk(const void *p, size_t len, const struct nlattr **out, unsigned max)
{
	const char *at = p;

	for (unsigned i = 0; i <= max; i++)
		out[i] = NULL;
	while (len >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const struct nlattr *)(const void *)at;
		unsigned type = a->nla_type & (unsigned)NLA_TYPE_MASK;
		size_t step = ((size_t)a->nla_len + 3) & ~(size_t)3;

		if (a->nla_len < sizeof(*a) || a->nla_len > len)
			return;
		if (type <= max)
			out[type] = a;
		if (step >= len)
			return;
		at += step;
		len -= step;
	}
}

static const void *body(const struct nlattr *a, size_t size)
{
	return a != NULL && a->nla_len >= HEAD + size ? (const char *)a + HEAD : NULL;
}

static void nested(const struct nlattr *a, const struct nlattr **out, unsigned max)
{
	if (a != NULL)
		walk((const char *)a + HEAD, (size_t)a->nla_len - HEAD, out, max);
	else
		walk("", 0, out, max);
}

static uint32_t be32(const struct nlattr *a)
{
	const void *p = body(a, sizeof(uint32_t));
	uint32_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static uint16_t be16(const struct nlattr *a)
{
	const void *p = body(a, sizeof(uint16_t));
	uint16_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return ntohs(v);
}

static uint8_t byte(const struct nlattr *a)
{
	const uint8_t *p = body(a, 1);

	return p != NULL ? *p : 0;
}

static uint64_t be64(const struct nlattr *a)
{
	const void *p = body(a, sizeof(uint64_t));
	uint32_t v[2] = {0, 0};

	if (p != NULL)
		memcpy(v, p, sizeof(v));
	return (uint64_t)ntohl(v[0]) << 32 | ntohl(v[1]);
}

static bool addresses(const struct nlattr *ip, uint8_t family, struct ct_side *s)
{
	const struct nlattr *a[TABLE(CTA_IP_V6_DST)];
	bool six = family == 6;
	size_t size = six ? 16 : 4;

	nested(ip, a, CTA_IP_V6_DST);
	const void *src = body(a[six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC], size), *dst = body(a[six ? CTA_IP_V6_DST : CTA_IP_V4_DST], size);
	if (src == NULL || dst == NULL)
		return false;
	memcpy(s->src, src, size);
	memcpy(s->dst, dst, size);
	return true;
}

static void ports(const struct nlattr *proto, struct ct_record *r, struct ct_side *s)
{
	const struct nlattr *a[TABLE(CTA_PROTO_ICMPV6_CODE)];

	nested(proto, a, CTA_PROTO_ICMPV6_CODE);
	r->proto = byte(a[CTA_PROTO_NUM]);
	if (a[CTA_PROTO_SRC_PORT] != NULL) {
		r->has |= CT_PORTS;
		s->sport = be16(a[CTA_PROTO_SRC_PORT]);
		s->dport = be16(a[CTA_PROTO_DST_PORT]);
	} else if (a[CTA_PROTO_ICMP_ID] != NULL || a[CTA_PROTO_ICMPV6_ID] != NULL) {
		unsigned base = a[CTA_PROTO_ICMP_ID] != NULL ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID;

		r->has |= CT_ICMP;
		s->sport = be16(a[base]);
		s->dport = (uint16_t)(byte(a[base + 1]) << 8 | byte(a[base + 2]));
	}
}

static bool side(const struct nlattr *tuple, struct ct_record *r, struct ct_side *s)
{
	const struct nlattr *a[TABLE(CTA_TUPLE_ZONE)];

	nested(tuple, a, CTA_TUPLE_ZONE);
	if (a[CTA_TUPLE_PROTO] == NULL || !addresses(a[CTA_TUPLE_IP], r->family, s))
		return false;
	ports(a[CTA_TUPLE_PROTO], r, s);
	if (a[CTA_TUPLE_ZONE] != NULL)
		r->zone = be16(a[CTA_TUPLE_ZONE]);
	return true;
}

static void counters(const struct nlattr *c, struct ct_record *r, struct ct_side *s)
{
	const struct nlattr *a[TABLE(CTA_COUNTERS_BYTES)];

	if (c == NULL)
		return;
	nested(c, a, CTA_COUNTERS_BYTES);
	s->packets = be64(a[CTA_COUNTERS_PACKETS]);
	s->bytes = be64(a[CTA_COUNTERS_BYTES]);
	r->has |= CT_COUNTERS;
}

// In each protocol's own nest the state comes first, under type 1.
static void state(const struct nlattr *info, struct ct_record *r)
{
	const struct nlattr *a[TABLE(CTA_PROTOINFO_SCTP)], *s[TABLE(CTA_PROTOINFO_TCP_STATE)];

	if (info == NULL)
		return;
	nested(info, a, CTA_PROTOINFO_SCTP);
	for (unsigned i = CTA_PROTOINFO_TCP; i <= CTA_PROTOINFO_SCTP; i++) {
		if (a[i] == NULL)
			continue;
		nested(a[i], s, CTA_PROTOINFO_TCP_STATE);
		if (s[CTA_PROTOINFO_TCP_STATE] != NULL) {
			r->state = byte(s[CTA_PROTOINFO_TCP_STATE]);
			r->has |= CT_STATE;
		}
	}
}

bool ct_parse(const struct nlmsghdr *h, struct ct_entry *e)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	const struct nlattr *a[TABLE(CTA_SYNPROXY)];

	memset(e, 0, sizeof(*e));
	if (h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) || h->nlmsg_len < NLMSG_LENGTH(sizeof(*g)))
		return false;
	walk(g + 1, h->nlmsg_len - NLMSG_LENGTH(sizeof(*g)), a, CTA_SYNPROXY);
	e->r.family = g->nfgen_family == AF_INET6 ? 6 : 4;
	if (body(a[CTA_ID], sizeof(uint32_t)) == NULL || a[CTA_TUPLE_REPLY] == NULL || !side(a[CTA_TUPLE_REPLY], &e->r, &e->r.reply) ||
	    a[CTA_TUPLE_ORIG] == NULL || !side(a[CTA_TUPLE_ORIG], &e->r, &e->r.orig))
		return false;
	e->orig = a[CTA_TUPLE_ORIG];
	e->zone = a[CTA_ZONE];
	e->id = a[CTA_ID];
	e->r.id = be32(a[CTA_ID]);
	e->r.status = be32(a[CTA_STATUS]);
	e->r.mark = be32(a[CTA_MARK]);
	if (a[CTA_ZONE] != NULL)
		e->r.zone = be16(a[CTA_ZONE]);
	if (a[CTA_TIMEOUT] != NULL) {
		e->r.timeout = be32(a[CTA_TIMEOUT]);
		e->r.has |= CT_TIMEOUT;
	}
	counters(a[CTA_COUNTERS_ORIG], &e->r, &e->r.orig);
	counters(a[CTA_COUNTERS_REPLY], &e->r, &e->r.reply);
	state(a[CTA_PROTOINFO], &e->r);
	return true;
}

bool ct_parse_cpu(const struct nlmsghdr *h, struct ct_cpu *cpu)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	const struct nlattr *a[TABLE(CTA_STATS_CHAIN_TOOLONG)];

	if (h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU) || h->nlmsg_len < NLMSG_LENGTH(sizeof(*g)))
		return false;
	walk(g + 1, h->nlmsg_len - NLMSG_LENGTH(sizeof(*g)), a, CTA_STATS_CHAIN_TOOLONG);
	*cpu = (struct ct_cpu){
	    .cpu = ntohs(g->res_id),
	    .found = be32(a[CTA_STATS_FOUND]),
	    .invalid = be32(a[CTA_STATS_INVALID]),
	    .insert = be32(a[CTA_STATS_INSERT]),
	    .insert_failed = be32(a[CTA_STATS_INSERT_FAILED]),
	    .drop = be32(a[CTA_STATS_DROP]),
	    .early_drop = be32(a[CTA_STATS_EARLY_DROP]),
	    .error = be32(a[CTA_STATS_ERROR]),
	    .search_restart = be32(a[CTA_STATS_SEARCH_RESTART]),
	    .clash_resolve = be32(a[CTA_STATS_CLASH_RESOLVE]),
	    .chain_toolong = be32(a[CTA_STATS_CHAIN_TOOLONG]),
	};
	return true;
}

// Is the address in the network?
static bool inside(const uint8_t *address, uint8_t family, const struct wire_addr *net)
{
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;

	return family == net->family && memcmp(address, net->addr, whole) == 0 &&
	       (rest == 0 || (address[whole] ^ net->addr[whole]) >> (8 - rest) == 0);
}

bool ct_fits(const struct ct_record *r, const struct op_conntrack_flush_args *q)
{
	if ((q->has_family && r->family != (q->family == CT_FAMILY_6 ? 6 : 4)) || (q->has_zone && r->zone != q->zone) ||
	    (q->has_proto && r->proto != q->proto))
		return false;
	if ((q->has_port || q->has_peer_port) && (r->has & CT_PORTS) == 0)
		return false;
	return (!q->has_port || r->orig.dport == q->port) && (!q->has_peer_port || r->reply.sport == q->peer_port) &&
	       (!q->has_address || inside(r->orig.dst, r->family, &q->address)) && (!q->has_peer || inside(r->reply.src, r->family, &q->peer));
}

struct nlmsghdr *ct_begin(void *buf, uint8_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g->nfgen_family = family;
	return h;
}

struct nlmsghdr *ct_ask(void *buf, const struct op_conntrack_flush_args *q)
{
	uint8_t family = !q->has_family ? AF_UNSPEC : q->family == CT_FAMILY_6 ? AF_INET6 : AF_INET;
	struct nlmsghdr *h = ct_begin(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);

	if (q->has_zone)
		mnl_attr_put_u16(h, CTA_ZONE, htons((uint16_t)q->zone)); // since Linux 6.8; older ones pass over it
	return h;
}
