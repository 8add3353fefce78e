// LINK: unpriv/posternd/fight.o unpriv/posternd/addr.o
// When something may be put back again.
#include "unpriv/posternd/fight.h"

#include "tests/lib/test.h"

#define SECOND UINT64_C(1000000000)

static uint64_t now = 1000 * SECOND;

TEST("the first three times cost no waiting, the next ones 1, 2, 4 … and at most 300 seconds")
{
	static const uint64_t waits[] = {0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};

	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		uint64_t when = fight_when("a", now);
		CHECK_INT((when - now) / SECOND, waits[i]);
		now = when;
		fight_note("a", now);
	}
}

TEST("what one thing is fought over is no other's matter")
{
	CHECK(fight_when("a", now) > now);
	CHECK(fight_when("b", now) == now);
}

TEST("ten quiet minutes make all forgotten")
{
	now += FIGHT_CALM_S * SECOND;
	CHECK(fight_when("a", now) == now);
	CHECK_INT(fight_list(now, NULL, 0), 0);
}

TEST("fought over is what was put back more than three times; the list is cut, its length is told")
{
	const char *ids[1] = {NULL};

	for (int i = 0; i < FIGHT_FREE; i++)
		fight_note("c", now), fight_note("d", now);
	CHECK_INT(fight_list(now, ids, 1), 0);
	fight_note("c", now);
	CHECK_INT(fight_list(now, ids, 1), 1);
	CHECK_STR(ids[0], "c");
	fight_note("d", now);
	CHECK_INT(fight_list(now, ids, 1), 2);
}

TEST("of more things than are remembered the one that was longest quiet is forgotten")
{
	char id[16];

	for (unsigned i = 0; i < FIGHT_ENTRIES; i++) {
		snprintf(id, sizeof(id), "x%u", i);
		for (int k = 0; k < 4; k++)
			fight_note(id, now + i);
	}
	now += FIGHT_ENTRIES;
	CHECK_INT(fight_list(now, NULL, 0), FIGHT_ENTRIES);
	fight_note("new", now);
	CHECK(fight_when("x0", now) == now);
	CHECK(fight_when("x1", now) > now);
}

int main(void)
{
	return test_main();
}
