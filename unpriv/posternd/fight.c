// See fight.h.
#include "unpriv/posternd/fight.h"

#include <stdbool.h>
#include <string.h>

#include "unpriv/posternd/addr.h"

#define SECOND UINT64_C(1000000000)

static struct fight {
	char id[96]; // empty: free
	unsigned n;
	uint64_t last_ns;
} fights[FIGHT_ENTRIES];

static bool is_on(const struct fight *f, uint64_t now)
{
	return f->id[0] != '\0' && now - f->last_ns < FIGHT_CALM_S * SECOND;
}

static struct fight *find(const char *id, uint64_t now)
{
	for (size_t i = 0; i < FIGHT_ENTRIES; i++)
		if (is_on(&fights[i], now) && strncmp(fights[i].id, id, sizeof(fights[i].id) - 1) == 0)
			return &fights[i];
	return NULL;
}

uint64_t fight_when(const char *id, uint64_t now_ns)
{
	const struct fight *f = find(id, now_ns);
	uint64_t wait = 1;

	if (f == NULL || f->n < FIGHT_FREE)
		return now_ns;
	for (unsigned i = FIGHT_FREE; i < f->n && wait < FIGHT_MOST_S; i++)
		wait *= 2;
	return f->last_ns + (wait < FIGHT_MOST_S ? wait : FIGHT_MOST_S) * SECOND;
}

void fight_note(const char *id, uint64_t now_ns)
{
	struct fight *f = find(id, now_ns);

	if (f == NULL) {
		f = &fights[0];
		for (size_t i = 1; i < FIGHT_ENTRIES && is_on(f, now_ns); i++)
			if (!is_on(&fights[i], now_ns) || fights[i].last_ns < f->last_ns)
				f = &fights[i];
		*f = (struct fight){0};
		COPY_TEXT(f->id, id);
	}
	f->n++;
	f->last_ns = now_ns;
}

size_t fight_list(uint64_t now_ns, const char **ids, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < FIGHT_ENTRIES; i++)
		if (is_on(&fights[i], now_ns) && fights[i].n > FIGHT_FREE && n++ < most)
			ids[n - 1] = fights[i].id;
	return n;
}
