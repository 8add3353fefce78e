// See dhcp4_msg.h.
//
// Options may lie in three fields (option overload), and one that comes in pieces is put together again before it is read (RFC 3396).
#include "unpriv/posternd/dhcp4_msg.h"

#include <string.h>

#define FIXED   236 // bytes before the magic cookie (RFC 2131, figure 1)
#define OPTIONS 240
#define LEAST   300
#define COOKIE  0x63825363u

enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTERS = 3,
	OPT_DNS = 6,
	OPT_DOMAIN = 15,
	OPT_REQUESTED = 50,
	OPT_SECS = 51,
	OPT_OVERLOAD = 52,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_WANTED = 55,
	OPT_SIZE = 57,
	OPT_T1 = 58,
	OPT_T2 = 59,
	OPT_CLIENT = 61,
	OPT_ROUTES = 121,
	OPT_END = 255,
};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

// ---- the packet around it ----

// Adds 16-bit words to a one's complement sum; of several pieces all but the last have an even length.
static uint32_t add_sum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	return (n & 1) != 0 ? sum + (uint32_t)p[n - 1] * 256 : sum;
}

static bool sum_ok(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

const uint8_t *dhcp4_unwrap(const uint8_t *packet, size_t n, bool summed, size_t *len, uint32_t *source)
{
	const uint8_t *udp;
	size_t head, total, u;

	if (n < 28 || packet[0] >> 4 != 4)
		return NULL;
	head = (size_t)(packet[0] & 15) * 4;
	total = get16(packet + 2);
	if (head < 20 || total > n || total < head + 8 || packet[9] != 17 || (get16(packet + 6) & 0x3fff) != 0 || !sum_ok(add_sum(0, packet, head)))
		return NULL;
	udp = packet + head;
	u = get16(udp + 4);
	if (u < 8 || u > total - head || get16(udp) != 67 || get16(udp + 2) != 68)
		return NULL;
	if (summed && get16(udp + 6) != 0 && !sum_ok(add_sum(add_sum((uint32_t)(17 + u), packet + 12, 8), udp, u)))
		return NULL;
	*len = u - 8;
	*source = get32(packet + 12);
	return udp + 8;
}

// ---- options ----

struct area {
	const uint8_t *p;
	size_t n;
};

struct options {
	struct area area[3];
	unsigned n;
};

// The next option of an area from *at; false at its end.  A malformed area ends with *at beyond n.
static bool next_option(const struct area *a, size_t *at, uint8_t *code, struct area *value)
{
	while (*at < a->n && a->p[*at] == OPT_PAD)
		++*at;
	if (*at >= a->n || a->p[*at] == OPT_END)
		return false;
	if (a->n - *at < 2 || a->n - *at - 2 < a->p[*at + 1]) {
		*at = a->n + 1;
		return false;
	}
	*code = a->p[*at];
	*value = (struct area){a->p + *at + 2, a->p[*at + 1]};
	*at += 2 + value->n;
	return true;
}

static bool area_ok(const struct area *a)
{
	struct area value;
	size_t at = 0;
	uint8_t code;

	while (next_option(a, &at, &code, &value))
		;
	return at <= a->n;
}

// The whole of an option, its pieces put together, in buf.  Returns its length, 0 where there is none.
static size_t option(const struct options *o, uint8_t code, uint8_t *buf, size_t cap)
{
	size_t len = 0;

	for (unsigned i = 0; i < o->n; i++) {
		struct area value;
		size_t at = 0;
		uint8_t c;

		while (next_option(&o->area[i], &at, &c, &value)) {
			size_t n = value.n < cap - len ? value.n : cap - len;
			if (c != code)
				continue;
			memcpy(buf + len, value.p, n);
			len += n;
		}
	}
	return len;
}

// Where the options of a message are.
static bool find_options(const uint8_t *m, size_t n, struct options *o)
{
	uint8_t overload = 0;

	*o = (struct options){.area = {{m + OPTIONS, n - OPTIONS}}, .n = 1};
	if (option(o, OPT_OVERLOAD, &overload, 1) == 1 && overload > 3)
		return false;
	if ((overload & 1) != 0)
		o->area[o->n++] = (struct area){m + 108, 128};
	if ((overload & 2) != 0)
		o->area[o->n++] = (struct area){m + 44, 64};
	for (unsigned i = 0; i < o->n; i++)
		if (!area_ok(&o->area[i]))
			return false;
	return true;
}

static uint32_t option32(const struct options *o, uint8_t code)
{
	uint8_t b[5];

	return option(o, code, b, sizeof(b)) == 4 ? get32(b) : 0;
}

static uint8_t option_addresses(const struct options *o, uint8_t code, uint32_t out[DHCP4_SERVERS])
{
	uint8_t b[4 * DHCP4_SERVERS], kept = 0;
	size_t n = option(o, code, b, sizeof(b)) / 4;

	for (size_t i = 0; i < n; i++)
		if (dhcp4_unicast(get32(b + 4 * i)))
			out[kept++] = get32(b + 4 * i);
	return kept;
}

// RFC 3442: prefix length, as many bytes of the network as that needs, router.
static uint8_t option_routes(const struct options *o, struct dhcp4_route out[DHCP4_ROUTES])
{
	uint8_t b[9 * DHCP4_ROUTES], kept = 0;
	size_t n = option(o, OPT_ROUTES, b, sizeof(b)), at = 0;

	while (at < n && b[at] <= 32 && kept < DHCP4_ROUTES) {
		uint8_t network[4] = {0};
		size_t bytes = (b[at] + 7u) / 8;

		if (n - at < 1 + bytes + 4)
			break;
		memcpy(network, b + at + 1, bytes);
		out[kept].prefix = b[at];
		out[kept].destination = b[at] == 0 ? 0 : get32(network) & ~UINT32_C(0) << (32 - b[at]);
		out[kept].gateway = get32(b + at + 1 + bytes);
		if (out[kept].gateway == 0 || dhcp4_unicast(out[kept].gateway))
			kept++;
		at += 1 + bytes + 4;
	}
	return kept;
}

static void option_domain(const struct options *o, char out[DHCP4_DOMAIN])
{
	size_t n = option(o, OPT_DOMAIN, (uint8_t *)out, DHCP4_DOMAIN - 1);

	while (n > 0 && out[n - 1] == '\0')
		n--;
	out[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (out[i] <= ' ' || out[i] > '~')
			out[0] = '\0';
}

// ---- leases ----

int dhcp4_prefix(uint32_t mask)
{
	int prefix = mask == 0 ? 0 : 32 - __builtin_ctz(mask);

	return mask == 0 || mask == ~UINT32_C(0) << (32 - prefix) ? prefix : -1;
}

bool dhcp4_unicast(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a >> 24 < 224;
}

// Classes A, B, C: what a mask was before there were masks.
static uint8_t natural_prefix(uint32_t a)
{
	return a >> 31 == 0 ? 8 : a >> 30 == 2 ? 16 : 24;
}

bool dhcp4_lease_ok(struct dhcp4_lease *l)
{
	uint32_t host;

	if (l->prefix == 0)
		l->prefix = natural_prefix(l->address);
	if (!dhcp4_unicast(l->address) || l->prefix < 8 || l->prefix > 32 || l->secs < 10)
		return false;
	host = l->prefix >= 31 ? 1 : l->address & ~(~UINT32_C(0) << (32 - l->prefix));
	if (host == 0 || (l->prefix < 31 && host == ~(~UINT32_C(0) << (32 - l->prefix))))
		return false;
	// A server's times that don't rise are as good as none (RFC 2131, 4.4.5).
	if (l->t1 == 0 || l->t2 == 0 || l->t1 >= l->t2 || l->t2 >= l->secs) {
		l->t1 = l->secs / 2;
		l->t2 = (uint32_t)((uint64_t)l->secs * 7 / 8);
	}
	return true;
}

static void read_lease(const uint8_t *m, const struct options *o, struct dhcp4_msg *out)
{
	struct dhcp4_lease *l = &out->lease;
	int prefix = dhcp4_prefix(option32(o, OPT_MASK));

	l->address = get32(m + 16);
	l->server = option32(o, OPT_SERVER);
	l->secs = option32(o, OPT_SECS);
	l->t1 = option32(o, OPT_T1);
	l->t2 = option32(o, OPT_T2);
	l->n_routers = option_addresses(o, OPT_ROUTERS, l->routers);
	l->n_dns = option_addresses(o, OPT_DNS, l->dns);
	l->n_routes = option_routes(o, l->routes);
	option_domain(o, l->domain);
	l->prefix = prefix < 0 ? 0 : (uint8_t)prefix;
	out->whole = prefix >= 0 && dhcp4_lease_ok(l);
}

bool dhcp4_parse(const uint8_t *m, size_t n, struct dhcp4_msg *out)
{
	struct options o;
	uint8_t type[2];

	memset(out, 0, sizeof(*out));
	if (n < OPTIONS || m[0] != 2 || m[1] != 1 || m[2] != 6 || get32(m + FIXED) != COOKIE || !find_options(m, n, &o))
		return false;
	if (option(&o, OPT_TYPE, type, sizeof(type)) != 1 || (type[0] != DHCP4_OFFER && type[0] != DHCP4_ACK && type[0] != DHCP4_NAK))
		return false;
	out->type = (enum dhcp4_type)type[0];
	out->xid = get32(m + 4);
	memcpy(out->mac, m + 28, sizeof(out->mac));
	read_lease(m, &o, out);
	return true;
}

// ---- building ----

static uint8_t *add_option(uint8_t *p, uint8_t code, const void *value, uint8_t n)
{
	*p++ = code;
	*p++ = n;
	memcpy(p, value, n);
	return p + n;
}

static uint8_t *add_address(uint8_t *p, uint8_t code, uint32_t address)
{
	uint8_t b[4];

	put32(b, address);
	return address == 0 ? p : add_option(p, code, b, sizeof(b));
}

size_t dhcp4_build(const struct dhcp4_ask *ask, uint8_t out[DHCP4_MOST])
{
	static const uint8_t wanted[] = {OPT_MASK, OPT_ROUTES, OPT_ROUTERS, OPT_DNS, OPT_DOMAIN, OPT_SECS, OPT_SERVER, OPT_T1, OPT_T2};
	static const uint8_t size[] = {DHCP4_MOST >> 8, DHCP4_MOST & 0xff};
	uint8_t client[7] = {1}, type = (uint8_t)ask->type, *p = out + OPTIONS;

	memset(out, 0, DHCP4_MOST);
	out[0] = out[1] = 1;
	out[2] = 6;
	put32(out + 4, ask->xid);
	out[8] = (uint8_t)(ask->secs >> 8);
	out[9] = (uint8_t)ask->secs;
	put32(out + 12, ask->ciaddr);
	memcpy(out + 28, ask->mac, sizeof(ask->mac));
	put32(out + FIXED, COOKIE);
	memcpy(client + 1, ask->mac, sizeof(ask->mac));
	p = add_option(p, OPT_TYPE, &type, 1);
	p = add_option(p, OPT_CLIENT, client, sizeof(client));
	p = add_address(p, OPT_REQUESTED, ask->requested);
	p = add_address(p, OPT_SERVER, ask->server);
	if (ask->type == DHCP4_DISCOVER || ask->type == DHCP4_REQUEST) {
		p = add_option(p, OPT_SIZE, size, sizeof(size));
		p = add_option(p, OPT_WANTED, wanted, sizeof(wanted));
	}
	*p++ = OPT_END;
	return p - out < LEAST ? LEAST : (size_t)(p - out);
}
