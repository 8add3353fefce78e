// Sorted arrays of row copies, one a table; rows are copied by the columns that store_change.c knows.
#include "unpriv/posternd/cache.h"

#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/store_impl.h"

static struct cached {
	char **v; // rows; the key is the first member, a col_text
	size_t n, room;
} cached[TABLE_COUNT];

static uint64_t version;

uint64_t cache_version(void)
{
	return version;
}

static const char *key_of(const char *row)
{
	return *(const col_text *)(const void *)row;
}

// Where the key is, or would be.
static size_t position(const struct cached *c, const char *key)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strcmp(key_of(c->v[mid]), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static char *find(enum store_table t, const char *key)
{
	struct cached *c = &cached[t];
	size_t i = position(c, key);

	return i < c->n && strcmp(key_of(c->v[i]), key) == 0 ? c->v[i] : NULL;
}

static void free_row(enum store_table t, char *row)
{
	for (size_t i = 0; i < store_tables[t].n; i++)
		if (store_tables[t].columns[i].type == COLUMN_text)
			free((void *)(uintptr_t) * (col_text *)(void *)(row + store_tables[t].columns[i].off));
	free(row);
}

static char *copy_row(enum store_table t, const void *row)
{
	char *copy = xmalloc(store_tables[t].row_size);

	memcpy(copy, row, store_tables[t].row_size);
	for (size_t i = 0; i < store_tables[t].n; i++) {
		col_text *at = (col_text *)(void *)(copy + store_tables[t].columns[i].off);
		if (store_tables[t].columns[i].type == COLUMN_text && *at != NULL)
			*at = xstrdup(*at);
	}
	return copy;
}

static void *set(enum store_table t, const void *row)
{
	struct cached *c = &cached[t];
	char *copy = copy_row(t, row);
	size_t i = position(c, key_of(copy));

	version++;
	if (i < c->n && strcmp(key_of(c->v[i]), key_of(copy)) == 0) {
		free_row(t, c->v[i]);
	} else {
		if (c->n == c->room) {
			c->room = c->room != 0 ? 2 * c->room : 16;
			c->v = xrealloc(c->v, c->room * sizeof(*c->v));
		}
		memmove(c->v + i + 1, c->v + i, (c->n - i) * sizeof(*c->v));
		c->n++;
	}
	c->v[i] = copy;
	return copy;
}

static void drop(enum store_table t, const char *key)
{
	struct cached *c = &cached[t];
	size_t i = position(c, key);

	if (i >= c->n || strcmp(key_of(c->v[i]), key) != 0)
		return;
	version++;
	free_row(t, c->v[i]);
	c->n--;
	memmove(c->v + i, c->v + i + 1, (c->n - i) * sizeof(*c->v));
}

#define TEXT_TABLE(id)                                                                                                                               \
	struct row_##id *cache_find_##id(const char *key)                                                                                            \
	{                                                                                                                                            \
		return (void *)find(TABLE_##id, key);                                                                                                \
	}                                                                                                                                            \
	struct row_##id *cache_set_##id(const struct row_##id *row)                                                                                  \
	{                                                                                                                                            \
		return set(TABLE_##id, row);                                                                                                         \
	}                                                                                                                                            \
	void cache_drop_##id(const char *key)                                                                                                        \
	{                                                                                                                                            \
		drop(TABLE_##id, key);                                                                                                               \
	}                                                                                                                                            \
	size_t cache_from_##id(const char *key)                                                                                                      \
	{                                                                                                                                            \
		return position(&cached[TABLE_##id], key);                                                                                           \
	}                                                                                                                                            \
	size_t cache_n_##id(void)                                                                                                                    \
	{                                                                                                                                            \
		return cached[TABLE_##id].n;                                                                                                         \
	}                                                                                                                                            \
	struct row_##id *cache_at_##id(size_t i)                                                                                                     \
	{                                                                                                                                            \
		return (void *)cached[TABLE_##id].v[i];                                                                                              \
	}                                                                                                                                            \
	static void load_##id(void *arg, const struct row_##id *row)                                                                                 \
	{                                                                                                                                            \
		(void)arg;                                                                                                                           \
		set(TABLE_##id, row);                                                                                                                \
	}
TEXT_TABLE(bridge)
TEXT_TABLE(port)
TEXT_TABLE(tap)
TEXT_TABLE(snat)
TEXT_TABLE(dnat)
TEXT_TABLE(allow)
TEXT_TABLE(mount)
TEXT_TABLE(route)
TEXT_TABLE(connection)
TEXT_TABLE(counter)
TEXT_TABLE(lease)

void cache_undone(enum store_table table, const char *key, const void *row)
{
	if (row != NULL)
		set(table, row);
	else
		drop(table, key);
}

bool cache_load(void)
{
	return store_load_bridge(load_bridge, NULL) && store_load_port(load_port, NULL) && store_load_tap(load_tap, NULL) &&
	       store_load_snat(load_snat, NULL) && store_load_dnat(load_dnat, NULL) && store_load_allow(load_allow, NULL) &&
	       store_load_mount(load_mount, NULL) && store_load_route(load_route, NULL) && store_load_connection(load_connection, NULL) &&
	       store_load_counter(load_counter, NULL) && store_load_lease(load_lease, NULL);
}

void cache_finish(void)
{
	for (enum store_table t = 0; t < TABLE_COUNT; t++) {
		for (size_t i = 0; i < cached[t].n; i++)
			free_row(t, cached[t].v[i]);
		free(cached[t].v);
		cached[t] = (struct cached){0};
	}
}
