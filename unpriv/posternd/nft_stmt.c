// Decoding rules: what they do.  See nft_rule.h.
#include <netinet/in.h> // before the kernel's, which then leave out what it has
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "unpriv/posternd/nft_rule_impl.h"
#include "unpriv/posternd/nft_type.h"

bool nft_verdict(struct text *out, uint32_t code, const char *chain)
{
	switch ((int)code) {
	case NF_ACCEPT: text_lit(out, "accept"); return true;
	case NF_DROP: text_lit(out, "drop"); return true;
	case NFT_CONTINUE: text_lit(out, "continue"); return true;
	case NFT_RETURN: text_lit(out, "return"); return true;
	case NFT_JUMP: text_printf(out, "jump %s", chain != NULL ? chain : ""); return chain != NULL;
	case NFT_GOTO: text_printf(out, "goto %s", chain != NULL ? chain : ""); return chain != NULL;
	default: return false;
	}
}

void nft_time(struct text *out, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	if (ms == 0)
		text_lit(out, "0s");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (ms >= units[i].ms)
			text_printf(out, "%lu%s", ms / units[i].ms, units[i].unit);
		ms %= units[i].ms;
	}
}

const char *nft_comment(const void *userdata, size_t len, uint8_t kind, struct arena *a)
{
	const uint8_t *p = userdata;

	for (size_t at = 0; p != NULL && at + 2 <= len && at + 2 + p[at + 1] <= len; at += 2 + (size_t)p[at + 1])
		if (p[at] == kind && p[at + 1] > 0)
			return arena_strndup(a, (const char *)p + at + 2, strnlen((const char *)p + at + 2, p[at + 1]));
	return NULL;
}

bool nft_put_reg(struct nft_decoder *d, struct text *out, uint32_t number, uint32_t type, size_t len)
{
	struct nft_reg *r = nft_reg(d, number);

	if (r == NULL || r->mask != NULL)
		return false;
	if (r->text != NULL) {
		text_str(out, r->text);
		return true;
	}
	return r->data != NULL && r->len >= len && nft_value(out, type, r->data, len != 0 ? len : r->len);
}

bool nft_put_key(struct nft_decoder *d, struct text *out, uint32_t number, uint32_t type, size_t len)
{
	uint32_t fields[NFT_FIELDS];
	size_t n = nft_type_fields(type, fields), at = 0;
	struct nft_reg *r = nft_reg(d, number);

	for (size_t i = 0; r != NULL && (i < n || i == 0); i++) {
		if (r + at / 4 >= d->regs + NFT_SLOTS || r[at / 4].text == NULL || r[at / 4].mask != NULL)
			return false;
		if (i > 0)
			text_lit(out, " . ");
		text_str(out, r[at / 4].text);
		at += (nft_type_size(fields[i]) + 3) & ~(size_t)3;
	}
	return r != NULL && (n < 2 || at == len);
}

static bool counter(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	(void)d;
	text_printf(t, "counter packets %lu bytes %lu", nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS), nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES));
	return true;
}

// The largest unit that a number of bytes is a multiple of.
static void put_bytes(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "kbytes", "mbytes"};
	size_t i = 0;

	for (; i < 2 && bytes > 0 && bytes % 1024 == 0; i++)
		bytes /= 1024;
	text_printf(t, "%lu %s", bytes, units[i]);
}

static bool limit(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	static const struct {
		uint64_t secs;
		const char *name;
	} units[] = {{1, "second"}, {60, "minute"}, {3600, "hour"}, {86400, "day"}, {604800, "week"}};
	uint64_t rate = nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_RATE), secs = nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_UNIT);
	uint32_t burst = nftnl_expr_get_u32(e, NFTNL_EXPR_LIMIT_BURST), type = nftnl_expr_get_u32(e, NFTNL_EXPR_LIMIT_TYPE);
	const char *unit = NULL;

	(void)d;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (units[i].secs == secs)
			unit = units[i].name;
	if (unit == NULL || type > NFT_LIMIT_PKT_BYTES)
		return false;
	text_printf(t, "limit rate %s", (nftnl_expr_get_u32(e, NFTNL_EXPR_LIMIT_FLAGS) & NFT_LIMIT_F_INV) != 0 ? "over " : "");
	if (type == NFT_LIMIT_PKT_BYTES)
		put_bytes(t, rate);
	else
		text_u64(t, rate);
	text_printf(t, "/%s", unit);
	if (type == NFT_LIMIT_PKTS && burst > 0 && burst != 5)
		text_printf(t, " burst %u packets", burst);
	if (type == NFT_LIMIT_PKT_BYTES && burst > 0) {
		text_lit(t, " burst ");
		put_bytes(t, burst);
	}
	return true;
}

static bool quota(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	uint64_t used = nftnl_expr_get_u64(e, NFTNL_EXPR_QUOTA_CONSUMED);

	(void)d;
	text_printf(t, "quota %s", (nftnl_expr_get_u32(e, NFTNL_EXPR_QUOTA_FLAGS) & NFT_QUOTA_F_INV) != 0 ? "over " : "");
	put_bytes(t, nftnl_expr_get_u64(e, NFTNL_EXPR_QUOTA_BYTES));
	if (used > 0) {
		text_lit(t, " used ");
		put_bytes(t, used);
	}
	return true;
}

static bool log_packet(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	static const char *const levels[] = {"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"};
	uint32_t level = nftnl_expr_get_u32(e, NFTNL_EXPR_LOG_LEVEL);

	(void)d;
	if (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_FLAGS) && nftnl_expr_get_u32(e, NFTNL_EXPR_LOG_FLAGS) != 0)
		return false;
	text_lit(t, "log");
	if (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_PREFIX))
		text_printf(t, " prefix \"%s\"", nftnl_expr_get_str(e, NFTNL_EXPR_LOG_PREFIX));
	if (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP)) {
		text_printf(t, " group %u", nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP));
		if (nftnl_expr_get_u32(e, NFTNL_EXPR_LOG_SNAPLEN) != 0)
			text_printf(t, " snaplen %u", nftnl_expr_get_u32(e, NFTNL_EXPR_LOG_SNAPLEN));
		if (nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_QTHRESHOLD) != 0)
			text_printf(t, " queue-threshold %u", nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_QTHRESHOLD));
	} else if (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_LEVEL) && level != 4) {
		if (level >= sizeof(levels) / sizeof(*levels))
			return false;
		text_printf(t, " level %s", levels[level]);
	}
	return true;
}

static bool reject(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	static const char *const icmp[16] = {[0] = "net-unreachable", [1] = "host-unreachable", [2] = "prot-unreachable", [3] = "port-unreachable",
	                                     [9] = "net-prohibited",  [10] = "host-prohibited", [13] = "admin-prohibited"};
	static const char *const icmp6[16] = {[0] = "no-route",         [1] = "admin-prohibited", [3] = "addr-unreachable",
	                                      [4] = "port-unreachable", [5] = "policy-fail",      [6] = "reject-route"};
	static const char *const icmpx[16] = {[0] = "no-route", [1] = "port-unreachable", [2] = "host-unreachable", [3] = "admin-prohibited"};
	uint32_t type = nftnl_expr_get_u32(e, NFTNL_EXPR_REJECT_TYPE);
	uint8_t code = nftnl_expr_get_u8(e, NFTNL_EXPR_REJECT_CODE) & 15;
	bool six = d->packet.l3 == 6, mixed = d->family != NFPROTO_IPV4 && d->family != NFPROTO_IPV6;
	const char *name = type == NFT_REJECT_ICMPX_UNREACH ? icmpx[code] : six ? icmp6[code] : icmp[code];

	text_lit(t, "reject");
	if (type == NFT_REJECT_TCP_RST) {
		text_lit(t, " with tcp reset");
		return true;
	}
	if (name == NULL || (type == NFT_REJECT_ICMP_UNREACH && d->packet.l3 == 0))
		return false;
	if (type == NFT_REJECT_ICMP_UNREACH && mixed)
		nft_forget(d, DEP_NET);
	else if (strcmp(name, "port-unreachable") == 0)
		return true;
	text_printf(t, " with icmp%s %s", type == NFT_REJECT_ICMPX_UNREACH ? "x" : six ? "v6" : "", name);
	return true;
}

// ---- address translation ----

static bool put_flags(struct text *t, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
	    {NF_NAT_RANGE_PROTO_RANDOM, "random"}, {NF_NAT_RANGE_PROTO_RANDOM_FULLY, "fully-random"}, {NF_NAT_RANGE_PERSISTENT, "persistent"}};
	char before = ' ';

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if ((flags & names[i].flag) == 0)
			continue;
		text_printf(t, "%c%s", before, names[i].name);
		before = ',';
		flags &= ~names[i].flag;
	}
	return (flags & ~(uint32_t)(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)) == 0;
}

// ":80-90", of the registers that two attributes name.
static bool put_ports(struct nft_decoder *d, struct nftnl_expr *e, uint16_t min, uint16_t max, struct text *t)
{
	uint32_t low = nftnl_expr_get_u32(e, min), high = nftnl_expr_get_u32(e, max);

	text_char(t, ':');
	if (!nft_put_reg(d, t, low, NFT_T_SERVICE, 2))
		return false;
	return !nftnl_expr_is_set(e, max) || high == low || (text_char(t, '-'), nft_put_reg(d, t, high, NFT_T_SERVICE, 2));
}

static bool masquerade(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	text_lit(t, "masquerade");
	if (nftnl_expr_is_set(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN)) {
		text_lit(t, " to ");
		if (!put_ports(d, e, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFTNL_EXPR_MASQ_REG_PROTO_MAX, t))
			return false;
	}
	return put_flags(t, nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_FLAGS));
}

static bool redirect(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	text_lit(t, "redirect");
	if (nftnl_expr_is_set(e, NFTNL_EXPR_REDIR_REG_PROTO_MIN)) {
		text_lit(t, " to ");
		if (!put_ports(d, e, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFTNL_EXPR_REDIR_REG_PROTO_MAX, t))
			return false;
	}
	return put_flags(t, nftnl_expr_get_u32(e, NFTNL_EXPR_REDIR_FLAGS));
}

static bool put_address(struct nft_decoder *d, struct nftnl_expr *e, bool six, struct text *t)
{
	uint32_t low = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN), high = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX);
	uint32_t type = six ? NFT_T_IP6 : NFT_T_IP4;
	size_t len = six ? 16 : 4;
	bool ports = nftnl_expr_is_set(e, NFTNL_EXPR_NAT_REG_PROTO_MIN),
	     bracket = six && ports && nft_reg(d, low) != NULL && nft_reg(d, low)->data != NULL;

	if (bracket)
		text_char(t, '[');
	if (!nft_put_reg(d, t, low, type, len))
		return false;
	if (nftnl_expr_is_set(e, NFTNL_EXPR_NAT_REG_ADDR_MAX) && high != low && !(text_char(t, '-'), nft_put_reg(d, t, high, type, len)))
		return false;
	if (bracket)
		text_char(t, ']');
	return true;
}

static bool nat(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	bool six = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_FAMILY) == NFPROTO_IPV6, source = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT;
	bool address = nftnl_expr_is_set(e, NFTNL_EXPR_NAT_REG_ADDR_MIN), ports = nftnl_expr_is_set(e, NFTNL_EXPR_NAT_REG_PROTO_MIN);
	struct nft_reg *low = address ? nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN)) : NULL;

	text_printf(t, "%s%s to ", source ? "snat" : "dnat", d->family != NFPROTO_INET ? "" : six ? " ip6" : " ip");
	if (address && !put_address(d, e, six, t))
		return false;
	// A map may give the port with the address: it is written once.
	if (low != NULL && low->map_slots > (six ? 4u : 1u))
		ports = ports && nft_reg(d, nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN)) != low + (six ? 4 : 1);
	return (!ports || put_ports(d, e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFTNL_EXPR_NAT_REG_PROTO_MAX, t)) &&
	       put_flags(t, nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_FLAGS));
}

// ---- what is set, and where elements go ----

static bool put_set(struct nft_decoder *d, struct text *t, const struct nft_field *f, uint32_t sreg)
{
	if (f == NULL)
		return false;
	text_printf(t, "%s set ", f->name);
	return nft_put_reg(d, t, sreg, f->type, nft_type_size(f->type));
}

static bool meta_set(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	return put_set(d, t, nft_meta_field(nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY)), nftnl_expr_get_u32(e, NFTNL_EXPR_META_SREG));
}

static bool ct_set(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	return put_set(d, t, nft_ct_field(nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY), -1), nftnl_expr_get_u32(e, NFTNL_EXPR_CT_SREG));
}

static int has_one(struct nftnl_expr *e, void *data)
{
	(void)e;
	*(bool *)data = true;
	return 0;
}

static bool dynset(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	static const char *const ops[] = {[NFT_DYNSET_OP_ADD] = "add", [NFT_DYNSET_OP_UPDATE] = "update", [NFT_DYNSET_OP_DELETE] = "delete"};
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_DYNSET_OP);
	struct nft_set_view set;
	bool more = nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_SREG_DATA);

	nftnl_expr_expr_foreach(e, has_one, &more);
	if (more || op > NFT_DYNSET_OP_DELETE || !d->sets->find(d->sets->arg, nftnl_expr_get_str(e, NFTNL_EXPR_DYNSET_SET_NAME), &set))
		return false;
	text_printf(t, "%s %s { ", ops[op], set.text);
	if (!nft_put_key(d, t, nftnl_expr_get_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY), set.key_type, set.key_len))
		return false;
	if (nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_TIMEOUT) && nftnl_expr_get_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT) != 0) {
		text_lit(t, " timeout ");
		nft_time(t, nftnl_expr_get_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT));
	}
	text_lit(t, " }");
	return true;
}

static bool notrack(struct nft_decoder *d, struct nftnl_expr *e, struct text *t)
{
	(void)d;
	(void)e;
	text_lit(t, "notrack");
	return true;
}

bool nft_action(struct nft_decoder *d, struct nftnl_expr *e, const char *name)
{
	static const struct {
		const char *name;
		bool (*put)(struct nft_decoder *d, struct nftnl_expr *e, struct text *t);
	} actions[] = {{"counter", counter}, {"limit", limit}, {"quota", quota},   {"log", log_packet}, {"reject", reject}, {"masq", masquerade},
	               {"redir", redirect},  {"nat", nat},     {"meta", meta_set}, {"ct", ct_set},      {"dynset", dynset}, {"notrack", notrack}};
	struct text t = {0};
	bool good = false;

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			good = actions[i].put(d, e, &t) && nft_stmt(d, &t);
	text_finish(&t);
	return good;
}
