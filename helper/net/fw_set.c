// Keys and values of the sets.  See fw_set.h.
#include "helper/net/fw_set.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define LINK   PART_LINK
#define SOURCE PART_SOURCE
#define HOST   PART_HOST
#define PORT   PART_PORT

// nft's numbers of data types, as `nft describe` names them (nftables, include/datatype.h).
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_PROTOCOL = 12, TYPE_INET_SERVICE = 13, TYPE_IFNAME = 41 };

// Of one kind, the most particular comes first: that is the order in which they are asked.
const struct fw_set fw_sets[FW_SETS] = {
    {"dnat4_host_if_src", FW_DNAT, 4, LINK | SOURCE | HOST | PORT, false},
    {"dnat6_host_if_src", FW_DNAT, 6, LINK | SOURCE | HOST | PORT, false},
    {"dnat4_host_src", FW_DNAT, 4, SOURCE | HOST | PORT, false},
    {"dnat6_host_src", FW_DNAT, 6, SOURCE | HOST | PORT, false},
    {"dnat4_host_if", FW_DNAT, 4, LINK | HOST | PORT, false},
    {"dnat6_host_if", FW_DNAT, 6, LINK | HOST | PORT, false},
    {"dnat4_host", FW_DNAT, 4, HOST | PORT, false},
    {"dnat6_host", FW_DNAT, 6, HOST | PORT, false},
    {"dnat4_if_src", FW_DNAT, 4, LINK | SOURCE | PORT, false},
    {"dnat6_if_src", FW_DNAT, 6, LINK | SOURCE | PORT, false},
    {"dnat4_src", FW_DNAT, 4, SOURCE | PORT, false},
    {"dnat6_src", FW_DNAT, 6, SOURCE | PORT, false},
    {"dnat4_if", FW_DNAT, 4, LINK | PORT, false},
    {"dnat6_if", FW_DNAT, 6, LINK | PORT, false},
    {"dnat4", FW_DNAT, 4, PORT, false},
    {"dnat6", FW_DNAT, 6, PORT, false},
    {"snat4", FW_SNAT, 4, LINK | SOURCE, false},
    {"snat6", FW_SNAT, 6, LINK | SOURCE, false},
    {"snat4_any", FW_SNAT, 4, LINK | SOURCE, true},
    {"snat6_any", FW_SNAT, 6, LINK | SOURCE, true},
    {"masq4", FW_MASQUERADE, 4, LINK | SOURCE, false},
    {"masq6", FW_MASQUERADE, 6, LINK | SOURCE, false},
    {"masq4_any", FW_MASQUERADE, 4, LINK | SOURCE, true},
    {"masq6_any", FW_MASQUERADE, 6, LINK | SOURCE, true},
    {"allow", FW_ALLOW, 0, PORT, false},
    {"allow_if", FW_ALLOW, 0, LINK | PORT, false},
    {"allow4_src", FW_ALLOW, 4, SOURCE | PORT, false},
    {"allow6_src", FW_ALLOW, 6, SOURCE | PORT, false},
    {"allow4_if_src", FW_ALLOW, 4, LINK | SOURCE | PORT, false},
    {"allow6_if_src", FW_ALLOW, 6, LINK | SOURCE | PORT, false},
};

static bool whole(const struct wire_addr *a)
{
	return a->prefix == (a->family == 4 ? 32 : 128);
}

// An allow rule with ports from … to … or a network has a place of its own in the chain: intervals of one set must not overlap, these may.
static bool is_rule(const struct fw_record *r)
{
	return r->kind == FW_ALLOW && (r->port_lo == 0 || r->port_lo != r->port_hi || (r->source.family != 0 && !whole(&r->source)));
}

const struct fw_set *fw_set_of(const struct fw_record *r)
{
	bool nat = r->kind == FW_MASQUERADE || r->kind == FW_SNAT;
	bool link = r->interface[0] != '\0';
	unsigned parts = (nat ? LINK | SOURCE : PORT) | (link ? LINK : 0) | (r->source.family != 0 ? SOURCE : 0) | (r->host.family != 0 ? HOST : 0);
	uint8_t family = r->kind == FW_DNAT ? r->to.family : r->source.family;

	if (is_rule(r))
		return NULL;
	for (size_t i = 0; i < FW_SETS; i++) {
		const struct fw_set *s = &fw_sets[i];
		if (s->kind == r->kind && s->family == family && s->parts == parts && s->any == (nat && !link))
			return s;
	}
	return NULL;
}

const struct fw_set *fw_set_named(const char *name)
{
	for (size_t i = 0; i < FW_SETS; i++)
		if (strcmp(fw_sets[i].name, name) == 0)
			return &fw_sets[i];
	return NULL;
}

bool fw_set_ranges(const struct fw_set *s)
{
	return (s->parts & SOURCE) != 0 && s->kind != FW_ALLOW;
}

static struct fw_field address(const struct fw_set *s)
{
	return s->family == 4 ? (struct fw_field){TYPE_IPADDR, 4} : (struct fw_field){TYPE_IP6ADDR, 16};
}

unsigned fw_set_key(const struct fw_set *s, struct fw_field f[FW_FIELDS])
{
	unsigned n = 0;

	if ((s->parts & LINK) != 0)
		f[n++] = (struct fw_field){TYPE_IFNAME, 16};
	if ((s->parts & SOURCE) != 0)
		f[n++] = address(s);
	if ((s->parts & HOST) != 0)
		f[n++] = address(s);
	if ((s->parts & PORT) != 0) {
		f[n++] = (struct fw_field){TYPE_INET_PROTOCOL, 1};
		f[n++] = (struct fw_field){TYPE_INET_SERVICE, 2};
	}
	return n;
}

unsigned fw_set_value(const struct fw_set *s, struct fw_field f[FW_FIELDS])
{
	if (s->kind != FW_DNAT && s->kind != FW_SNAT)
		return 0;
	f[0] = address(s);
	f[1] = (struct fw_field){TYPE_INET_SERVICE, 2};
	return s->kind == FW_DNAT ? 2 : 1;
}

uint32_t fw_fields_len(const struct fw_field *f, unsigned n)
{
	uint32_t len = 0;

	if (n == 1)
		return f[0].len;
	while (n > 0)
		len += (f[--n].len + 3u) / 4 * 4;
	return len;
}

static size_t put(uint8_t *at, const void *p, size_t n)
{
	memcpy(at, p, n);
	return (n + 3) / 4 * 4;
}

static size_t put_port(uint8_t *at, uint16_t port)
{
	uint16_t be = htons(port);

	return put(at, &be, sizeof(be));
}

// The last address of a network.
static void last(const struct wire_addr *a, uint8_t out[16])
{
	memcpy(out, a->addr, 16);
	for (unsigned i = a->prefix; i < (a->family == 4 ? 32u : 128u); i++)
		out[i / 8] = (uint8_t)(out[i / 8] | 0x80u >> i % 8);
}

static void key_of(const struct fw_set *s, const struct fw_record *r, const char *link, const uint8_t *source, uint8_t *key)
{
	size_t len = s->family == 4 ? 4 : 16;
	char name[16] = {0};

	memcpy(name, link, strnlen(link, sizeof(name) - 1));
	if ((s->parts & LINK) != 0)
		key += put(key, name, sizeof(name));
	if ((s->parts & SOURCE) != 0)
		key += put(key, source, len);
	if ((s->parts & HOST) != 0)
		key += put(key, r->host.addr, len);
	if ((s->parts & PORT) != 0) {
		key += put(key, &r->proto, 1);
		put_port(key, r->port_lo);
	}
}

void fw_elem_of(const struct fw_set *s, const struct fw_record *r, const char *link, struct fw_elem *e)
{
	const char *by = s->any ? link : r->interface;
	uint8_t end[16];

	memset(e, 0, sizeof(*e));
	last(&r->source, end);
	key_of(s, r, by, r->source.addr, e->key);
	key_of(s, r, by, end, e->end);
	if (s->kind == FW_DNAT)
		put_port(e->value + put(e->value, r->to.addr, s->family == 4 ? 4 : 16), r->to_port);
	else if (s->kind == FW_SNAT)
		put(e->value, r->to.addr, s->family == 4 ? 4 : 16);
}

// ---- and back ----

static void get_address(const struct fw_set *s, const uint8_t *at, struct wire_addr *a)
{
	a->family = s->family;
	a->prefix = s->family == 4 ? 32 : 128;
	memcpy(a->addr, at, s->family == 4 ? 4 : 16);
}

// The network from `at` to `end`; whether it is one shows when the record is turned into an element again.
static void get_network(const struct fw_set *s, const uint8_t *at, const uint8_t *end, struct wire_addr *a)
{
	unsigned n = 0, bits = s->family == 4 ? 32 : 128;

	get_address(s, at, a);
	while (n < bits && ((at[n / 8] ^ end[n / 8]) & 0x80u >> n % 8) == 0)
		n++;
	a->prefix = (uint8_t)n;
}

static uint16_t get_port(const uint8_t *at)
{
	uint16_t be;

	memcpy(&be, at, sizeof(be));
	return ntohs(be);
}

bool fw_elem_record(const struct fw_set *s, const struct fw_elem *e, struct fw_record *r)
{
	size_t len = s->family == 4 ? 4 : 16, at = 0;
	char link[16] = {0};
	struct fw_elem again;

	memset(r, 0, sizeof(*r));
	r->kind = s->kind;
	if ((s->parts & LINK) != 0) {
		memcpy(link, e->key, sizeof(link) - 1);
		if (!s->any)
			memcpy(r->interface, link, sizeof(link));
		at += 16;
	}
	if ((s->parts & SOURCE) != 0) {
		get_network(s, e->key + at, fw_set_ranges(s) ? e->end + at : e->key + at, &r->source);
		at += len;
	}
	if ((s->parts & HOST) != 0) {
		get_address(s, e->key + at, &r->host);
		at += len;
	}
	if ((s->parts & PORT) != 0) {
		r->proto = e->key[at];
		r->port_lo = get_port(e->key + at + 4);
		r->port_hi = s->kind == FW_ALLOW ? r->port_lo : 0;
	}
	if (s->kind == FW_DNAT || s->kind == FW_SNAT)
		get_address(s, e->value, &r->to);
	if (s->kind == FW_DNAT)
		r->to_port = get_port(e->value + len);
	fw_elem_of(s, r, link, &again);
	return memcmp(again.key, e->key, sizeof(again.key)) == 0 && memcmp(again.value, e->value, sizeof(again.value)) == 0 &&
	       (!fw_set_ranges(s) || memcmp(again.end, e->end, sizeof(again.end)) == 0);
}
