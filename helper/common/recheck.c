// Checks a decoded struct against its rows.  See recheck.h.
#include "helper/common/recheck.h"

#include <string.h>

#include "proto/helper.h"

static bool zero(const uint8_t *p, size_t n)
{
	while (n > 0)
		if (p[--n] != 0)
			return false;
	return true;
}

// What a handler that doesn't ask for has_… finds where nothing came: zeros, as the decoder leaves them.
static bool absent_ok(const struct wire_field *f, const uint8_t *p)
{
	static const size_t sizes[] = {
#define WIRE_KIND(kind) [W_##kind] = sizeof(wire_##kind),
#include "proto/wire_kinds.def"
	};

	return zero(p, sizes[f->kind]);
}

// A bool other than 0 and 1 is undefined behaviour to read as a bool, so it is read as a byte.
static bool flag_ok(const uint8_t *p)
{
	return *p <= 1;
}

static bool number_ok(const struct wire_field *f, int64_t v)
{
	return (f->min == 0 && f->max == 0 && f->kind != W_choice) || (v >= f->min && v <= f->max);
}

static bool text_ok(const struct wire_field *f, const char *s)
{
	size_t n = strnlen(s, sizeof(wire_text));

	if (n == sizeof(wire_text) || !number_ok(f, (int64_t)n) || !mp_utf8((const uint8_t *)s, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

static bool mac_ok(const uint8_t *m)
{
	return (m[0] & 1) == 0 && !zero(m, sizeof(wire_mac));
}

static bool addr_ok(const struct wire_addr *a)
{
	if (a->family == 6)
		return a->prefix <= 128;
	return a->family == 4 && a->prefix <= 32 && zero(a->addr + 4, sizeof(a->addr) - 4);
}

static bool ifnames_ok(const struct wire_ifname_list *l)
{
	if (l->n > WIRE_IFNAMES_MAX)
		return false;
	for (uint32_t i = 0; i < l->n; i++)
		if (!wire_ifname_ok(l->v[i]))
			return false;
	return true;
}

// Bytes cross a socket behind the struct: their pointer means nothing on the other side (cell.h).
static bool bytes_ok(const struct mp_slice *s)
{
	return s->p == NULL && s->len <= HELPER_MAX_BYTES;
}

static bool value_ok(const struct wire_field *f, const uint8_t *p)
{
	uint32_t u;
	int32_t i;

	switch (f->kind) {
	case W_u32:
	case W_choice: memcpy(&u, p, sizeof(u)); return number_ok(f, u);
	case W_i32: memcpy(&i, p, sizeof(i)); return number_ok(f, i);
	case W_flag: return flag_ok(p);
	case W_ifname: return wire_ifname_ok((const char *)p);
	case W_vmid: return wire_vmid_ok((const char *)p);
	case W_relpath: return wire_relpath_ok((const char *)p);
	case W_text: return text_ok(f, (const char *)p);
	case W_mac: return mac_ok(p);
	case W_addr: return addr_ok((const struct wire_addr *)(const void *)p);
	case W_ifnames: return ifnames_ok((const struct wire_ifname_list *)(const void *)p);
	case W_u64:
	case W_hash: return true;
	case W_bytes: return bytes_ok((const struct mp_slice *)(const void *)p);
	case W_bytes_list: break;
	}
	return false;
}

struct mp_slice *recheck_bytes(const struct wire_field *fields, size_t n, void *in)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i].kind == W_bytes)
			return (struct mp_slice *)(void *)((uint8_t *)in + fields[i].off);
	return NULL;
}

bool recheck(const struct wire_field *fields, size_t n, const void *in)
{
	const uint8_t *base = in;

	for (size_t i = 0; i < n; i++) {
		const struct wire_field *f = &fields[i];
		const uint8_t *has = base + f->has, *value = base + f->off;

		if (!flag_ok(has) || !(*has == 1 || f->need == REQ ? value_ok(f, value) : absent_ok(f, value)))
			return false;
	}
	return true;
}
