// See names.h.
#include "unpriv/posternd/names.h"

#include <string.h>

#include "unpriv/posternd/cache.h"

#define AT_ONCE  64
#define COUNTERS 4

static struct counter {
	const char *name;
	int64_t next, end; // numbers that are ours to give
} counters[COUNTERS];

static struct counter *find(const char *name)
{
	unsigned i = 0;

	while (i < COUNTERS - 1 && counters[i].name != NULL && strcmp(counters[i].name, name) != 0)
		i++;
	counters[i].name = name;
	return &counters[i];
}

// Commits come in order: who stores a row with such a number stores it behind the counter.
static void take(struct counter *k)
{
	const struct row_counter *stored = cache_find_counter(k->name);
	struct row_counter row = {.name = k->name, .value = (stored != NULL ? stored->value : 0) + AT_ONCE};
	struct change *c = change_new();

	k->next = row.value - AT_ONCE;
	k->end = row.value;
	change_put_counter(c, cache_set_counter(&row));
	store_commit(c, NULL, NULL);
}

uint32_t names_next(const char *counter)
{
	struct counter *k = find(counter);

	if (k->next == k->end)
		take(k);
	return (uint32_t)(k->next++ % NAMES_NUMBERS);
}
