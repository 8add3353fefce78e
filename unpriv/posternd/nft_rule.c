// Decoding rules: loads and matches.  See nft_rule.h.
//
// nft puts a match in front of a header's field that only some packets have (`meta l4proto tcp` in front of `tcp dport`) and doesn't write it
// when the field says as much: so it is noted which statement told the layer, and taken back when a field of that layer is looked at.
#include "unpriv/posternd/nft_rule.h"

#include <netinet/in.h> // before the kernel's, which then leave out what it has
#include <stdio.h>
#include <string.h>

#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "unpriv/posternd/nft_rule_impl.h"
#include "unpriv/posternd/nft_type.h"

struct nft_reg *nft_reg(struct nft_decoder *d, uint32_t number)
{
	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		return &d->regs[(number - NFT_REG_1) * 4];
	return number >= NFT_REG32_00 && number < NFT_REG32_00 + NFT_SLOTS ? &d->regs[number - NFT_REG32_00] : NULL;
}

bool nft_stmt(struct nft_decoder *d, struct text *t)
{
	bool room = d->n < NFT_STMTS;

	if (room)
		d->stmts[d->n++] = arena_strndup(d->a, t->at, t->len);
	t->len = 0;
	return room;
}

void nft_forget(struct nft_decoder *d, enum nft_dep layer)
{
	if (d->deps[layer] >= 0)
		d->stmts[d->deps[layer]] = NULL;
	d->deps[layer] = -1;
}

static bool load(struct nft_decoder *d, uint32_t number, const struct nft_field *f, uint32_t len)
{
	struct nft_reg *r = nft_reg(d, number);

	if (r == NULL || f == NULL)
		return false;
	*r = (struct nft_reg){.text = f->name, .type = f->type, .len = len, .field_len = f->len};
	return true;
}

static bool load_payload(struct nft_decoder *d, struct nftnl_expr *e)
{
	uint32_t base = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE), len = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
	const struct nft_field *f;

	if (nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_SREG))
		return false;
	f = nft_payload_field(&d->packet, base, nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET), len);
	if (base == NFT_PAYLOAD_LL_HEADER)
		nft_forget(d, DEP_LINK);
	if (base == NFT_PAYLOAD_NETWORK_HEADER)
		nft_forget(d, DEP_NET);
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && d->packet.has_l4) {
		nft_forget(d, DEP_TRANSPORT);
		if ((d->packet.l4 == IPPROTO_ICMP && d->packet.l3 == 4) || (d->packet.l4 == IPPROTO_ICMPV6 && d->packet.l3 == 6))
			nft_forget(d, DEP_NET);
	}
	return load(d, nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_DREG), f, len);
}

static bool load_ct(struct nft_decoder *d, struct nftnl_expr *e)
{
	int dir = nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR) ? nftnl_expr_get_u8(e, NFTNL_EXPR_CT_DIR) : -1;

	return load(d, nftnl_expr_get_u32(e, NFTNL_EXPR_CT_DREG), nft_ct_field(nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY), dir), 0);
}

static bool load_fib(struct nft_decoder *d, struct nftnl_expr *e)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
	    {NFTA_FIB_F_SADDR, "saddr"}, {NFTA_FIB_F_DADDR, "daddr"}, {NFTA_FIB_F_MARK, "mark"}, {NFTA_FIB_F_IIF, "iif"}, {NFTA_FIB_F_OIF, "oif"}};
	static const struct nft_field results[] = {[NFT_FIB_RESULT_OIF] = {"oif", NFT_T_IFINDEX, 0},
	                                           [NFT_FIB_RESULT_OIFNAME] = {"oifname", NFT_T_IFNAME, 0},
	                                           [NFT_FIB_RESULT_ADDRTYPE] = {"type", NFT_T_FIB_TYPE, 0}};
	uint32_t set = nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_FLAGS), result = nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_RESULT);
	bool present = (set & NFTA_FIB_F_PRESENT) != 0;
	struct text t = {0};
	struct nft_field f;

	if ((set & ~63u) != 0 || result < NFT_FIB_RESULT_OIF || result > NFT_FIB_RESULT_ADDRTYPE)
		return false;
	text_lit(&t, "fib");
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if ((set & flags[i].flag) != 0)
			text_printf(&t, "%s%s", t.len == 3 ? " " : " . ", flags[i].name);
	text_printf(&t, " %s", results[result].name);
	f = (struct nft_field){arena_strndup(d->a, t.at, t.len), present ? NFT_T_BOOLEAN : results[result].type, 0};
	text_finish(&t);
	return load(d, nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_DREG), &f, 0);
}

static bool mask(struct nft_decoder *d, struct nftnl_expr *e)
{
	uint32_t mask_len = 0, xor_len = 0;
	struct nft_reg *from = nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_SREG));
	struct nft_reg *to = nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_DREG));
	const uint8_t *m = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &mask_len), *x = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	if (from == NULL || to == NULL || from->text == NULL || from->mask != NULL || m == NULL || x == NULL ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL)
		return false;
	for (uint32_t i = 0; i < xor_len; i++)
		if (x[i] != 0)
			return false;
	*to = *from;
	to->mask = m;
	to->mask_len = mask_len;
	return true;
}

static bool constant(struct nft_decoder *d, struct nftnl_expr *e)
{
	uint32_t number = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG);
	struct nft_reg *r = nft_reg(d, number);
	struct text t = {0};
	bool good;

	if (number == NFT_REG_VERDICT) {
		good = nft_verdict(&t, nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT), nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN)) && nft_stmt(d, &t);
		text_finish(&t);
		return good;
	}
	if (r == NULL)
		return false;
	*r = (struct nft_reg){0};
	r->data = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &r->len);
	return r->data != NULL;
}

// ---- comparisons ----

// What a comparison for equality tells about the packet.
static void learn(struct nft_decoder *d, const struct nft_reg *r, const uint8_t *data)
{
	bool plain = d->family == NFPROTO_IPV4 || d->family == NFPROTO_IPV6;
	bool net = strcmp(r->text, "meta nfproto") == 0, ethertype = strcmp(r->text, "meta protocol") == 0 || strcmp(r->text, "ether type") == 0;

	if (net || ethertype) {
		d->packet.l3 = net ? (data[0] == NFPROTO_IPV4   ? 4
		                      : data[0] == NFPROTO_IPV6 ? 6
		                                                : 0)
		                   : (data[0] == 8 && data[1] == 0         ? 4
		                      : data[0] == 0x86 && data[1] == 0xdd ? 6
		                                                           : 0);
		d->deps[DEP_NET] = (int)d->n;
	} else if (strcmp(r->text, "meta l4proto") == 0 || strcmp(r->text, "ip protocol") == 0 || strcmp(r->text, "ip6 nexthdr") == 0) {
		d->packet.has_l4 = true;
		d->packet.l4 = data[0];
		d->deps[DEP_TRANSPORT] = r->text[0] == 'm' || plain ? (int)d->n : -1; // a mixed table's rule asked for it
	} else if (strcmp(r->text, "iiftype") == 0 && data[0] == 1 && data[1] == 0) {
		d->packet.ether = true;
		d->deps[DEP_LINK] = (int)d->n;
	}
}

static const char *operator(uint32_t op)
{
	static const char *const names[] = {
	    [NFT_CMP_EQ] = "", [NFT_CMP_NEQ] = "!= ", [NFT_CMP_LT] = "< ", [NFT_CMP_LTE] = "<= ", [NFT_CMP_GT] = "> ", [NFT_CMP_GTE] = ">= "};

	return op <= NFT_CMP_GTE ? names[op] : NULL;
}

static uint32_t value_type(const struct nft_reg *r)
{
	return r->big && r->type == NFT_T_HOST_INT ? NFT_T_INTEGER : r->type;
}

static uint32_t bits_of(const uint8_t *p, size_t len, bool host)
{
	uint32_t v = 0;

	for (size_t i = 0; len <= 4 && i < len; i++)
		v |= (uint32_t)p[host ? len - 1 - i : i] << (8 * (len - 1 - i));
	return v;
}

// A comparison of what is left of a field under a mask.
static bool put_masked(const struct nft_reg *r, struct text *t, uint32_t op, const uint8_t *data, uint32_t len)
{
	int prefix = nft_prefix(r->mask, r->mask_len);
	bool host = nft_type_is_host(r->type);
	uint32_t under = bits_of(r->mask, r->mask_len, host), want = bits_of(data, len, host);
	bool equality = op == NFT_CMP_EQ || op == NFT_CMP_NEQ;

	if (!equality || len != r->mask_len)
		return false;
	text_str(t, r->text);
	if ((r->type == NFT_T_IP4 || r->type == NFT_T_IP6) && prefix > 0) {
		text_printf(t, " %s", operator(op));
		if (!nft_value(t, r->type, data, len))
			return false;
		text_printf(t, "/%d", prefix);
		return true;
	}
	if (nft_type_is_bits(r->type) && want == 0) {
		text_str(t, op == NFT_CMP_NEQ ? " " : " ! ");
		return nft_bits(t, r->type, under);
	}
	if (nft_type_is_bits(r->type)) {
		text_printf(t, " %s", operator(op));
		return nft_bits(t, r->type, want) && (text_lit(t, " / "), nft_bits(t, r->type, under));
	}
	if (len > 4 || (r->type != NFT_T_MARK && r->type != NFT_T_INTEGER && r->type != NFT_T_HOST_INT))
		return false;
	text_lit(t, " & ");
	nft_value(t, r->type, r->mask, len);
	text_str(t, op == NFT_CMP_EQ ? " == " : " != ");
	return nft_value(t, r->type, data, len);
}

// The beginning of an address: a network whose prefix ends with a byte.
static bool put_beginning(const struct nft_reg *r, struct text *t, uint32_t op, const uint8_t *data)
{
	uint8_t whole[16] = {0};

	if (op > NFT_CMP_NEQ || r->len >= sizeof(whole))
		return false;
	memcpy(whole, data, r->len);
	text_printf(t, "%s %s", r->text, operator(op));
	if (!nft_value(t, r->type, whole, r->field_len))
		return false;
	text_printf(t, "/%u", r->len * 8);
	return true;
}

// `next` is what follows: a range is two comparisons.  Sets *two when it was both.
static bool compare(struct nft_decoder *d, struct nftnl_expr *e, struct nftnl_expr *next, bool *two)
{
	uint32_t len = 0, op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP), sreg = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_SREG), upper_len = 0;
	struct nft_reg *r = nft_reg(d, sreg);
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len), *upper = NULL;
	struct text t = {0};
	bool good;

	if (r == NULL || r->text == NULL || data == NULL || operator(op) == NULL)
		return false;
	if (op == NFT_CMP_GTE && next != NULL && strcmp(nftnl_expr_get_str(next, NFTNL_EXPR_NAME), "cmp") == 0 &&
	    nftnl_expr_get_u32(next, NFTNL_EXPR_CMP_OP) == NFT_CMP_LTE && nftnl_expr_get_u32(next, NFTNL_EXPR_CMP_SREG) == sreg)
		upper = nftnl_expr_get(next, NFTNL_EXPR_CMP_DATA, &upper_len);
	*two = upper != NULL;
	if (r->mask != NULL) {
		good = upper == NULL && put_masked(r, &t, op, data, len);
	} else if (r->field_len != 0 && r->len < r->field_len) {
		good = len == r->len && upper == NULL && put_beginning(r, &t, op, data);
	} else {
		if (op == NFT_CMP_EQ && len > 0)
			learn(d, r, data);
		text_printf(&t, "%s %s", r->text, upper != NULL ? "" : operator(op));
		good = upper == NULL
		           ? nft_value(&t, value_type(r), data, len)
		           : nft_bound(&t, value_type(r), data, len) && (text_char(&t, '-'), nft_bound(&t, value_type(r), upper, upper_len));
	}
	good = good && nft_stmt(d, &t);
	text_finish(&t);
	return good;
}

static bool range(struct nft_decoder *d, struct nftnl_expr *e)
{
	uint32_t from_len = 0, to_len = 0;
	struct nft_reg *r = nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_SREG));
	const uint8_t *from = nftnl_expr_get(e, NFTNL_EXPR_RANGE_FROM_DATA, &from_len), *to = nftnl_expr_get(e, NFTNL_EXPR_RANGE_TO_DATA, &to_len);
	struct text t = {0};
	bool good;

	if (r == NULL || r->text == NULL || r->mask != NULL || from == NULL || to == NULL)
		return false;
	text_printf(&t, "%s %s", r->text, nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ ? "!= " : "");
	good = nft_bound(&t, value_type(r), from, from_len) && (text_char(&t, '-'), nft_bound(&t, value_type(r), to, to_len)) && nft_stmt(d, &t);
	text_finish(&t);
	return good;
}

static bool lookup(struct nft_decoder *d, struct nftnl_expr *e)
{
	bool maps = nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG), inverted = (nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0;
	uint32_t dreg = maps ? nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG) : 0;
	struct nft_reg *to = maps ? nft_reg(d, dreg) : NULL;
	struct nft_set_view set;
	struct text t = {0};
	bool good = d->sets->find(d->sets->arg, nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET), &set) &&
	            nft_put_key(d, &t, nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_SREG), set.key_type, set.key_len);

	if (good)
		text_printf(&t, "%s%s", !maps ? (inverted ? " != " : " ") : dreg == NFT_REG_VERDICT ? " vmap " : " map ", set.text);
	if (good && to != NULL) {
		*to = (struct nft_reg){.text = arena_strndup(d->a, t.at, t.len), .type = set.data_type, .map_slots = (set.data_len + 3) / 4};
		for (uint32_t i = 1; i < to->map_slots && to + i < d->regs + NFT_SLOTS; i++)
			to[i] = (struct nft_reg){0};
	} else {
		good = good && (!maps || dreg == NFT_REG_VERDICT) && nft_stmt(d, &t);
	}
	text_finish(&t);
	return good;
}

static bool byteorder(struct nft_decoder *d, struct nftnl_expr *e)
{
	struct nft_reg *from = nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_SREG));
	struct nft_reg *to = nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_DREG));

	if (from == NULL || to == NULL || from->text == NULL || from->mask != NULL || from->type != NFT_T_HOST_INT)
		return false;
	*to = *from;
	to->big = true;
	return true;
}

static bool decode(struct nft_decoder *d, struct nftnl_expr *e, struct nftnl_expr *next, bool *two)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

	if (strcmp(name, "payload") == 0)
		return load_payload(d, e);
	if (strcmp(name, "meta") == 0 && !nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG))
		return load(d, nftnl_expr_get_u32(e, NFTNL_EXPR_META_DREG), nft_meta_field(nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY)), 0);
	if (strcmp(name, "ct") == 0 && !nftnl_expr_is_set(e, NFTNL_EXPR_CT_SREG))
		return load_ct(d, e);
	if (strcmp(name, "fib") == 0)
		return load_fib(d, e);
	if (strcmp(name, "bitwise") == 0)
		return mask(d, e);
	if (strcmp(name, "byteorder") == 0)
		return byteorder(d, e);
	if (strcmp(name, "immediate") == 0)
		return constant(d, e);
	if (strcmp(name, "cmp") == 0)
		return compare(d, e, next, two);
	if (strcmp(name, "range") == 0)
		return range(d, e);
	return strcmp(name, "lookup") == 0 ? lookup(d, e) : nft_action(d, e, name);
}

static const char *join(struct nft_decoder *d)
{
	struct text t = {0};
	const char *out;

	for (size_t i = 0; i < d->n; i++) {
		if (d->stmts[i] == NULL)
			continue;
		if (t.len > 0)
			text_char(&t, ' ');
		text_str(&t, d->stmts[i]);
	}
	out = arena_strndup(d->a, t.len > 0 ? t.at : "", t.len);
	text_finish(&t);
	return out;
}

const char *nft_rule_text(const struct nftnl_rule *r, uint8_t family, const struct nft_sets *sets, struct arena *a)
{
	struct nft_decoder d = {.family = family, .sets = sets, .a = a, .deps = {-1, -1, -1}};
	struct nftnl_expr_iter *it = nftnl_expr_iter_create(r);
	struct nftnl_expr *e = it != NULL ? nftnl_expr_iter_next(it) : NULL, *next;
	bool good = it != NULL;

	d.packet.l3 = family == NFPROTO_IPV4 ? 4 : family == NFPROTO_IPV6 ? 6 : 0;
	d.packet.ether = family == NFPROTO_BRIDGE || family == NFPROTO_NETDEV;
	for (; good && e != NULL; e = next) {
		bool two = false;

		next = nftnl_expr_iter_next(it);
		good = decode(&d, e, next, &two);
		if (two)
			next = nftnl_expr_iter_next(it);
	}
	if (it != NULL)
		nftnl_expr_iter_destroy(it);
	return good ? join(&d) : NULL;
}
