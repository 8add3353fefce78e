// Row-driven encoder and decoder of the binary wires; what the kinds do stands in wire_kinds.c.  See wire.h.
#include "proto/wire.h"

#include <msgpack/pack.h>
#include <string.h>

#include "proto/wire_kinds.h"

static bool in_set(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

bool wire_ifname_ok(const char *s)
{
	size_t n = strnlen(s, 16);

	if (n < 1 || n > 15 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!in_set(s[i], LOWER UPPER DIGIT "_.-"))
			return false;
	return true;
}

bool wire_vmid_ok(const char *s)
{
	size_t n = strnlen(s, 65);

	if (n < 1 || n > 64 || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!in_set(s[i], LOWER DIGIT "-"))
			return false;
	return true;
}

bool wire_relpath_ok(const char *s)
{
	size_t n = strnlen(s, 256);
	size_t start = 0;

	if (n < 1 || n > 255)
		return false;
	for (size_t i = 0; i <= n; i++) {
		size_t len = i - start;

		if (i < n && ((unsigned char)s[i] < 0x20 || s[i] == 0x7f))
			return false;
		if (i < n && s[i] != '/')
			continue;
		if (len == 0 || (len == 1 && s[start] == '.') || (len == 2 && s[start] == '.' && s[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}
static bool wrong(struct wire_error *err, const char *field, const char *what)
{
	*err = (struct wire_error){.field = field, .what = what};
	return false;
}

static bool key_is(const struct mp_value *v, const char *name)
{
	return v->type == MP_STR && v->s.len == strlen(name) && memcmp(v->s.p, name, v->s.len) == 0;
}

// Reads one pair; *at is the row to look at first and is left behind the row that matched.
static bool pair(const struct wire_field *fields, size_t n, size_t *at, struct mp *m, char *out, struct wire_error *err)
{
	struct mp_value key;
	struct mp_value v;
	const char *bad;

	if (mp_next(m, &key) != MP_OK)
		return wrong(err, NULL, "malformed key");
	for (; *at < n && !key_is(&key, fields[*at].name); (*at)++)
		if (fields[*at].need == REQ)
			return wrong(err, fields[*at].name, "missing, or out of the rows' order");
	if (*at == n)
		return wrong(err, NULL, "unknown, repeated or misplaced key");
	if (mp_next(m, &v) != MP_OK)
		return wrong(err, fields[*at].name, "malformed value");
	bad = wire_codecs[fields[*at].kind].get(&fields[*at], m, &v, out + fields[*at].off);
	if (bad != NULL)
		return wrong(err, fields[*at].name, bad);
	*(bool *)(out + fields[*at].has) = true;
	(*at)++;
	return true;
}

bool wire_decode(const struct wire_field *fields, size_t n, struct mp *m, void *out, size_t out_size, struct wire_error *err)
{
	struct mp_value head;
	size_t at = 0;

	memset(out, 0, out_size);
	if (mp_next(m, &head) != MP_OK || head.type != MP_MAP)
		return wrong(err, NULL, "not a map");
	if (head.n > n)
		return wrong(err, NULL, "too many keys");
	for (uint32_t i = 0; i < head.n; i++)
		if (!pair(fields, n, &at, m, out, err))
			return false;
	for (; at < n; at++)
		if (fields[at].need == REQ)
			return wrong(err, fields[at].name, "missing");
	return true;
}

static bool present_in(const struct wire_field *f, const char *base)
{
	return f->need == REQ || *(const bool *)(base + f->has);
}

bool wire_encode(const struct wire_field *fields, size_t n, const void *in, struct mp_out *o)
{
	const char *base = in;
	msgpack_packer pk;
	size_t present = 0;

	msgpack_packer_init(&pk, o, mp_out_write);
	for (size_t i = 0; i < n; i++)
		present += present_in(&fields[i], base) ? 1 : 0;
	msgpack_pack_map(&pk, present);
	for (size_t i = 0; i < n; i++) {
		if (!present_in(&fields[i], base))
			continue;
		wire_put_str(&pk, fields[i].name);
		wire_codecs[fields[i].kind].put(&pk, base + fields[i].off);
	}
	return !o->full;
}

bool wire_bytes_next(struct mp *it, struct mp_slice *item)
{
	struct mp_value v;

	if (it->p == it->end || mp_next(it, &v) != MP_OK || v.type != MP_BIN)
		return false;
	*item = v.s;
	return true;
}
