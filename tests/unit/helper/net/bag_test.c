// LINK: helper/net/bag.o
// Arrays that grow and get sorted, against a plain loop.
#include "helper/net/bag.h"

#include <errno.h>
#include <stdint.h>

#include "tests/lib/test.h"

struct item {
	uint32_t key;
	char padding[9]; // so that elements don't lie at even places
};

static int order(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

TEST("what was added is found after sorting, in order, whatever order it came in")
{
	for (uint32_t n = 0; n < 200; n++) {
		struct bag b = {.size = sizeof(struct item), .most = 1000};
		uint32_t seed = n;

		for (uint32_t i = 0; i < n; i++) {
			struct item it = {.key = (seed = seed * 1664525u + 1013904223u) >> 16};
			bag_add(&b, &it);
		}
		CHECK_INT(b.err, 0);
		CHECK_INT(b.n, n);
		bag_sort(&b, order);
		for (uint32_t i = 0; i < n; i++) {
			CHECK(i == 0 || order(b.v + (i - 1) * b.size, b.v + i * b.size) <= 0);
			CHECK(bag_find(b.v, b.n, b.size, b.v + i * b.size, order) != NULL);
		}
		CHECK(bag_find(b.v, b.n, b.size, &(struct item){.key = 1u << 20}, order) == NULL);
		free(b.v);
	}
}

TEST("a bag takes as many as it may, says so of one more, and keeps what it has")
{
	struct bag b = {.size = sizeof(struct item), .most = 70};

	for (uint32_t i = 0; i < 70; i++)
		bag_add(&b, &(struct item){.key = i});
	CHECK_INT(b.err, 0);
	bag_add(&b, &(struct item){.key = 70});
	CHECK_INT(b.err, -E2BIG);
	CHECK_INT(b.n, 70);
	free(b.v);
}

int main(void)
{
	return test_main();
}
