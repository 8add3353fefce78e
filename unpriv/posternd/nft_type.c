// See nft_type.h.
#include "unpriv/posternd/nft_type.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "unpriv/posternd/net_view.h"

#define FIELD_BITS 6

struct symbol {
	uint32_t value;
	const char *name;
};

static const struct symbol protos[] = {{1, "icmp"},  {2, "igmp"},     {4, "ipencap"}, {6, "tcp"},       {17, "udp"},
                                       {33, "dccp"}, {41, "ipv6"},    {47, "gre"},    {50, "esp"},      {58, "ipv6-icmp"},
                                       {51, "ah"},   {108, "ipcomp"}, {132, "sctp"},  {136, "udplite"}, {0, NULL}};
static const struct symbol nfprotos[] = {{2, "ipv4"}, {10, "ipv6"}, {0, NULL}};
static const struct symbol ethertypes[] = {{0x0800, "ip"}, {0x0806, "arp"}, {0x86dd, "ip6"}, {0x8100, "8021q"}, {0x88a8, "8021ad"}, {0, NULL}};
static const struct symbol icmp_types[] = {
    {0, "echo-reply"},         {3, "destination-unreachable"}, {4, "source-quench"},        {5, "redirect"},
    {8, "echo-request"},       {9, "router-advertisement"},    {10, "router-solicitation"}, {11, "time-exceeded"},
    {12, "parameter-problem"}, {13, "timestamp-request"},      {14, "timestamp-reply"},     {15, "info-request"},
    {16, "info-reply"},        {17, "address-mask-request"},   {18, "address-mask-reply"},  {0, NULL}};
static const struct symbol icmp6_types[] = {{1, "destination-unreachable"},
                                            {2, "packet-too-big"},
                                            {3, "time-exceeded"},
                                            {4, "parameter-problem"},
                                            {128, "echo-request"},
                                            {129, "echo-reply"},
                                            {130, "mld-listener-query"},
                                            {131, "mld-listener-report"},
                                            {132, "mld-listener-done"},
                                            {133, "nd-router-solicit"},
                                            {134, "nd-router-advert"},
                                            {135, "nd-neighbor-solicit"},
                                            {136, "nd-neighbor-advert"},
                                            {137, "nd-redirect"},
                                            {138, "router-renumbering"},
                                            {141, "ind-neighbor-solicit"},
                                            {142, "ind-neighbor-advert"},
                                            {143, "mld2-listener-report"},
                                            {0, NULL}};
// In the order that nft writes them.
static const struct symbol tcp_flags[] = {{1, "fin"},  {2, "syn"},  {4, "rst"},   {8, "psh"}, {16, "ack"},
                                          {32, "urg"}, {64, "ecn"}, {128, "cwr"}, {0, NULL}};
static const struct symbol ct_states[] = {{1, "invalid"}, {8, "new"}, {2, "established"}, {4, "related"}, {64, "untracked"}, {0, NULL}};
static const struct symbol ct_statuses[] = {{1, "expected"}, {2, "seen-reply"}, {4, "assured"}, {8, "confirmed"},
                                            {16, "snat"},    {32, "dnat"},      {512, "dying"}, {0, NULL}};
static const struct symbol ct_dirs[] = {{0, "original"}, {1, "reply"}, {0, NULL}};
static const struct symbol pkttypes[] = {{0, "host"}, {1, "broadcast"}, {2, "multicast"}, {3, "other"}, {0, NULL}};
static const struct symbol fib_types[] = {{0, "unspec"},    {1, "unicast"},   {2, "local"},       {3, "broadcast"}, {4, "anycast"},
                                          {5, "multicast"}, {6, "blackhole"}, {7, "unreachable"}, {8, "prohibit"},  {0, NULL}};
static const struct symbol presences[] = {{1, "exists"}, {0, "missing"}, {0, NULL}};
static const struct symbol arphrds[] = {{1, "ether"}, {512, "ppp"}, {772, "loopback"}, {768, "ipip"}, {776, "sit"}, {778, "ipgre"}, {0, NULL}};

enum form { F_NUMBER, F_SYMBOL, F_BITS, F_HEX, F_IP4, F_IP6, F_ETHER, F_NAME, F_INDEX };

static const struct type {
	const char *name;
	enum form form;
	bool host; // byte order
	uint8_t size;
	const struct symbol *symbols; // F_NUMBER: for the values that have one
} types[64] = {
    [NFT_T_NFPROTO] = {"nf_proto", F_SYMBOL, false, 1, nfprotos},
    [NFT_T_INTEGER] = {"integer", F_NUMBER, false, 0, NULL},
    [NFT_T_IP4] = {"ipv4_addr", F_IP4, false, 4, NULL},
    [NFT_T_IP6] = {"ipv6_addr", F_IP6, false, 16, NULL},
    [NFT_T_ETHER] = {"ether_addr", F_ETHER, false, 6, NULL},
    [NFT_T_ETHERTYPE] = {"ether_type", F_SYMBOL, false, 2, ethertypes},
    [NFT_T_INET_PROTO] = {"inet_proto", F_NUMBER, false, 1, protos},
    [NFT_T_SERVICE] = {"inet_service", F_NUMBER, false, 2, NULL},
    [NFT_T_ICMP_TYPE] = {"icmp_type", F_NUMBER, false, 1, icmp_types},
    [NFT_T_TCP_FLAG] = {"tcp_flag", F_BITS, false, 1, tcp_flags},
    [NFT_T_MARK] = {"mark", F_HEX, true, 4, NULL},
    [NFT_T_IFINDEX] = {"iface_index", F_INDEX, true, 4, NULL},
    [NFT_T_ARPHRD] = {"iface_type", F_SYMBOL, true, 2, arphrds},
    [NFT_T_UID] = {"uid", F_NUMBER, true, 4, NULL},
    [NFT_T_GID] = {"gid", F_NUMBER, true, 4, NULL},
    [NFT_T_CT_STATE] = {"ct_state", F_BITS, true, 4, ct_states},
    [NFT_T_CT_DIR] = {"ct_dir", F_SYMBOL, false, 1, ct_dirs},
    [NFT_T_CT_STATUS] = {"ct_status", F_BITS, true, 4, ct_statuses},
    [NFT_T_ICMP6_TYPE] = {"icmpv6_type", F_NUMBER, false, 1, icmp6_types},
    [NFT_T_PKTTYPE] = {"pkt_type", F_SYMBOL, true, 1, pkttypes},
    [NFT_T_DEVGROUP] = {"devgroup", F_NUMBER, true, 4, NULL},
    [NFT_T_FIB_TYPE] = {"fib_addrtype", F_SYMBOL, true, 4, fib_types},
    [NFT_T_BOOLEAN] = {"boolean", F_SYMBOL, false, 1, presences},
    [NFT_T_IFNAME] = {"ifname", F_NAME, true, 16, NULL},
    [NFT_T_HOST_INT] = {"integer", F_NUMBER, true, 0, NULL},
};

static const struct type *type_of(uint32_t type)
{
	return type < 64 && types[type].name != NULL ? &types[type] : NULL;
}

size_t nft_type_fields(uint32_t type, uint32_t fields[NFT_FIELDS])
{
	size_t n = 0;

	for (uint32_t rest = type; rest != 0 && n < NFT_FIELDS; rest >>= FIELD_BITS)
		n++;
	for (size_t i = n; i-- > 0; type >>= FIELD_BITS)
		fields[i] = type & ((1u << FIELD_BITS) - 1);
	return n;
}

bool nft_type_name(struct text *out, uint32_t type)
{
	uint32_t fields[NFT_FIELDS];
	size_t n = nft_type_fields(type, fields);

	for (size_t i = 0; i < n; i++) {
		const struct type *t = type_of(fields[i]);
		if (t == NULL && fields[i] != NFT_T_VERDICT)
			return false;
		if (i > 0)
			text_lit(out, " . ");
		text_str(out, t != NULL ? t->name : "verdict");
	}
	return n > 0;
}

bool nft_type_is_bits(uint32_t type)
{
	const struct type *t = type_of(type);

	return t != NULL && t->form == F_BITS;
}

bool nft_type_is_host(uint32_t type)
{
	const struct type *t = type_of(type);

	return t != NULL && t->host && t->form != F_NAME;
}

size_t nft_type_size(uint32_t type)
{
	const struct type *t = type_of(type);

	return t != NULL ? t->size : 0;
}

static uint64_t number(const struct type *t, const uint8_t *data, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len && i < sizeof(v); i++)
		v |= (uint64_t)data[t->host ? len - 1 - i : i] << (8 * (len - 1 - i));
	return v;
}

static const char *symbol(const struct symbol *s, uint64_t v)
{
	for (; s != NULL && s->name != NULL; s++)
		if (s->value == v)
			return s->name;
	return NULL;
}

bool nft_bits(struct text *out, uint32_t type, uint32_t bits)
{
	const struct type *t = type_of(type);
	bool first = true;

	if (t == NULL || t->form != F_BITS || bits == 0)
		return false;
	for (const struct symbol *s = t->symbols; s->name != NULL; s++) {
		if ((bits & s->value) == 0)
			continue;
		if (!first)
			text_char(out, ',');
		text_str(out, s->name);
		first = false;
		bits &= ~s->value;
	}
	return bits == 0;
}

static bool put_ip(struct text *out, int family, const uint8_t *data)
{
	char text[INET6_ADDRSTRLEN];

	text_str(out, inet_ntop(family, data, text, sizeof(text)));
	return true;
}

static bool put_ether(struct text *out, const uint8_t *a)
{
	text_printf(out, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
	return true;
}

// A name that fills less than its register is the beginning of one.
static bool put_name(struct text *out, const uint8_t *data, size_t len)
{
	size_t n = strnlen((const char *)data, len);

	text_printf(out, "\"%.*s%s\"", (int)n, (const char *)data, n == len && len < 16 ? "*" : "");
	return n > 0;
}

static bool put_index(struct text *out, uint64_t index)
{
	struct arena a = {0};
	const char *name = index != 0 ? link_name(&(struct link_names){0}, (int)index, &a) : NULL;

	if (name != NULL)
		text_printf(out, "\"%s\"", name);
	else
		text_u64(out, index);
	arena_finish(&a);
	return true;
}

static bool put_symbol(struct text *out, const char *name)
{
	if (name == NULL)
		return false;
	text_str(out, name);
	return true;
}

static bool put_number(struct text *out, const struct type *t, uint64_t v)
{
	const char *name = symbol(t->symbols, v);

	if (name != NULL)
		text_str(out, name);
	else
		text_u64(out, v);
	return true;
}

bool nft_value(struct text *out, uint32_t type, const uint8_t *data, size_t len)
{
	const struct type *t = type_of(type);

	if (t == NULL || len == 0 || (t->size != 0 && t->form != F_NAME && len < t->size))
		return false;
	len = t->size != 0 && len > t->size ? t->size : len;
	if (len > 8 && (t->form == F_NUMBER || t->form == F_HEX))
		return false;
	switch (t->form) {
	case F_NUMBER: return put_number(out, t, number(t, data, len));
	case F_SYMBOL: return put_symbol(out, symbol(t->symbols, number(t, data, len)));
	case F_BITS: return nft_bits(out, type, (uint32_t)number(t, data, len));
	case F_HEX: text_printf(out, "0x%08x", (unsigned)number(t, data, len)); return true;
	case F_IP4: return put_ip(out, AF_INET, data);
	case F_IP6: return put_ip(out, AF_INET6, data);
	case F_ETHER: return put_ether(out, data);
	case F_NAME: return put_name(out, data, len);
	case F_INDEX: return put_index(out, number(t, data, len));
	}
	return false;
}

bool nft_bound(struct text *out, uint32_t type, const uint8_t *data, size_t len)
{
	const struct type *t = type_of(type);

	if (t == NULL || t->form != F_NUMBER)
		return nft_value(out, type, data, len);
	len = t->size != 0 && len > t->size ? t->size : len;
	if (len == 0 || len > 8)
		return false;
	text_u64(out, number(t, data, len));
	return true;
}

bool nft_values(struct text *out, uint32_t type, const uint8_t *data, size_t len)
{
	uint32_t fields[NFT_FIELDS];
	size_t n = nft_type_fields(type, fields), at = 0;

	if (n < 2)
		return nft_value(out, type, data, len);
	for (size_t i = 0; i < n; i++) {
		size_t size = nft_type_size(fields[i]);
		if (size == 0 || len < at + size)
			return false;
		if (i > 0)
			text_lit(out, " . ");
		if (!nft_value(out, fields[i], data + at, size))
			return false;
		at += (size + 3) & ~(size_t)3;
	}
	return true;
}

int nft_prefix(const uint8_t *mask, size_t len)
{
	size_t bits = 0;

	while (bits < len * 8 && (mask[bits / 8] >> (7 - bits % 8) & 1) != 0)
		bits++;
	for (size_t i = bits; i < len * 8; i++)
		if ((mask[i / 8] >> (7 - i % 8) & 1) != 0)
			return -1;
	return (int)bits;
}
