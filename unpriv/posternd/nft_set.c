// See nft_set.h.
//
// An interval of a set that isn't a concatenation is two elements, its first key and the first behind it, flagged as an end; so all of a set's
// elements are needed to tell.  In a concatenation each element has its own end.
#include "unpriv/posternd/nft_set.h"

#include <arpa/inet.h> // before the kernel's headers, which then leave out what it has
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include "unpriv/posternd/list.h"
#include "unpriv/posternd/nft_rule.h"
#include "unpriv/posternd/nft_type.h"

#define KEY_MAX 80

struct item {
	uint8_t key[KEY_MAX], end[KEY_MAX]; // as they sort
	bool has_end, is_end;
	uint32_t len;
	const char *before, *after; // what stands behind the key: " timeout 1m", " : accept"
};

struct items {
	const struct nft_set *s;
	struct arena *a;
	struct item *v;
	size_t n, room;
	bool bad;
};

static const char *copied(struct arena *a, const char *text)
{
	return arena_strdup(a, text != NULL ? text : "");
}

bool nft_set_parse(const struct nlmsghdr *h, struct nft_set *s, struct arena *a)
{
	struct nftnl_set *n = nftnl_set_alloc();
	bool good = n != NULL && nftnl_set_nlmsg_parse(h, n) == 0;

	*s = (struct nft_set){0};
	if (good) {
		s->family = (uint8_t)nftnl_set_get_u32(n, NFTNL_SET_FAMILY);
		s->table = copied(a, nftnl_set_get_str(n, NFTNL_SET_TABLE));
		s->name = copied(a, nftnl_set_get_str(n, NFTNL_SET_NAME));
		s->handle = nftnl_set_is_set(n, NFTNL_SET_HANDLE) ? nftnl_set_get_u64(n, NFTNL_SET_HANDLE) : 0;
		s->flags = nftnl_set_is_set(n, NFTNL_SET_FLAGS) ? nftnl_set_get_u32(n, NFTNL_SET_FLAGS) : 0;
		s->key_type = nftnl_set_get_u32(n, NFTNL_SET_KEY_TYPE);
		s->key_len = nftnl_set_get_u32(n, NFTNL_SET_KEY_LEN);
		s->data_type = nftnl_set_is_set(n, NFTNL_SET_DATA_TYPE) ? nftnl_set_get_u32(n, NFTNL_SET_DATA_TYPE) : 0;
		s->data_len = nftnl_set_is_set(n, NFTNL_SET_DATA_LEN) ? nftnl_set_get_u32(n, NFTNL_SET_DATA_LEN) : 0;
		s->size = nftnl_set_is_set(n, NFTNL_SET_DESC_SIZE) ? nftnl_set_get_u32(n, NFTNL_SET_DESC_SIZE) : 0;
		s->timeout = nftnl_set_is_set(n, NFTNL_SET_TIMEOUT) ? nftnl_set_get_u64(n, NFTNL_SET_TIMEOUT) : 0;
	}
	if (n != NULL)
		nftnl_set_free(n);
	return good;
}

bool nft_set_by_parts(const struct nft_set *s)
{
	uint32_t fields[NFT_FIELDS];

	return (s->flags & NFT_SET_INTERVAL) == 0 || nft_type_fields(s->key_type, fields) > 1;
}

// Turns a key into bytes that sort as its values, or back.
static void turn(const struct nft_set *s, uint8_t *key, uint32_t len)
{
	if (!nft_type_is_host(s->key_type))
		return;
	for (uint32_t i = 0; i < len / 2; i++) {
		uint8_t b = key[i];
		key[i] = key[len - 1 - i];
		key[len - 1 - i] = b;
	}
}

static const char *put_datum(struct items *l, struct nftnl_set_elem *e)
{
	struct text t = {0};
	uint32_t len = 0;
	const void *data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_DATA, &len);
	const char *out;

	text_lit(&t, " : ");
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_VERDICT))
		l->bad |= !nft_verdict(&t, nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_VERDICT), nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_CHAIN));
	else if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_OBJREF))
		text_printf(&t, "\"%s\"", nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_OBJREF));
	else
		l->bad |= data == NULL || !nft_values(&t, l->s->data_type, data, len);
	out = arena_strndup(l->a, t.at, t.len);
	text_finish(&t);
	return out;
}

static const char *put_times(struct items *l, struct nftnl_set_elem *e)
{
	struct text t = {0};
	uint32_t len = 0;
	const void *userdata = nftnl_set_elem_get(e, NFTNL_SET_ELEM_USERDATA, &len);
	const char *comment = nft_comment(userdata, len, NFTNL_UDATA_SET_ELEM_COMMENT, l->a), *out;

	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_TIMEOUT)) {
		text_lit(&t, " timeout ");
		nft_time(&t, nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_TIMEOUT));
	}
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_EXPIRATION)) {
		text_lit(&t, " expires ");
		nft_time(&t, nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_EXPIRATION));
	}
	if (comment != NULL)
		text_printf(&t, " comment \"%s\"", comment);
	out = t.len > 0 ? arena_strndup(l->a, t.at, t.len) : "";
	text_finish(&t);
	return out;
}

static int take(struct nftnl_set_elem *e, void *arg)
{
	struct items *l = arg;
	uint32_t len = 0, end_len = 0;
	const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len), *end = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY_END, &end_len);
	uint32_t flags = nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS) ? nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS) : 0;
	bool datum = (l->s->flags & (NFT_SET_MAP | NFT_SET_OBJECT)) != 0;
	struct item *i;

	if ((flags & NFT_SET_ELEM_CATCHALL) != 0 || key == NULL || len > KEY_MAX || end_len > KEY_MAX) {
		l->bad = true;
		return 0;
	}
	if (l->n == l->room) {
		l->room = l->room != 0 ? 2 * l->room : 64;
		l->v = xrealloc(l->v, l->room * sizeof(*l->v));
	}
	i = &l->v[l->n++];
	*i = (struct item){.len = len, .is_end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0};
	memcpy(i->key, key, len);
	turn(l->s, i->key, len);
	if (end != NULL && end_len == len) {
		memcpy(i->end, end, len);
		i->has_end = true;
	}
	i->before = i->is_end ? "" : put_times(l, e);
	i->after = datum && !i->is_end ? put_datum(l, e) : "";
	return 0;
}

static int by_key(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int order = memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : b->is_end - a->is_end;
}

// "10.0.0.0/8", "1-5", "7": from a first to a last value.
static bool put_interval(struct text *t, uint32_t type, const uint8_t *first, const uint8_t *last, size_t len)
{
	uint8_t mask[16] = {0};
	int prefix = -1;

	if (memcmp(first, last, len) == 0)
		return nft_value(t, type, first, len);
	if (!nft_bound(t, type, first, len))
		return false;
	if (type == NFT_T_IP4 || type == NFT_T_IP6) {
		for (size_t i = 0; i < len && i < sizeof(mask); i++)
			mask[i] = (uint8_t) ~(first[i] ^ last[i]);
		prefix = nft_prefix(mask, len);
		for (size_t i = 0; prefix >= 0 && i < len; i++)
			if ((first[i] & ~mask[i]) != 0)
				prefix = -1;
	}
	if (prefix >= 0) {
		text_printf(t, "/%d", prefix);
		return true;
	}
	text_char(t, '-');
	return nft_bound(t, type, last, len);
}

// An element of a concatenation with an end: each field has its own.
static bool put_fields(struct text *t, const struct nft_set *s, const struct item *i)
{
	uint32_t fields[NFT_FIELDS];
	size_t n = nft_type_fields(s->key_type, fields), at = 0;

	for (size_t k = 0; k < n; k++) {
		size_t size = nft_type_size(fields[k]);
		if (size == 0 || at + size > i->len)
			return false;
		if (k > 0)
			text_lit(t, " . ");
		if (!put_interval(t, fields[k], i->key + at, i->end + at, size))
			return false;
		at += (size + 3) & ~(size_t)3;
	}
	return true;
}

// The last value in front of the next element, which is the end.
static void last_of(const struct item *i, const struct item *next, uint8_t *last)
{
	uint32_t at = i->len;

	memset(last, 0xff, i->len);
	if (next == NULL)
		return;
	memcpy(last, next->key, i->len);
	while (at-- > 0 && last[at]-- == 0)
		;
}

static bool put_key(struct text *t, const struct items *l, const struct item *i, const struct item *next)
{
	uint8_t key[KEY_MAX], last[KEY_MAX];

	memcpy(key, i->key, i->len);
	if (i->has_end)
		return put_fields(t, l->s, i);
	if (nft_set_by_parts(l->s)) {
		turn(l->s, key, i->len);
		return nft_values(t, l->s->key_type, key, i->len);
	}
	last_of(i, next, last);
	turn(l->s, key, i->len);
	turn(l->s, last, i->len);
	return put_interval(t, l->s->key_type, key, last, i->len);
}

static void put_all(struct items *l, struct list_str *out)
{
	struct text t = {0};

	for (size_t k = 0; k < l->n && !l->bad; k++) {
		const struct item *i = &l->v[k];
		if (i->is_end)
			continue;
		t.len = 0;
		l->bad = !put_key(&t, l, i, k + 1 < l->n ? &l->v[k + 1] : NULL);
		text_str(&t, i->before);
		text_str(&t, i->after);
		if (!l->bad)
			list_add(out, arena_strndup(l->a, t.at, t.len), l->a);
	}
	text_finish(&t);
}

bool nft_set_elements(const struct nft_set *s, const char *messages, size_t len, bool whole, struct list_str *out, struct arena *a)
{
	struct items l = {.s = s, .a = a};

	for (size_t at = 0; at < len && !l.bad;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(messages + at);
		struct nftnl_set *n = nftnl_set_alloc();

		l.bad = n == NULL || nftnl_set_elems_nlmsg_parse(h, n) != 0;
		if (!l.bad)
			nftnl_set_elem_foreach(n, take, &l);
		if (n != NULL)
			nftnl_set_free(n);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	if (whole && l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), by_key);
	put_all(&l, out);
	free(l.v);
	return !l.bad;
}
