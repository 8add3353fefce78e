// The rules of table inet postern.  See fw.h.
//
// As nft shows them, for IPv4 (IPv6 likewise), without the lookups into the more particular sets:
//
//     chain prerouting, nat: dnat ip to ip daddr . meta l4proto . th dport map @dnat4_host
//                            fib daddr type != local return
//                            dnat ip to meta l4proto . th dport map @dnat4
//     chain output, nat:     the same for what this host sends itself, but for forwards that are bound to a link or source; and not to
//                            127.0.0.1, which no other machine could answer
//     chain forward:         ct state new ct status dnat fib daddr . iif oif exists add @hairpin { iifname . oifname }
//                            ct status dnat accept
//     chain postrouting, nat:ct status dnat iifname . oifname @hairpin masquerade
//                            snat ip to oifname . ip saddr map @snat4;  oifname . ip saddr @masq4 masquerade
//     chain input:           replies, loopback, neighbour discovery, meta l4proto . th dport @allow accept, then a rule each
//
// A forward to a machine on the link that its client is on ("hairpin") needs a masquerade, or the answer would go to the client straight.  That
// link can't be said in postrouting, where a rule can't compare two of its own values; so chain forward, where the route tells, notes it in a
// set.  What stands in there is always a link twice, so nothing in it can ever be wrong.
#include <arpa/inet.h>
#include <stdio.h>

#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#include "helper/net/fw.h"
#include "helper/net/fw_expr.h"

#define UDATA_RECORD 0x70 // type of the record's bytes in a rule's userdata; nft passes over what it doesn't know
#define TEXT_MAX     4096
#define LOCAL        2u // RTN_LOCAL


// ---- the fixed ones ----

typedef void fill(struct nftnl_rule *r, const struct fw_set *s);

static void by_set(struct nftnl_rule *r, const struct fw_set *s)
{
	expr_lookup(r, s);
	if (s->kind == FW_MASQUERADE)
		expr_add(r, "masq");
	else if (s->kind == FW_ALLOW)
		expr_verdict(r, NF_ACCEPT);
	else
		expr_translate(r, s);
}

// Of a map with ranges: nft reads its own listing back only where a rule names the protocol before it names a port, so each has its own rule.
static void by_ranges(struct nftnl_rule *r, const struct fw_set *s, uint8_t proto)
{
	expr_meta(r, NFT_META_L4PROTO, 0);
	expr_equals(r, &proto, 1);
	by_set(r, s);
}

static void by_tcp(struct nftnl_rule *r, const struct fw_set *s)
{
	by_ranges(r, s, IPPROTO_TCP);
}

static void by_udp(struct nftnl_rule *r, const struct fw_set *s)
{
	by_ranges(r, s, IPPROTO_UDP);
}

static void by_sctp(struct nftnl_rule *r, const struct fw_set *s)
{
	by_ranges(r, s, IPPROTO_SCTP);
}

static void not_local(struct nftnl_rule *r, const struct fw_set *s)
{
	const uint32_t local = LOCAL;

	(void)s;
	expr_fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR);
	expr_compare(r, NFT_CMP_NEQ, &local, sizeof(local));
	expr_verdict(r, (uint32_t)NFT_RETURN);
}

static void loopback(struct nftnl_rule *r, const struct fw_set *s)
{
	(void)s;
	expr_meta(r, NFT_META_NFPROTO, 0);
	expr_equals(r, &(uint8_t){NFPROTO_IPV4}, 1);
	expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 1, 0);
	expr_equals(r, &(uint8_t){127}, 1);
	expr_verdict(r, (uint32_t)NFT_RETURN);
}

static void loopback6(struct nftnl_rule *r, const struct fw_set *s)
{
	static const uint8_t one[16] = {[15] = 1};

	(void)s;
	expr_family_is(r, 6);
	expr_address(r, 6, false, 0);
	expr_equals(r, one, sizeof(one));
	expr_verdict(r, (uint32_t)NFT_RETURN);
}

static void two_links(struct nftnl_rule *r)
{
	expr_meta(r, NFT_META_IIFNAME, 0);
	expr_meta(r, NFT_META_OIFNAME, 4);
}

static void note_hairpin(struct nftnl_rule *r, const struct fw_set *s)
{
	struct nftnl_expr *e;
	const uint32_t yes = 1;

	(void)s;
	expr_connection(r, NFT_CT_STATE, 8); // NF_CT_STATE_BIT(IP_CT_NEW)
	expr_connection(r, NFT_CT_STATUS, IPS_DST_NAT);
	expr_fib(r, NFT_FIB_RESULT_OIF, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
	expr_equals(r, &yes, sizeof(yes));
	two_links(r);
	e = expr_add(r, "dynset");
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, expr_reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, FW_HAIRPIN);
}

static void forwarded(struct nftnl_rule *r, const struct fw_set *s)
{
	(void)s;
	expr_connection(r, NFT_CT_STATUS, IPS_DST_NAT);
	expr_verdict(r, NF_ACCEPT);
}

static void hairpin(struct nftnl_rule *r, const struct fw_set *s)
{
	struct nftnl_expr *e;

	(void)s;
	expr_connection(r, NFT_CT_STATUS, IPS_DST_NAT);
	two_links(r);
	e = expr_add(r, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, expr_reg(0));
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, FW_HAIRPIN);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, 0);
	expr_add(r, "masq");
}

static void replies(struct nftnl_rule *r, const struct fw_set *s)
{
	(void)s;
	expr_connection(r, NFT_CT_STATE, 6); // NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED
	expr_verdict(r, NF_ACCEPT);
}

static void from_loopback(struct nftnl_rule *r, const struct fw_set *s)
{
	static const char lo[16] = "lo";

	(void)s;
	expr_meta(r, NFT_META_IIFNAME, 0);
	expr_equals(r, lo, sizeof(lo));
	expr_verdict(r, NF_ACCEPT);
}

// Multicast listeners, routers, neighbours: types 130 to 136 of RFC 4443 and its kin.
static void discovery(struct nftnl_rule *r, const struct fw_set *s)
{
	(void)s;
	expr_meta(r, NFT_META_L4PROTO, 0);
	expr_equals(r, &(uint8_t){IPPROTO_ICMPV6}, 1);
	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
	expr_compare(r, NFT_CMP_GTE, &(uint8_t){130}, 1);
	expr_compare(r, NFT_CMP_LTE, &(uint8_t){136}, 1);
	expr_verdict(r, NF_ACCEPT);
}

static const struct fixed {
	const char *chain;
	fill *fill;
	bool each; // a rule for each set of this kind that has these parts and hasn't those
	enum fw_kind kind;
	uint8_t with, without;
} fixed[] = {
    {"prerouting", by_tcp, true, FW_DNAT, PART_HOST | PART_SOURCE, 0},
    {"prerouting", by_udp, true, FW_DNAT, PART_HOST | PART_SOURCE, 0},
    {"prerouting", by_sctp, true, FW_DNAT, PART_HOST | PART_SOURCE, 0},
    {"prerouting", by_set, true, FW_DNAT, PART_HOST, PART_SOURCE},
    {"prerouting", not_local, false, 0, 0, 0},
    {"prerouting", by_tcp, true, FW_DNAT, PART_SOURCE, PART_HOST},
    {"prerouting", by_udp, true, FW_DNAT, PART_SOURCE, PART_HOST},
    {"prerouting", by_sctp, true, FW_DNAT, PART_SOURCE, PART_HOST},
    {"prerouting", by_set, true, FW_DNAT, 0, PART_SOURCE | PART_HOST},
    {"output", by_set, true, FW_DNAT, PART_HOST, PART_LINK | PART_SOURCE},
    {"output", loopback, false, 0, 0, 0},
    {"output", loopback6, false, 0, 0, 0},
    {"output", not_local, false, 0, 0, 0},
    {"output", by_set, true, FW_DNAT, 0, PART_LINK | PART_SOURCE | PART_HOST},
    {"forward", note_hairpin, false, 0, 0, 0},
    {"forward", forwarded, false, 0, 0, 0},
    {"postrouting", hairpin, false, 0, 0, 0},
    {"postrouting", by_set, true, FW_SNAT, 0, 0},
    {"postrouting", by_set, true, FW_MASQUERADE, 0, 0},
    {"input", replies, false, 0, 0, 0},
    {"input", from_loopback, false, 0, 0, 0},
    {"input", discovery, false, 0, 0, 0},
    {"input", by_set, true, FW_ALLOW, 0, 0},
};

static struct nftnl_rule *rule_in(const char *chain)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (r == NULL)
		return NULL;
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, FW_TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	return r;
}

static struct nftnl_rule *make(const struct fixed *f, const struct fw_set *s)
{
	struct nftnl_rule *r = rule_in(f->chain);

	if (r != NULL)
		f->fill(r, s);
	return r;
}

struct nftnl_rule *fw_fixed_rule(unsigned i)
{
	for (const struct fixed *f = fixed; f < fixed + sizeof(fixed) / sizeof(*fixed); f++) {
		if (!f->each) {
			if (i-- == 0)
				return make(f, NULL);
			continue;
		}
		for (const struct fw_set *s = fw_sets; s < fw_sets + FW_SETS; s++)
			if (s->kind == f->kind && (s->parts & f->with) == f->with && (s->parts & f->without) == 0 && i-- == 0)
				return make(f, s);
	}
	return NULL;
}

// ---- those that carry a record ----

static void source_is(struct nftnl_rule *r, const struct wire_addr *a)
{
	uint8_t bits[16] = {0};
	uint32_t len = a->family == 4 ? 4 : 16;

	for (unsigned i = 0; i < a->prefix; i++)
		bits[i / 8] = (uint8_t)(bits[i / 8] | 0x80u >> i % 8);
	expr_family_is(r, a->family);
	expr_address(r, a->family, true, 0);
	if (a->prefix < 8 * len)
		expr_mask(r, bits, len);
	expr_equals(r, a->addr, len);
}

static void ports_are(struct nftnl_rule *r, const struct fw_record *f)
{
	uint16_t lo = htons(f->port_lo), hi = htons(f->port_hi);

	if (f->port_lo == 0)
		return;
	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0);
	expr_compare(r, NFT_CMP_GTE, &lo, sizeof(lo));
	expr_compare(r, NFT_CMP_LTE, &hi, sizeof(hi));
}

// The comment is what nft shows; the record behind it is what fw_list finds.
static bool userdata(struct nftnl_rule *r, const struct fw_record *f)
{
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	bool ok = u != NULL && (f->comment[0] == '\0' || nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, f->comment) == 1) &&
	          nftnl_udata_put(u, UDATA_RECORD, sizeof(*f), f) == 1 &&
	          nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u)) == 0;

	if (u != NULL)
		nftnl_udata_buf_free(u);
	return ok;
}

struct nftnl_rule *fw_record_rule(const struct fw_record *f)
{
	struct nftnl_rule *r = rule_in("input");

	if (r == NULL)
		return NULL;
	expr_meta(r, NFT_META_L4PROTO, 0);
	expr_equals(r, &f->proto, 1);
	if (f->source.family != 0)
		source_is(r, &f->source);
	if (f->interface[0] != '\0') {
		expr_meta(r, NFT_META_IIFNAME, 0);
		expr_equals(r, f->interface, sizeof(f->interface));
	}
	ports_are(r, f);
	expr_verdict(r, NF_ACCEPT);
	if (userdata(r, f))
		return r;
	nftnl_rule_free(r);
	return NULL;
}

bool fw_rule_record(const struct nftnl_rule *rule, struct fw_record *r)
{
	uint32_t len = 0;
	const uint8_t *p = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);

	if (p == NULL)
		return false;
	for (uint32_t at = 0; at + 2 <= len && at + 2 + p[at + 1] <= len; at += 2u + p[at + 1])
		if (p[at] == UDATA_RECORD && p[at + 1] == sizeof(*r)) {
			memcpy(r, p + at + 2, sizeof(*r));
			return true;
		}
	return false;
}

// The kernel gives back a timeout of 0 that it would not have taken.
static void forget_timeout(char *text)
{
	static const char none[] = " timeout 0ms";
	char *at = strstr(text, none);

	if (at != NULL)
		memmove(at, at + sizeof(none) - 1, strlen(at + sizeof(none) - 1) + 1);
}

static void text_of(const struct nftnl_rule *r, char *out, size_t size)
{
	struct nftnl_expr_iter *i = nftnl_expr_iter_create(r);
	size_t at = 0;

	out[0] = '\0';
	if (i == NULL)
		return;
	for (struct nftnl_expr *e = nftnl_expr_iter_next(i); e != NULL && at < size; e = nftnl_expr_iter_next(i)) {
		int n = snprintf(out + at, size - at, "%s ", nftnl_expr_get_str(e, NFTNL_EXPR_NAME));
		at += (size_t)n;
		n = at < size ? nftnl_expr_snprintf(out + at, size - at, e, NFTNL_OUTPUT_DEFAULT, 0) : 0;
		at += n > 0 ? (size_t)n : 0;
	}
	nftnl_expr_iter_destroy(i);
	forget_timeout(out);
}

bool fw_rule_same(const struct nftnl_rule *a, const struct nftnl_rule *b)
{
	static char one[TEXT_MAX], two[TEXT_MAX];

	if (strcmp(nftnl_rule_get_str(a, NFTNL_RULE_CHAIN), nftnl_rule_get_str(b, NFTNL_RULE_CHAIN)) != 0)
		return false;
	text_of(a, one, sizeof(one));
	text_of(b, two, sizeof(two));
	return strcmp(one, two) == 0;
}
