// Arrays that grow and get sorted, of elements of one size: without realloc() and qsort(), which make system calls that the cell may not.
#ifndef HELPER_NET_BAG_H
#define HELPER_NET_BAG_H

#include <stddef.h>
#include <stdint.h>

struct bag {
	char *v;
	size_t size;   // of an element; set by whoever makes the bag
	uint32_t n, room;
	uint32_t most; // elements that it may hold
	int err;       // -E2BIG or -ENOMEM: an element had no place
};

// A copy of one more element.
void bag_add(struct bag *b, const void *element);

// Sorts in place (heap sort), by what order(a, b) says: < 0, 0, > 0.
void bag_sort(struct bag *b, int (*order)(const void *a, const void *b));

// The element that order() finds equal to key in a sorted array of n, or NULL.
const void *bag_find(const void *v, uint32_t n, size_t size, const void *key, int (*order)(const void *a, const void *b));

#endif
