// The durable tables as the loop keeps them: a copy of every row, sorted by key, owned here.
//
// The cache is what handlers read; the store is where its changes go.  A handler sets a row here and hands the same row to the store in one
// go, and takes it back where the commit or the operation failed.
#ifndef POSTERN_POSTERND_CACHE_H
#define POSTERN_POSTERND_CACHE_H

#include <stddef.h>

#include "unpriv/posternd/store.h"

// Fills the cache from an opened store; false when it can't be read.
bool cache_load(void);
void cache_finish(void);

// Changes with every row that is set or dropped.
uint64_t cache_version(void);

// Takes over what a rollback left of a row: see change_rollback.
void cache_undone(enum store_table table, const char *key, const void *row);

// For the tables whose key is a text:
// cache_find_<table>(key)   the row or NULL; valid until that row is set or dropped
// cache_set_<table>(row)    copies a row in, replacing the one of that key; returns the copy.  row's texts may be the old copy's own
// cache_drop_<table>(key)   takes it out
// cache_from_<table>(key)   where the first row stands whose key isn't before this one
// cache_n_<table>(), cache_at_<table>(i)   all of them, by key
#define TEXT_TABLE(id)                                                                                                                               \
	struct row_##id *cache_find_##id(const char *key);                                                                                           \
	struct row_##id *cache_set_##id(const struct row_##id *row);                                                                                 \
	void cache_drop_##id(const char *key);                                                                                                       \
	size_t cache_from_##id(const char *key);                                                                                                     \
	size_t cache_n_##id(void);                                                                                                                   \
	struct row_##id *cache_at_##id(size_t i);
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
#undef TEXT_TABLE

#endif
