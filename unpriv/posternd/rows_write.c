// Structs to JSON text, driven by the tables of proto/rpc.h. See rows_write.h.
#include "unpriv/posternd/rows_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "unpriv/posternd/rows_read.h"

struct any_list {
	size_t n;
	const char *v;
};

static void put_fields(struct text *out, const struct rpc_field *fields, const char *in);

static void put_text(struct text *out, const char *s)
{
	text_json(out, s ? s : "", s ? strlen(s) : 0);
}

// The shortest of two notations that reads back as the same number; JSON has no infinities.
static void put_num(struct text *out, double v)
{
	char digits[32];
	if (!isfinite(v))
		v = 0;
	snprintf(digits, sizeof digits, "%.15g", v);
	if (strtod(digits, NULL) < v || strtod(digits, NULL) > v)
		snprintf(digits, sizeof digits, "%.17g", v);
	text_str(out, digits);
}

static void put_map(struct text *out, const struct kv_map *map)
{
	text_char(out, '{');
	for (size_t i = 0; i < map->n; i++) {
		if (i)
			text_char(out, ',');
		put_text(out, map->v[i].key);
		text_char(out, ':');
		put_text(out, map->v[i].value);
	}
	text_char(out, '}');
}

static void put_one(struct text *out, enum rpc_kind kind, const void *in)
{
	const struct kind_info *k = &rpc_kinds[kind];
	switch (k->class) {
	case CLASS_TEXT: put_text(out, *(const char *const *)in); break;
	case CLASS_INT: text_i64(out, *(const int64_t *)in); break;
	case CLASS_FLAG: text_str(out, *(const bool *)in ? "true" : "false"); break;
	case CLASS_NUM: put_num(out, *(const double *)in); break;
	case CLASS_MAP: put_map(out, in); break;
	case CLASS_RAW: text_str(out, *(const char *const *)in ? *(const char *const *)in : "null"); break;
	case CLASS_ENUM: put_text(out, k->values[*(const int *)in]); break;
	case CLASS_OBJECT:
		text_char(out, '{');
		put_fields(out, k->fields, in);
		text_char(out, '}');
		break;
	}
}

void rows_write_value(struct text *out, enum rpc_kind kind, const void *in)
{
	put_one(out, kind, in);
}

static void put_list(struct text *out, enum rpc_kind kind, const struct any_list *list)
{
	text_char(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i)
			text_char(out, ',');
		put_one(out, kind, list->v + i * rpc_kinds[kind].size);
	}
	text_char(out, ']');
}

// The key of a member, after a comma unless it is the first.
static void put_key(struct text *out, const char *name)
{
	if (out->at[out->len - 1] != '{')
		text_char(out, ',');
	text_char(out, '"');
	text_str(out, name);
	text_lit(out, "\":");
}

static void put_fields(struct text *out, const struct rpc_field *fields, const char *in)
{
	for (const struct rpc_field *f = fields; f->name; f++) {
		if (f->page_key || (f->need == RPC_OPT && !*(const bool *)(in + f->has)))
			continue;
		put_key(out, f->name);
		if (f->list)
			put_list(out, f->kind, (const struct any_list *)(const void *)(in + f->off));
		else
			put_one(out, f->kind, in + f->off);
	}
}

// ---- paged lists ---------------------------------------------------------------------------------

static const struct rpc_field *key_field(const struct rpc_field *page)
{
	const struct rpc_field *f = rpc_kinds[page->kind].fields;
	while (f->name && strcmp(f->name, page->page_key) != 0)
		f++;
	return f;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_keys(const struct rpc_field *key, const char *a, const char *b)
{
	if (rpc_kinds[key->kind].class == CLASS_TEXT)
		return compare_text(*(const char *const *)(const void *)(a + key->off), *(const char *const *)(const void *)(b + key->off));
	int64_t x = *(const int64_t *)(const void *)(a + key->off), y = *(const int64_t *)(const void *)(b + key->off);
	return (x > y) - (x < y);
}

static int compare_elements(const void *a, const void *b, void *key)
{
	return compare_keys(key, *(const char *const *)a, *(const char *const *)b);
}

// Is the element's key behind the cursor?
static bool is_after(const struct rpc_field *key, const char *element, const char *cursor)
{
	if (cursor == NULL)
		return true;
	if (rpc_kinds[key->kind].class == CLASS_TEXT)
		return compare_text(*(const char *const *)(const void *)(element + key->off), cursor) > 0;
	return *(const int64_t *)(const void *)(element + key->off) > strtoll(cursor, NULL, 10);
}

static void put_cursor_text(struct text *out, const struct rpc_field *key, const char *element)
{
	if (rpc_kinds[key->kind].class == CLASS_TEXT) {
		put_text(out, *(const char *const *)(const void *)(element + key->off));
		return;
	}
	text_char(out, '"');
	text_i64(out, *(const int64_t *)(const void *)(element + key->off));
	text_char(out, '"');
}

static void put_cursor(struct text *out, const struct rpc_field *key, const char *element)
{
	put_key(out, "next_cursor");
	put_cursor_text(out, key, element);
}

// Pointers to the list's elements, in the order of their keys; the caller frees them.
static const char **sorted(const struct any_list *list, size_t size, const struct rpc_field *key)
{
	const char **order = xmalloc(list->n * sizeof *order);
	bool in_order = true;
	for (size_t i = 0; i < list->n; i++) {
		order[i] = list->v + i * size;
		in_order = in_order && (i == 0 || compare_keys(key, order[i - 1], order[i]) <= 0);
	}
	if (!in_order)
		qsort_r(order, list->n, sizeof *order, compare_elements, (void *)(uintptr_t)key);
	return order;
}

static void put_page(struct text *out, const struct rpc_field *f, const struct any_list *list, const struct page *page)
{
	const struct rpc_field *key = key_field(f);
	const char **order = sorted(list, rpc_kinds[f->kind].size, key);
	size_t i = 0, written = 0;
	while (i < list->n && !is_after(key, order[i], page->cursor))
		i++;
	put_key(out, f->name);
	text_char(out, '[');
	for (; i < list->n && (page->limit == 0 || written < page->limit); i++, written++) {
		if (written)
			text_char(out, ',');
		put_one(out, f->kind, order[i]);
	}
	text_char(out, ']');
	if (i < list->n)
		put_cursor(out, key, order[i - 1]);
	free(order);
}

// Everything of the result but the page.
static const struct rpc_field *put_rest(struct text *out, const struct rpc_method *method, const void *result)
{
	const struct rpc_field *paged = NULL;

	text_char(out, '{');
	if (method->right >= RIGHT_WRITE) {
		put_key(out, "changed");
		text_str(out, *(const bool *)result ? "true" : "false"); // the first member of each result struct
	}
	put_fields(out, method->result, result);
	rows_paged(method, &paged);
	return paged;
}

void rows_write(const struct rpc_method *method, const void *result, const struct page *page, struct text *out)
{
	const struct rpc_field *paged = put_rest(out, method, result);

	if (paged != NULL)
		put_page(out, paged, (const struct any_list *)(const void *)((const char *)result + paged->off), page);
	text_char(out, '}');
}

void rows_list_begin(const struct rpc_method *method, const void *result, struct text *out)
{
	const struct rpc_field *paged = put_rest(out, method, result);

	put_key(out, paged->name);
	text_char(out, '[');
}

size_t rows_list_element(const struct rpc_method *method)
{
	const struct rpc_field *paged = NULL;

	rows_paged(method, &paged);
	return rpc_kinds[paged->kind].size;
}

void rows_list_put(const struct rpc_method *method, const void *element, struct text *cursor, struct text *out)
{
	const struct rpc_field *paged = NULL;

	rows_paged(method, &paged);
	if (out->at[out->len - 1] != '[')
		text_char(out, ',');
	put_one(out, paged->kind, element);
	text_clear(cursor, SIZE_MAX);
	put_cursor_text(cursor, key_field(paged), element);
}

void rows_list_end(const struct text *cursor, struct text *out)
{
	text_char(out, ']');
	if (cursor != NULL) {
		put_key(out, "next_cursor");
		text_add(out, cursor->at, cursor->len);
	}
	text_char(out, '}');
}
