// Pieces that the firewall's rules are made of.  See fw_expr.h.
#include "helper/net/fw_expr.h"

#include <stdio.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <unistd.h>

#include "helper/common/cell.h"

// The n-th 4-byte register, by the number that the kernel gives back.
uint32_t expr_reg(unsigned n)
{
	return n % 4 == 0 ? NFT_REG_1 + n / 4 : NFT_REG32_00 + n;
}

struct nftnl_expr *expr_add(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (e == NULL)
		_exit(HELPER_EXIT_DIED); // no memory for a few bytes, and nothing of the request is done yet: the next helper has more
	nftnl_rule_add_expr(r, e);
	return e;
}

void expr_meta(struct nftnl_rule *r, uint32_t key, unsigned to)
{
	struct nftnl_expr *e = expr_add(r, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, expr_reg(to));
}

void expr_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len, unsigned to)
{
	struct nftnl_expr *e = expr_add(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, expr_reg(to));
}

// Source or destination address: RFC 791 has them at bytes 12 and 16, RFC 8200 at 8 and 24.
void expr_address(struct nftnl_rule *r, uint8_t family, bool source, unsigned to)
{
	if (family == 4)
		expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, source ? 12 : 16, 4, to);
	else
		expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, source ? 8 : 24, 16, to);
}

void expr_compare(struct nftnl_rule *r, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = expr_add(r, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, expr_reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

void expr_equals(struct nftnl_rule *r, const void *data, uint32_t len)
{
	expr_compare(r, NFT_CMP_EQ, data, len);
}

void expr_mask(struct nftnl_rule *r, const void *bits, uint32_t len)
{
	static const uint8_t none[16];
	struct nftnl_expr *e = expr_add(r, "bitwise");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, expr_reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, expr_reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bits, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, none, len);
}

// Goes on where the connection has one of these bits in its state or status.
void expr_connection(struct nftnl_rule *r, uint32_t key, uint32_t bits)
{
	struct nftnl_expr *e = expr_add(r, "ct");
	const uint32_t none = 0;

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, expr_reg(0));
	expr_mask(r, &bits, sizeof(bits));
	expr_compare(r, NFT_CMP_NEQ, &none, sizeof(none));
}

void expr_verdict(struct nftnl_rule *r, uint32_t code)
{
	struct nftnl_expr *e = expr_add(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, code);
}

void expr_fib(struct nftnl_rule *r, uint32_t result, uint32_t flags)
{
	struct nftnl_expr *e = expr_add(r, "fib");

	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, expr_reg(0));
}

void expr_family_is(struct nftnl_rule *r, uint8_t family)
{
	const uint8_t nf = family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (family == 0)
		return;
	expr_meta(r, NFT_META_NFPROTO, 0);
	expr_equals(r, &nf, 1);
}

// Loads the key of a set and looks it up; a map's value lands where the key was.
void expr_lookup(struct nftnl_rule *r, const struct fw_set *s)
{
	unsigned at = 0, words = s->family == 4 ? 1 : 4;
	bool out = s->kind == FW_SNAT || s->kind == FW_MASQUERADE;
	struct fw_field f[FW_FIELDS];
	struct nftnl_expr *e;

	expr_family_is(r, s->family);
	if ((s->parts & PART_LINK) != 0) {
		expr_meta(r, out ? NFT_META_OIFNAME : NFT_META_IIFNAME, at);
		at += 4;
	}
	for (unsigned part = PART_SOURCE; part <= PART_HOST; part *= 2)
		if ((s->parts & part) != 0) {
			expr_address(r, s->family, part == PART_SOURCE, at);
			at += words;
		}
	if ((s->parts & PART_PORT) != 0) {
		expr_meta(r, NFT_META_L4PROTO, at);
		expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, at + 1);
	}
	e = expr_add(r, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, expr_reg(0));
	if (fw_set_value(s, f) > 0)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, expr_reg(0));
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, s->name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, 0);
}

void expr_translate(struct nftnl_rule *r, const struct fw_set *s)
{
	bool dnat = s->kind == FW_DNAT;
	struct nftnl_expr *e = expr_add(r, "nat");

	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, dnat ? NFT_NAT_DNAT : NFT_NAT_SNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, s->family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, expr_reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, expr_reg(0));
	if (dnat) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, expr_reg(s->family == 4 ? 1 : 4));
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, expr_reg(s->family == 4 ? 1 : 4));
	}
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS | (dnat ? NF_NAT_RANGE_PROTO_SPECIFIED : 0));
}
