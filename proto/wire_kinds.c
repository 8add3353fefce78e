// One reader and one writer per kind of wire_kinds.def, held together by a table.  See wire_kinds.h.
#include "proto/wire_kinds.h"

#include <string.h>

static bool within(const struct wire_field *f, int64_t v)
{
	return (f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max);
}
// The guest's own build (POSTERN_TERSE) has none of the kinds that only the helper's rows use: its size is a promise.
#ifndef POSTERN_TERSE
// C0 and DEL, and C1 in its UTF-8 form (0xc2 0x80 to 0xc2 0x9f): none of them belongs in a log line or a link's alias.
static bool text_ok(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	for (; *p != 0; p++)
		if (*p < 0x20 || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f))
			return false;
	return true;
}

// Copies a str value into an array of size bytes as a C string; refuses NUL inside it.
static const char *copy_text(const struct mp_value *v, char *out, size_t size)
{
	if (v->type != MP_STR)
		return "not a str";
	if (v->s.len == 0)
		return "empty";
	if (v->s.len >= size)
		return "too long";
	if (memchr(v->s.p, 0, v->s.len) != NULL)
		return "NUL inside";
	memcpy(out, v->s.p, v->s.len);
	out[v->s.len] = '\0';
	return NULL;
}

static const char *copy_bin(const struct mp_value *v, void *out, size_t size)
{
	if (v->type != MP_BIN)
		return "not a bin";
	if (v->s.len != size)
		return "wrong length";
	memcpy(out, v->s.p, size);
	return NULL;
}
#endif

static const char *unsigned_of(const struct wire_field *f, const struct mp_value *v, uint64_t most)
{
	if (v->type != MP_UINT)
		return "not an unsigned integer";
	if (v->u > most)
		return "too large";
	// Limits are int64_t: a row that leaves them at 0 takes the whole range of its kind.
	if (!(f->min == 0 && f->max == 0) && (v->u > INT64_MAX || !within(f, (int64_t)v->u)))
		return "out of range";
	return NULL;
}

static const char *get_u32(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	const char *bad = unsigned_of(f, v, UINT32_MAX);

	(void)m;
	if (bad == NULL)
		*(uint32_t *)out = (uint32_t)v->u;
	return bad;
}

static const char *get_choice(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	if (v->type == MP_UINT && v->u > (uint64_t)f->max)
		return "not one of the choices";
	return get_u32(f, m, v, out);
}

static const char *get_u64(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	const char *bad = unsigned_of(f, v, UINT64_MAX);

	(void)m;
	if (bad == NULL)
		*(uint64_t *)out = v->u;
	return bad;
}

static const char *get_i32(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	int64_t i;

	(void)m;
	if (v->type == MP_UINT && v->u <= INT32_MAX)
		i = (int64_t)v->u;
	else if (v->type == MP_NEGINT && v->i >= INT32_MIN)
		i = v->i;
	else
		return "not a 32-bit integer";
	if (!within(f, i))
		return "out of range";
	*(int32_t *)out = (int32_t)i;
	return NULL;
}

static const char *get_flag(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	(void)f;
	(void)m;
	if (v->type != MP_BOOL)
		return "not a bool";
	*(bool *)out = v->b;
	return NULL;
}

#ifndef POSTERN_TERSE
static const char *get_ifname(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	const char *bad = copy_text(v, out, sizeof(wire_ifname));

	(void)f;
	(void)m;
	return bad != NULL ? bad : wire_ifname_ok(out) ? NULL : "not an interface name";
}

static const char *get_vmid(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	const char *bad = copy_text(v, out, sizeof(wire_vmid));

	(void)f;
	(void)m;
	return bad != NULL ? bad : wire_vmid_ok(out) ? NULL : "not a VM id";
}

static const char *get_relpath(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	const char *bad = copy_text(v, out, sizeof(wire_relpath));

	(void)f;
	(void)m;
	return bad != NULL ? bad : wire_relpath_ok(out) ? NULL : "not a plain relative path";
}

static const char *get_text(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	const char *bad = copy_text(v, out, sizeof(wire_text));

	(void)f;
	(void)m;
	return bad != NULL ? bad : text_ok(out) ? NULL : "control character";
}

static const char *get_mac(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	static const wire_mac zero;
	const char *bad = copy_bin(v, out, sizeof(wire_mac));

	(void)f;
	(void)m;
	if (bad != NULL)
		return bad;
	return (((uint8_t *)out)[0] & 1) != 0 || memcmp(out, zero, sizeof(zero)) == 0 ? "not a unicast MAC address" : NULL;
}

static const char *get_addr(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	static const uint8_t zero[12];
	struct wire_addr *a = out;
	uint8_t b[18];
	const char *bad = copy_bin(v, b, sizeof(b));

	(void)f;
	(void)m;
	if (bad != NULL)
		return bad;
	a->family = b[0];
	a->prefix = b[1];
	memcpy(a->addr, b + 2, sizeof(a->addr));
	if (a->family == 4)
		return a->prefix <= 32 && memcmp(a->addr + 4, zero, sizeof(zero)) == 0 ? NULL : "not an IPv4 prefix";
	return a->family == 6 && a->prefix <= 128 ? NULL : "not an IP prefix";
}

static const char *get_hash(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	(void)f;
	(void)m;
	return copy_bin(v, out, sizeof(wire_hash));
}

static const char *get_ifnames(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	struct wire_ifname_list *l = out;

	if (v->type != MP_ARRAY)
		return "not an array";
	if (v->n < 1 || v->n > WIRE_IFNAMES_MAX)
		return "too few or too many names";
	for (l->n = 0; l->n < v->n; l->n++) {
		struct mp_value item;
		const char *bad;

		if (mp_next(m, &item) != MP_OK)
			return "malformed";
		bad = get_ifname(f, m, &item, l->v[l->n]);
		if (bad != NULL)
			return bad;
	}
	return NULL;
}
#endif

static const char *get_bytes(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	(void)m;
	if (v->type != MP_BIN)
		return "not a bin";
	if (!within(f, v->s.len))
		return "wrong length";
	*(struct mp_slice *)out = v->s;
	return NULL;
}

static const char *get_bytes_list(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out)
{
	struct wire_bytes_list *l = out;

	if (v->type != MP_ARRAY)
		return "not an array";
	if (!within(f, v->n))
		return "too few or too many elements";
	l->n = v->n;
	l->raw.p = m->p;
	for (uint32_t i = 0; i < v->n; i++) {
		struct mp_value item;

		if (mp_next(m, &item) != MP_OK)
			return "malformed";
		if (item.type != MP_BIN)
			return "element is not a bin";
		if (memchr(item.s.p, 0, item.s.len) != NULL)
			return "NUL inside an element";
	}
	l->raw.len = (uint32_t)(m->p - l->raw.p);
	return NULL;
}

static void put_bin(msgpack_packer *pk, const void *p, size_t len)
{
	msgpack_pack_bin(pk, len);
	msgpack_pack_bin_body(pk, p, len);
}

void wire_put_str(msgpack_packer *pk, const void *in)
{
	size_t len = strlen(in);

	msgpack_pack_str(pk, len);
	msgpack_pack_str_body(pk, in, len);
}

static void put_u32(msgpack_packer *pk, const void *in)
{
	msgpack_pack_uint32(pk, *(const uint32_t *)in);
}

static void put_u64(msgpack_packer *pk, const void *in)
{
	msgpack_pack_uint64(pk, *(const uint64_t *)in);
}

static void put_i32(msgpack_packer *pk, const void *in)
{
	msgpack_pack_int32(pk, *(const int32_t *)in);
}

static void put_flag(msgpack_packer *pk, const void *in)
{
	if (*(const bool *)in)
		msgpack_pack_true(pk);
	else
		msgpack_pack_false(pk);
}

#ifndef POSTERN_TERSE
static void put_mac(msgpack_packer *pk, const void *in)
{
	put_bin(pk, in, sizeof(wire_mac));
}

static void put_hash(msgpack_packer *pk, const void *in)
{
	put_bin(pk, in, sizeof(wire_hash));
}

static void put_addr(msgpack_packer *pk, const void *in)
{
	const struct wire_addr *a = in;
	uint8_t b[18] = {a->family, a->prefix};

	memcpy(b + 2, a->addr, sizeof(a->addr));
	put_bin(pk, b, sizeof(b));
}

static void put_ifnames(msgpack_packer *pk, const void *in)
{
	const struct wire_ifname_list *l = in;

	msgpack_pack_array(pk, l->n);
	for (uint32_t i = 0; i < l->n && i < WIRE_IFNAMES_MAX; i++)
		wire_put_str(pk, l->v[i]);
}
#endif

static void put_bytes(msgpack_packer *pk, const void *in)
{
	const struct mp_slice *s = in;

	put_bin(pk, s->p, s->len);
}

static void put_bytes_list(msgpack_packer *pk, const void *in)
{
	const struct wire_bytes_list *l = in;

	msgpack_pack_array(pk, l->n);
	msgpack_pack_str_body(pk, l->raw.p, l->raw.len); // appends the elements, packed already, as they are
}
const struct wire_codec wire_codecs[] = {
    [W_u32] = {get_u32, put_u32},
    [W_u64] = {get_u64, put_u64},
    [W_i32] = {get_i32, put_i32},
    [W_flag] = {get_flag, put_flag},
    [W_choice] = {get_choice, put_u32},
#ifndef POSTERN_TERSE
    [W_ifname] = {get_ifname, wire_put_str},
    [W_vmid] = {get_vmid, wire_put_str},
    [W_relpath] = {get_relpath, wire_put_str},
    [W_text] = {get_text, wire_put_str},
    [W_mac] = {get_mac, put_mac},
    [W_addr] = {get_addr, put_addr},
    [W_hash] = {get_hash, put_hash},
    [W_ifnames] = {get_ifnames, put_ifnames},
#endif
    [W_bytes] = {get_bytes, put_bytes},
    [W_bytes_list] = {get_bytes_list, put_bytes_list},
};
