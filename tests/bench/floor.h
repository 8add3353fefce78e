// What the floors share: the clock, and the median of what was measured.
#ifndef POSTERN_TESTS_BENCH_FLOOR_H
#define POSTERN_TESTS_BENCH_FLOOR_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

// In microseconds; sorts them.
static inline double median_us(uint64_t *ns, size_t n)
{
	qsort(ns, n, sizeof(*ns), by_value);
	return (double)ns[n / 2] / 1e3;
}

#endif
