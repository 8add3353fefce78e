// What comes in order is appended, and what comes a little late is put in its place: the kernel sends most of its tables that way, and nothing is
// left to sort.  From the first that comes later than that on it is a binary heap with the highest key on top, which is the one that goes.
#include "unpriv/posternd/lowest.h"

#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/mem.h"

#define LATE 4096 // entries that may have come before one in its place

char *lowest_hex(char *out, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	return out;
}

char *lowest_u32(char *out, uint32_t v)
{
	const uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	return lowest_hex(out, bytes, sizeof(bytes));
}

bool lowest_wants(const struct lowest *l, const char *key)
{
	if (l->after != NULL && strcmp(key, l->after) <= 0)
		return false;
	return l->n < l->keep || strcmp(key, l->v[l->heap ? 0 : l->n - 1]->key) < 0;
}

static bool swap_if_higher(struct lowest *l, size_t child, size_t parent)
{
	struct low *x = l->v[child];

	if (strcmp(x->key, l->v[parent]->key) <= 0)
		return false;
	l->v[child] = l->v[parent];
	l->v[parent] = x;
	return true;
}

static void sift_up(struct lowest *l, size_t i)
{
	while (i > 0 && swap_if_higher(l, i, (i - 1) / 2))
		i = (i - 1) / 2;
}

static void sift_down(struct lowest *l)
{
	size_t i = 0, child = 1;

	while (child < l->n) {
		if (child + 1 < l->n && strcmp(l->v[child + 1]->key, l->v[child]->key) > 0)
			child++;
		if (!swap_if_higher(l, child, i))
			return;
		i = child;
		child = 2 * i + 1;
	}
}

// Backwards, what is in order is a heap.
static void make_heap(struct lowest *l)
{
	for (size_t i = 0, j = l->n; i + 1 < j; i++) {
		struct low *x = l->v[--j];
		l->v[j] = l->v[i];
		l->v[i] = x;
	}
	l->heap = true;
}

size_t lowest_place(const struct lowest *l, const char *key)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(l->v[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct low *make(const char *key, const void *data, size_t len)
{
	struct low *x = xmalloc(sizeof(*x) + len);
	size_t n = strnlen(key, sizeof(x->key) - 1);

	memcpy(x->key, key, n);
	x->key[n] = '\0';
	x->len = len;
	memcpy(x->data, data, len);
	return x;
}

static void make_room(struct lowest *l)
{
	if (l->n < l->room)
		return;
	l->room = l->room != 0 ? 2 * l->room : 64;
	l->v = xrealloc(l->v, l->room * sizeof(void *));
}

static void put_in_heap(struct lowest *l, struct low *x)
{
	if (l->n == l->keep) {
		free(l->v[0]);
		l->v[0] = x;
		sift_down(l);
		return;
	}
	make_room(l);
	l->v[l->n++] = x;
	sift_up(l, l->n - 1);
}

void lowest_put(struct lowest *l, const char *key, const void *data, size_t len)
{
	struct low *x = make(key, data, len);
	size_t at = l->n;

	if (!l->heap && l->n > 0 && strcmp(x->key, l->v[l->n - 1]->key) < 0)
		at = lowest_place(l, x->key);
	if (!l->heap && l->n - at > LATE)
		make_heap(l);
	if (l->heap) {
		put_in_heap(l, x);
		return;
	}
	if (l->n == l->keep)
		free(l->v[--l->n]);
	make_room(l);
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof(void *));
	l->v[at] = x;
	l->n++;
}

static int compare(const void *a, const void *b)
{
	return strcmp((*(struct low *const *)a)->key, (*(struct low *const *)b)->key);
}

void lowest_sort(struct lowest *l)
{
	if (l->heap)
		qsort(l->v, l->n, sizeof(void *), compare);
}

struct lowest lowest_copy(const struct lowest *l, struct arena *a)
{
	struct lowest copy = {.keep = l->keep, .n = l->n, .room = l->n, .v = arena_alloc(a, (l->n + 1) * sizeof(void *))};

	for (size_t i = 0; i < l->n; i++) {
		size_t size = sizeof(*l->v[i]) + l->v[i]->len;
		copy.v[i] = arena_alloc(a, size);
		memcpy(copy.v[i], l->v[i], size);
	}
	return copy;
}

void lowest_clear(struct lowest *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = l->room = 0;
	l->heap = false;
}
