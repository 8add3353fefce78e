// Builds the transaction that replaces table inet postern.  See fw.h.
//
//     table inet postern { chain postrouting { type nat hook postrouting priority srcnat; … one rule a record and uplink … } }
//
// libmnl writes without looking at the end of the buffer, so room for the largest message is made sure of before each one.
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <stdint.h>
#include <string.h>

#include "helper/net/fw.h"

#define TABLE  "postern"
#define CHAIN  "postrouting"
#define SRCNAT 100 // priority, as `nft` calls srcnat

static size_t addr_len(const struct wire_addr *a)
{
	return a->family == 4 ? 4 : 16;
}

static void mask_of(const struct wire_addr *a, uint8_t *mask)
{
	memset(mask, 0, 16);
	for (unsigned i = 0; i < a->prefix; i++)
		mask[i / 8] = (uint8_t)(mask[i / 8] | 0x80u >> i % 8);
}

static bool addr_ok(const struct wire_addr *a)
{
	uint8_t mask[16];

	if ((a->family != 4 && a->family != 6) || a->prefix > 8 * addr_len(a))
		return false;
	mask_of(a, mask);
	for (unsigned i = 0; i < 16; i++)
		if ((a->addr[i] & ~mask[i]) != 0)
			return false;
	return true;
}

static bool zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n > 0)
		if (b[--n] != 0)
			return false;
	return true;
}

// Printable ASCII up to the first NUL, nothing but NUL from there.
static bool text_ok(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n < size && zero(s + n, size - n);
}

const char *fw_record_wrong(const struct policy_net *net, const struct fw_record *r, bool *denied)
{
	bool snat = r->kind == FW_SNAT;

	*denied = false;
	if (r->kind != FW_MASQUERADE && !snat)
		return "kind of a record";
	if (!addr_ok(&r->source) || r->source.prefix == 0)
		return "source of a record";
	if (snat ? !addr_ok(&r->to) || r->to.family != r->source.family || r->to.prefix != 8 * addr_len(&r->to) : !zero(&r->to, sizeof(r->to)))
		return "to of a record";
	if (!text_ok(r->comment, sizeof(r->comment)) || !text_ok(r->out_interface, sizeof(r->out_interface)))
		return "text of a record";
	*denied = r->out_interface[0] != '\0' ? !policy_uplink(net, r->out_interface) : net->uplinks.n == 0;
	return *denied ? "uplink" : NULL;
}

size_t fw_rules(const struct policy_net *net, const struct fw_record *r)
{
	return r->out_interface[0] != '\0' ? 1 : net->uplinks.n;
}

// The place for one more message, or NULL.
static char *place(const struct fw_batch *b)
{
	return b->cap - b->len >= FW_RULE_MAX ? b->buf + b->len : NULL;
}

static struct nlmsghdr *head(struct fw_batch *b, uint16_t type, uint16_t flags)
{
	char *at = place(b);

	return at == NULL ? NULL : nftnl_nlmsg_build_hdr(at, type, NFPROTO_INET, flags, b->seq++);
}

static bool done(struct fw_batch *b, struct nlmsghdr *h)
{
	b->len += h->nlmsg_len;
	return h->nlmsg_len <= FW_RULE_MAX;
}

static bool put_table(struct fw_batch *b, uint16_t type, uint16_t flags)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *h = head(b, type, flags);

	if (t != NULL && h != NULL) {
		nftnl_table_set_str(t, NFTNL_TABLE_NAME, TABLE);
		nftnl_table_nlmsg_build_payload(h, t);
	}
	bool ok = t != NULL && h != NULL && done(b, h);
	if (t != NULL)
		nftnl_table_free(t);
	return ok;
}

static bool put_chain(struct fw_batch *b)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *h = head(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	if (c != NULL && h != NULL) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, TABLE);
		nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, CHAIN);
		nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "nat");
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_INET_POST_ROUTING);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, SRCNAT);
		nftnl_chain_nlmsg_build_payload(h, c);
	}
	bool ok = c != NULL && h != NULL && done(b, h);
	if (c != NULL)
		nftnl_chain_free(c);
	return ok;
}

// One message that begins or ends a batch.
static bool put_fence(struct fw_batch *b, bool begin)
{
	char *at = place(b);

	if (at == NULL)
		return false;
	return done(b, begin ? nftnl_batch_begin(at, b->seq++) : nftnl_batch_end(at, b->seq++));
}

// The first table message asks for an acknowledgement: the kernel sends it after the commit, or the error instead.
bool fw_begin(struct fw_batch *b, bool with_chain)
{
	b->len = 0;
	b->seq = 1;
	return put_fence(b, true) && put_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK) && put_table(b, NFT_MSG_DELTABLE, 0) &&
	       (!with_chain || (put_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE) && put_chain(b)));
}

bool fw_end(struct fw_batch *b)
{
	return put_fence(b, false);
}

static struct nftnl_expr *expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (e != NULL)
		nftnl_rule_add_expr(r, e);
	return e;
}

// Compares register 1 with len bytes.
static bool equals(struct nftnl_rule *r, const void *data, size_t len)
{
	struct nftnl_expr *e = expr(r, "cmp");

	if (e == NULL)
		return false;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	return nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, (uint32_t)len) == 0;
}

static bool load_meta(struct nftnl_rule *r, uint32_t key)
{
	struct nftnl_expr *e = expr(r, "meta");

	if (e == NULL)
		return false;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	return true;
}

// Loads the packet's source address; RFC 791 has it at byte 12, RFC 8200 at byte 8.
static bool load_source(struct nftnl_rule *r, const struct wire_addr *a)
{
	struct nftnl_expr *e = expr(r, "payload");

	if (e == NULL)
		return false;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, a->family == 4 ? 12 : 8);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)addr_len(a));
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	return true;
}

static bool mask_source(struct nftnl_rule *r, const struct wire_addr *a)
{
	static const uint8_t none[16];
	uint8_t mask[16];
	uint32_t len = (uint32_t)addr_len(a);
	struct nftnl_expr *e;

	if (a->prefix == 8 * len)
		return true;
	e = expr(r, "bitwise");
	if (e == NULL)
		return false;
	mask_of(a, mask);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	return nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len) == 0 && nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, none, len) == 0;
}

static bool translate(struct nftnl_rule *r, const struct fw_record *f)
{
	struct nftnl_expr *e;

	if (f->kind == FW_MASQUERADE)
		return expr(r, "masq") != NULL;
	e = expr(r, "immediate");
	if (e == NULL)
		return false;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	if (nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, f->to.addr, (uint32_t)addr_len(&f->to)) != 0)
		return false;
	e = expr(r, "nat");
	if (e == NULL)
		return false;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, f->to.family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	return true;
}

static bool comment(struct nftnl_rule *r, const char *text)
{
	struct nftnl_udata_buf *u;
	bool ok;

	if (text[0] == '\0')
		return true;
	u = nftnl_udata_buf_alloc(256);
	ok = u != NULL && nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, text) == 1 &&
	     nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u)) == 0;
	if (u != NULL)
		nftnl_udata_buf_free(u);
	return ok;
}

static bool fill(struct nftnl_rule *r, const struct fw_record *f, const char *out)
{
	const uint8_t family = f->source.family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	char name[16] = {0};

	memcpy(name, out, strnlen(out, sizeof(name) - 1));
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, CHAIN);
	return comment(r, f->comment) && load_meta(r, NFT_META_NFPROTO) && equals(r, &family, 1) && load_source(r, &f->source) &&
	       mask_source(r, &f->source) && equals(r, f->source.addr, addr_len(&f->source)) && load_meta(r, NFT_META_OIFNAME) &&
	       equals(r, name, sizeof(name)) && translate(r, f);
}

static bool add_one(struct fw_batch *b, const struct fw_record *f, const char *out)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nlmsghdr *h;
	bool ok = r != NULL && fill(r, f, out);

	h = ok ? head(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND) : NULL;
	if (h != NULL)
		nftnl_rule_nlmsg_build_payload(h, r);
	ok = h != NULL && done(b, h);
	if (r != NULL)
		nftnl_rule_free(r);
	return ok;
}

bool fw_add(struct fw_batch *b, const struct policy_net *net, const struct fw_record *r)
{
	if (r->out_interface[0] != '\0')
		return add_one(b, r, r->out_interface);
	for (uint32_t i = 0; i < net->uplinks.n; i++)
		if (!add_one(b, r, net->uplinks.v[i]))
			return false;
	return true;
}
