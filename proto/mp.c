// Bounded msgpack reader: one table-free head decoder (mp_next) and an iterative skipper on top of it.  See mp.h.
#include "proto/mp.h"

#include <string.h>

struct mp mp_over(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	return (struct mp){.p = p, .end = p + len};
}

bool mp_utf8(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint8_t c = p[i];
		unsigned more;
		uint32_t cp;
		uint32_t least;

		if (c < 0x80) {
			i++;
			continue;
		}
		if (c >= 0xc2 && c <= 0xdf) {
			more = 1, cp = c & 0x1fu, least = 0x80;
		} else if (c >= 0xe0 && c <= 0xef) {
			more = 2, cp = c & 0x0fu, least = 0x800;
		} else if (c >= 0xf0 && c <= 0xf4) {
			more = 3, cp = c & 0x07u, least = 0x10000;
		} else {
			return false;
		}
		if (len - i <= more)
			return false;
		for (unsigned k = 1; k <= more; k++) {
			if ((p[i + k] & 0xc0u) != 0x80u)
				return false;
			cp = cp << 6 | (p[i + k] & 0x3fu);
		}
		if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return false;
		i += more + 1;
	}
	return true;
}

// Reads an n-byte big-endian integer at p.
static uint64_t be(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

// Reads the n bytes behind the head byte into *v.  least is the smallest number that needs this form: below it a shorter one exists.
static enum mp_status number(const struct mp *m, unsigned n, uint64_t least, uint64_t *v)
{
	if ((size_t)(m->end - m->p) < 1 + (size_t)n)
		return MP_SHORT;
	*v = be(m->p + 1, n);
	return *v < least ? MP_BAD : MP_OK;
}

static enum mp_status body(struct mp *m, unsigned head, uint64_t len, enum mp_type type, struct mp_value *v)
{
	const uint8_t *p = m->p + head;

	if (len > MP_MAX_VALUE)
		return MP_BAD;
	if ((uint64_t)(m->end - p) < len)
		return MP_SHORT;
	if (type == MP_STR && !mp_utf8(p, len))
		return MP_BAD;
	v->type = type;
	v->s = (struct mp_slice){.p = p, .len = (uint32_t)len};
	m->p = p + len;
	return MP_OK;
}

static enum mp_status container(struct mp *m, unsigned head, uint64_t n, enum mp_type type, struct mp_value *v)
{
	// Every element takes at least a byte, so a larger count can't fit into any value we accept.
	if (n > MP_MAX_VALUE / (type == MP_MAP ? 2 : 1))
		return MP_BAD;
	v->type = type;
	v->n = (uint32_t)n;
	m->p += head;
	return MP_OK;
}

static enum mp_status uint_of(struct mp *m, unsigned n, uint64_t least, struct mp_value *v)
{
	enum mp_status st = number(m, n, least, &v->u);

	if (st != MP_OK)
		return st;
	v->type = MP_UINT;
	m->p += 1 + n;
	return MP_OK;
}

// A signed form is canonical only for a negative number that no shorter form holds: most is the largest such number.
static enum mp_status int_of(struct mp *m, unsigned n, int64_t most, struct mp_value *v)
{
	uint64_t raw;
	enum mp_status st = number(m, n, 0, &raw);
	unsigned shift = 64 - 8 * n;

	if (st != MP_OK)
		return st;
	v->i = (int64_t)(raw << shift) >> shift;
	if (v->i > most)
		return MP_BAD;
	v->type = MP_NEGINT;
	m->p += 1 + n;
	return MP_OK;
}

static enum mp_status sized(struct mp *m, unsigned n, uint64_t least, enum mp_type type, struct mp_value *v)
{
	uint64_t len;
	enum mp_status st = number(m, n, least, &len);

	if (st != MP_OK)
		return st;
	if (type == MP_STR || type == MP_BIN)
		return body(m, 1 + n, len, type, v);
	return container(m, 1 + n, len, type, v);
}

static enum mp_status one_byte(struct mp *m, enum mp_type type, bool b, struct mp_value *v)
{
	v->type = type;
	v->b = b;
	m->p++;
	return MP_OK;
}

// Heads from 0xc0 to 0xdf: nil, bool, and everything with a length or number behind it.
static enum mp_status long_form(struct mp *m, struct mp_value *v)
{
	switch (*m->p) {
	case 0xc0: return one_byte(m, MP_NIL, false, v);
	case 0xc2: return one_byte(m, MP_BOOL, false, v);
	case 0xc3: return one_byte(m, MP_BOOL, true, v);
	case 0xc4: return sized(m, 1, 0, MP_BIN, v);
	case 0xc5: return sized(m, 2, 0x100, MP_BIN, v);
	case 0xc6: return sized(m, 4, 0x10000, MP_BIN, v);
	case 0xcc: return uint_of(m, 1, 0x80, v);
	case 0xcd: return uint_of(m, 2, 0x100, v);
	case 0xce: return uint_of(m, 4, 0x10000, v);
	case 0xcf: return uint_of(m, 8, 0x100000000, v);
	case 0xd0: return int_of(m, 1, -33, v);
	case 0xd1: return int_of(m, 2, INT8_MIN - 1, v);
	case 0xd2: return int_of(m, 4, INT16_MIN - 1, v);
	case 0xd3: return int_of(m, 8, (int64_t)INT32_MIN - 1, v);
	case 0xd9: return sized(m, 1, 32, MP_STR, v);
	case 0xda: return sized(m, 2, 0x100, MP_STR, v);
	case 0xdb: return sized(m, 4, 0x10000, MP_STR, v);
	case 0xdc: return sized(m, 2, 16, MP_ARRAY, v);
	case 0xdd: return sized(m, 4, 0x10000, MP_ARRAY, v);
	case 0xde: return sized(m, 2, 16, MP_MAP, v);
	case 0xdf: return sized(m, 4, 0x10000, MP_MAP, v);
	default:   return MP_BAD;  // 0xc1, floats, ext
	}
}

enum mp_status mp_next(struct mp *m, struct mp_value *v)
{
	uint8_t h;

	if (m->p == m->end)
		return MP_SHORT;
	h = *m->p;
	if (h <= 0x7f) {
		*v = (struct mp_value){.type = MP_UINT, .u = h};
		m->p++;
		return MP_OK;
	}
	if (h >= 0xe0) {
		*v = (struct mp_value){.type = MP_NEGINT, .i = (int64_t)h - 256};
		m->p++;
		return MP_OK;
	}
	if (h <= 0x8f)
		return container(m, 1, h & 0x0fu, MP_MAP, v);
	if (h <= 0x9f)
		return container(m, 1, h & 0x0fu, MP_ARRAY, v);
	if (h <= 0xbf)
		return body(m, 1, h & 0x1fu, MP_STR, v);
	return long_form(m, v);
}

enum mp_status mp_skip(struct mp *m, unsigned depth)
{
	uint64_t left[MP_MAX_DEPTH + 1] = {1};
	unsigned level = 0;
	struct mp at = *m;

	if (depth > MP_MAX_DEPTH)
		depth = MP_MAX_DEPTH;
	for (;;) {
		struct mp_value v;
		enum mp_status st;

		while (left[level] == 0) {
			if (level == 0) {
				*m = at;
				return MP_OK;
			}
			level--;
		}
		left[level]--;
		st = mp_next(&at, &v);
		if (st != MP_OK)
			return st;
		if (v.type != MP_ARRAY && v.type != MP_MAP)
			continue;
		if (level == depth)
			return MP_BAD;
		left[++level] = v.type == MP_MAP ? 2 * (uint64_t)v.n : v.n;
	}
}

enum mp_status mp_size(const void *buf, size_t len, size_t *size)
{
	struct mp m = mp_over(buf, len < MP_MAX_VALUE ? len : MP_MAX_VALUE);
	enum mp_status st = mp_skip(&m, MP_MAX_DEPTH);

	if (st == MP_SHORT && len >= MP_MAX_VALUE)
		return MP_BAD;
	if (st == MP_OK)
		*size = (size_t)(m.p - (const uint8_t *)buf);
	return st;
}

int mp_out_write(void *data, const char *buf, size_t len)
{
	struct mp_out *o = data;

	if (o->full || len > o->cap - o->len) {
		o->full = true;
		return -1;
	}
	memcpy(o->buf + o->len, buf, len);
	o->len += len;
	return 0;
}
