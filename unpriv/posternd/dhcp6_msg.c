// See dhcp6_msg.h.
//
// Options nest: a message holds IAs, an IA holds addresses or prefixes, and each of them may hold a status.  One walker serves all depths.
#include "unpriv/posternd/dhcp6_msg.h"

#include <string.h>

enum {
	OPT_CLIENT = 1,
	OPT_SERVER = 2,
	OPT_IA_NA = 3,
	OPT_ADDRESS = 5,
	OPT_WANTED = 6,
	OPT_PREFERENCE = 7,
	OPT_ELAPSED = 8,
	OPT_STATUS = 13,
	OPT_DNS = 23,
	OPT_DOMAINS = 24,
	OPT_IA_PD = 25,
	OPT_PREFIX = 26,
};

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

// One option: calls the reader of its level.  False = malformed.
typedef bool option_fn(unsigned code, const uint8_t *p, size_t n, void *out);

static bool each_option(const uint8_t *p, size_t n, option_fn *fn, void *out)
{
	while (n > 0) {
		if (n < 4 || get16(p + 2) > n - 4 || !fn(get16(p), p + 4, get16(p + 2), out))
			return false;
		n -= 4 + get16(p + 2);
		p += 4 + get16(p + 2);
	}
	return true;
}

static bool read_duid(const uint8_t *p, size_t n, struct dhcp6_duid *out)
{
	if (n < 3 || n > DHCP6_DUID)
		return false;
	out->n = (uint8_t)n;
	memcpy(out->v, p, n);
	return true;
}

static bool inner_option(unsigned code, const uint8_t *p, size_t n, void *out)
{
	bool *refused = out;

	if (code != OPT_STATUS)
		return true;
	if (n < 2)
		return false;
	*refused = *refused || get16(p) != 0;
	return true;
}

struct ia {
	struct dhcp6_block *v;
	uint8_t *n;
	unsigned code;
	bool refused;
};

static bool block_option(const uint8_t *p, size_t n, struct ia *ia)
{
	bool pd = ia->code == OPT_PREFIX, refused = false;
	size_t head = pd ? 25 : 24;
	struct dhcp6_block b = {.length = 128};

	if (n < head || !each_option(p + head, n - head, inner_option, &refused))
		return false;
	memcpy(b.addr, pd ? p + 9 : p, 16);
	b.preferred = get32(pd ? p : p + 16);
	b.valid = get32(pd ? p + 4 : p + 20);
	if (pd)
		b.length = p[8];
	// What is withdrawn, contradicts itself, or isn't anybody's own address.
	if (refused || b.valid == 0 || b.preferred > b.valid || b.length < 16 || b.length > 128 || b.addr[0] == 0xff || b.addr[0] == 0 ||
	    b.addr[0] == 0xfe)
		return true;
	for (unsigned bit = b.length; bit < 128; bit++)
		b.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (*ia->n < DHCP6_EACH)
		ia->v[(*ia->n)++] = b;
	return true;
}

static bool ia_option(unsigned code, const uint8_t *p, size_t n, void *out)
{
	struct ia *ia = out;

	if (code == OPT_STATUS)
		return inner_option(code, p, n, &ia->refused);
	return code != ia->code || block_option(p, n, ia);
}

static bool read_ia(unsigned code, const uint8_t *p, size_t n, struct dhcp6_msg *m)
{
	struct dhcp6_lease *l = &m->lease;
	struct ia ia = {.v = l->prefixes, .n = &l->n_prefixes, .code = OPT_PREFIX};

	if (code == OPT_IA_NA)
		ia = (struct ia){.v = l->addresses, .n = &l->n_addresses, .code = OPT_ADDRESS};
	if (n < 12 || !each_option(p + 12, n - 12, ia_option, &ia))
		return false;
	m->refused = m->refused || ia.refused;
	l->iaid = get32(p);
	if (get32(p + 4) != 0 && (l->t1 == 0 || get32(p + 4) < l->t1))
		l->t1 = get32(p + 4);
	if (get32(p + 8) != 0 && (l->t2 == 0 || get32(p + 8) < l->t2))
		l->t2 = get32(p + 8);
	return true;
}

// The first name of the list: labels, each with its length before it, to an empty one.
static void read_domain(const uint8_t *p, size_t n, char out[DHCP6_DOMAIN])
{
	size_t at = 0, len = 0;

	while (at < n && p[at] != 0 && p[at] < 64 && n - at - 1 >= p[at] && len + p[at] + 1u < DHCP6_DOMAIN) {
		if (len > 0)
			out[len++] = '.';
		memcpy(out + len, p + at + 1, p[at]);
		len += p[at];
		at += 1u + p[at];
	}
	out[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (out[i] <= ' ' || out[i] > '~')
			out[0] = '\0';
}

static bool message_option(unsigned code, const uint8_t *p, size_t n, void *out)
{
	struct dhcp6_msg *m = out;

	switch (code) {
	case OPT_CLIENT: return read_duid(p, n, &m->client);
	case OPT_SERVER: return read_duid(p, n, &m->lease.server);
	case OPT_IA_NA:
	case OPT_IA_PD: return read_ia(code, p, n, m);
	case OPT_DOMAINS: read_domain(p, n, m->lease.domain); return true;
	case OPT_PREFERENCE: m->preference = n == 1 ? p[0] : 0; return n == 1;
	case OPT_STATUS: m->status = n < 2 ? 0 : get16(p); return n >= 2;
	case OPT_DNS:
		for (; n >= 16 && m->lease.n_dns < DHCP6_EACH; n -= 16, p += 16)
			memcpy(m->lease.dns[m->lease.n_dns++], p, 16);
		return true;
	default: return true;
	}
}

// The longest validity, and T1 and T2 where the server left them to us or they don't rise (21.4).
static void finish(struct dhcp6_lease *l)
{
	uint32_t shortest = DHCP6_FOREVER;

	for (unsigned i = 0; i < (unsigned)l->n_addresses + l->n_prefixes; i++) {
		const struct dhcp6_block *b = i < l->n_addresses ? &l->addresses[i] : &l->prefixes[i - l->n_addresses];
		uint32_t p = b->preferred != 0 ? b->preferred : b->valid;

		shortest = p < shortest ? p : shortest;
		l->secs = b->valid > l->secs ? b->valid : l->secs;
	}
	if (l->t1 != 0 && l->t2 != 0 && l->t1 <= l->t2 && l->t2 <= l->secs)
		return;
	l->t1 = shortest == DHCP6_FOREVER ? DHCP6_FOREVER : shortest / 2;
	l->t2 = shortest == DHCP6_FOREVER ? DHCP6_FOREVER : (uint32_t)((uint64_t)shortest * 4 / 5);
}

bool dhcp6_parse(const uint8_t *m, size_t n, struct dhcp6_msg *out)
{
	memset(out, 0, sizeof(*out));
	if (n < 4 || (m[0] != DHCP6_ADVERTISE && m[0] != DHCP6_REPLY) || !each_option(m + 4, n - 4, message_option, out))
		return false;
	out->type = (enum dhcp6_type)m[0];
	out->xid = get32(m) & 0xffffff;
	finish(&out->lease);
	return out->lease.server.n > 0 && out->client.n > 0;
}

// ---- building ----

struct writer {
	uint8_t *v;
	size_t n;
};

static void put16(struct writer *w, unsigned v)
{
	w->v[w->n++] = (uint8_t)(v >> 8);
	w->v[w->n++] = (uint8_t)v;
}

static void put32(struct writer *w, uint32_t v)
{
	put16(w, v >> 16);
	put16(w, v & 0xffff);
}

static void put_option(struct writer *w, unsigned code, const void *p, size_t n)
{
	put16(w, code);
	put16(w, (unsigned)n);
	memcpy(w->v + w->n, p, n);
	w->n += n;
}

static void put_ia(struct writer *w, unsigned code, uint32_t iaid, const struct dhcp6_block *v, size_t n)
{
	size_t at = w->n, len;

	put16(w, code);
	put16(w, 0);
	put32(w, iaid);
	put32(w, 0);
	put32(w, 0);
	for (size_t i = 0; i < n; i++) {
		put16(w, code == OPT_IA_PD ? OPT_PREFIX : OPT_ADDRESS);
		put16(w, code == OPT_IA_PD ? 25 : 24);
		if (code == OPT_IA_NA) {
			memcpy(w->v + w->n, v[i].addr, 16);
			w->n += 16;
		}
		put32(w, 0);
		put32(w, 0);
		if (code == OPT_IA_PD) {
			w->v[w->n++] = v[i].length;
			memcpy(w->v + w->n, v[i].addr, 16);
			w->n += 16;
		}
	}
	len = w->n - at - 4;
	w->v[at + 2] = (uint8_t)(len >> 8);
	w->v[at + 3] = (uint8_t)len;
}

size_t dhcp6_build(const struct dhcp6_ask *ask, uint8_t out[DHCP6_MOST])
{
	static const uint8_t wanted[] = {0, OPT_DNS, 0, OPT_DOMAINS};
	const uint8_t elapsed[] = {(uint8_t)(ask->elapsed >> 8), (uint8_t)ask->elapsed};
	const struct dhcp6_lease *l = ask->lease;
	struct writer w = {.v = out};

	put32(&w, (uint32_t)ask->type << 24 | (ask->xid & 0xffffff));
	put_option(&w, OPT_CLIENT, ask->client->v, ask->client->n);
	if (ask->server != NULL)
		put_option(&w, OPT_SERVER, ask->server->v, ask->server->n);
	put_option(&w, OPT_ELAPSED, elapsed, sizeof(elapsed));
	put_option(&w, OPT_WANTED, wanted, sizeof(wanted));
	if (ask->addresses)
		put_ia(&w, OPT_IA_NA, ask->iaid, l != NULL ? l->addresses : NULL, l != NULL ? l->n_addresses : 0);
	if (ask->prefixes)
		put_ia(&w, OPT_IA_PD, ask->iaid, l != NULL ? l->prefixes : NULL, l != NULL ? l->n_prefixes : 0);
	return w.n;
}

struct dhcp6_duid dhcp6_duid_of(const uint8_t mac[6])
{
	struct dhcp6_duid d = {.n = 10, .v = {0, 3, 0, 1}};

	memcpy(d.v + 4, mac, 6);
	return d;
}

bool dhcp6_duid_same(const struct dhcp6_duid *a, const struct dhcp6_duid *b)
{
	return a->n == b->n && memcmp(a->v, b->v, a->n) == 0;
}
