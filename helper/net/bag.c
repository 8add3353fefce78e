// See bag.h.
#include "helper/net/bag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct bag *b)
{
	uint32_t room = b->room != 0 ? 2 * b->room : 64;
	char *v;

	if (b->n == b->most)
		return -E2BIG;
	v = malloc(room * b->size);
	if (v == NULL)
		return -ENOMEM;
	if (b->n > 0)
		memcpy(v, b->v, b->n * b->size);
	free(b->v);
	b->v = v;
	b->room = room;
	return 0;
}

void bag_add(struct bag *b, const void *element)
{
	if (b->err == 0 && (b->n == b->room || b->n == b->most))
		b->err = grow(b);
	if (b->err == 0)
		memcpy(b->v + b->n++ * b->size, element, b->size);
}

static void swap(char *a, char *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = a[i];

		a[i] = b[i];
		b[i] = c;
	}
}

// Moves element `top` down to where no child of it is greater.
static void sink(struct bag *b, size_t top, size_t n, int (*order)(const void *a, const void *b))
{
	for (size_t child = 2 * top + 1; child < n; top = child, child = 2 * top + 1) {
		if (child + 1 < n && order(b->v + child * b->size, b->v + (child + 1) * b->size) < 0)
			child++;
		if (order(b->v + top * b->size, b->v + child * b->size) >= 0)
			return;
		swap(b->v + top * b->size, b->v + child * b->size, b->size);
	}
}

void bag_sort(struct bag *b, int (*order)(const void *a, const void *b))
{
	for (size_t i = b->n / 2; i-- > 0;)
		sink(b, i, b->n, order);
	for (size_t n = b->n; n > 1; n--) {
		swap(b->v, b->v + (n - 1) * b->size, b->size);
		sink(b, 0, n - 1, order);
	}
}

const void *bag_find(const void *v, uint32_t n, size_t size, const void *key, int (*order)(const void *a, const void *b))
{
	const char *at = v;
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int o = order(at + mid * size, key);

		if (o == 0)
			return at + mid * size;
		if (o < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
