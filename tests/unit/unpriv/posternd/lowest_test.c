// LINK: unpriv/posternd/lowest.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// The page of a long table: what stays is what a sort of everything would have put first.
#include "unpriv/posternd/lowest.h"

#include <stdlib.h>

#include "tests/lib/test.h"

static void put(struct lowest *l, const char *key)
{
	if (lowest_wants(l, key))
		lowest_put(l, key, key, strlen(key) + 1);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

// n keys, `keep` of them kept behind `after`, against qsort.  The first `ordered` come in order.
static bool agrees_from(size_t ordered, size_t n, size_t keep, const char *after)
{
	char(*all)[16] = calloc(n, sizeof(*all));
	struct lowest l = {.keep = keep, .after = after};
	size_t first = 0;
	bool same;

	for (size_t i = 0; i < n; i++) {
		snprintf(all[i], sizeof(all[i]), "%08x", i < ordered ? (unsigned)(i * 0x100000) : (unsigned)rand());
		put(&l, all[i]);
	}
	qsort(all, n, sizeof(*all), compare);
	while (after != NULL && first < n && strcmp(all[first], after) <= 0)
		first++;
	lowest_sort(&l);
	same = l.n == (n - first < keep ? n - first : keep);
	for (size_t i = 0; same && i < l.n; i++)
		same = strcmp(l.v[i]->key, all[first + i]) == 0 && strcmp(l.v[i]->data, all[first + i]) == 0;
	lowest_clear(&l);
	free(all);
	return same;
}

static bool agrees(size_t n, size_t keep, const char *after)
{
	return agrees_from(0, n, keep, after);
}

TEST("what comes in order, all of it or at first, ends up the same")
{
	for (size_t n = 0; n < 60; n += 3)
		for (size_t keep = 1; keep < 70; keep += 7)
			for (size_t ordered = 0; ordered <= n; ordered += 5)
				CHECK(agrees_from(ordered, n, keep, NULL) && agrees_from(n, n, keep, "00a00000"));
	CHECK(agrees_from(2000, 2000, 1001, NULL));
}

TEST("what stays is what a sort of everything puts first, for any number and any page")
{
	for (size_t n = 0; n < 70; n++)
		for (size_t keep = 1; keep < 70; keep += 3)
			CHECK(agrees(n, keep, NULL));
	CHECK(agrees(20000, 1001, NULL));
}

TEST("nothing up to the cursor is kept")
{
	for (size_t n = 0; n < 200; n += 7)
		CHECK(agrees(n, 11, "40000000"));
	CHECK(agrees(2000, 100, "ffffffff"));
	struct lowest l = {.keep = 2, .after = "b"};
	put(&l, "b");
	CHECK_INT(l.n, 0);
	put(&l, "c");
	CHECK_INT(l.n, 1);
	lowest_clear(&l);
}

TEST("two with the same key both stay")
{
	struct lowest l = {.keep = 5};

	put(&l, "x");
	put(&l, "x");
	put(&l, "a");
	lowest_sort(&l);
	CHECK_INT(l.n, 3);
	CHECK_STR(l.v[0]->key, "a");
	CHECK_STR(l.v[2]->key, "x");
	lowest_clear(&l);
}

TEST("a key that is too long is cut")
{
	struct lowest l = {.keep = 1};
	char key[200];

	memset(key, 'k', sizeof(key));
	key[199] = '\0';
	lowest_put(&l, key, "", 0);
	CHECK_INT(strlen(l.v[0]->key), LOWEST_KEY - 1);
	lowest_clear(&l);
}

int main(void)
{
	return test_main();
}
