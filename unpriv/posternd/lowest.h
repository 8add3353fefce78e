// Of any number of things that come in any order, the few whose keys sort lowest behind a cursor: one page of a table that is too long to hold.
// Memory is bounded by the page.
#ifndef POSTERN_POSTERND_LOWEST_H
#define POSTERN_POSTERND_LOWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOWEST_KEY 72 // bytes of a key, with its NUL

struct low {
	char key[LOWEST_KEY];
	size_t len;
	_Alignas(8) char data[];
};

// Zeroed but for the first two it is empty.
struct lowest {
	size_t keep;       // most that are kept, at least 1
	const char *after; // borrowed: keys up to this one aren't wanted; NULL: all are
	size_t n, room;
	struct low **v; // in no order of use before lowest_sort
	bool heap;      // the highest first; until something comes far out of order, they are in order
};

// Append bytes, or a number, as hex digits, which sort as what they stand for.  Return the end; no NUL is written.
char *lowest_hex(char *out, const uint8_t *bytes, size_t n);
char *lowest_u32(char *out, uint32_t v);

// Would it be kept?  Asked first, so that what isn't needn't be put together.
bool lowest_wants(const struct lowest *l, const char *key);

// Keeps a copy of len bytes; where that makes too many, the highest goes.  Of two with one key both stay.
void lowest_put(struct lowest *l, const char *key, const void *data, size_t len);

// The place of the first whose key isn't lower; n where there is none.  Not of a heap.
size_t lowest_place(const struct lowest *l, const char *key);

// Puts them in the order of their keys.  Nothing more may be put in after it.
void lowest_sort(struct lowest *l);

// Copies what is kept; the copy lives in the arena.
struct arena;
struct lowest lowest_copy(const struct lowest *l, struct arena *a);

// Drops everything that is kept.
void lowest_clear(struct lowest *l);

#endif
