// LINK: helper/broker/flight.o
#include "helper/broker/flight.h"
#include "tests/lib/test.h"

#define SECOND UINT64_C(1000000000)

static struct flights f;

TEST("B17: an id that is in flight can't be used again until it is answered")
{
	memset(&f, 0, sizeof(f));
	struct flight *one = flight_add(&f, 5, OP_ping);

	CHECK(one != NULL && flight_add(&f, 5, OP_ping) == NULL);
	flight_drop(&f, one);
	CHECK(flight_add(&f, 5, OP_ping) != NULL);
}

TEST("B19: the table takes 256 requests and then has no room until one is answered")
{
	memset(&f, 0, sizeof(f));
	for (uint32_t i = 1; i <= FLIGHTS; i++)
		CHECK(flight_room(&f) && flight_add(&f, i, OP_ping) != NULL);
	CHECK(!flight_room(&f));
	CHECK(flight_add(&f, 1000, OP_ping) == NULL);
	flight_drop(&f, &f.v[17]);
	CHECK(flight_room(&f) && flight_add(&f, 1000, OP_ping) == &f.v[17]);
}

TEST("a cell's answer to a request that was dropped finds nothing")
{
	memset(&f, 0, sizeof(f));
	struct flight *one = flight_add(&f, 5, OP_mount);
	uint32_t id = one->cell_id;

	CHECK(flight_find(&f, id) == one);
	flight_drop(&f, one);
	CHECK(flight_find(&f, id) == NULL);
	CHECK(flight_add(&f, 5, OP_mount)->cell_id != id);
}

TEST("our ids wrap around past 0, which says that a cell is ready")
{
	memset(&f, 0, sizeof(f));
	f.next = UINT32_MAX;
	CHECK_INT(flight_add(&f, 1, OP_ping)->cell_id, 1);
}

TEST("the rate lets a second's worth through at once, then one each interval")
{
	struct rate r = {.per_second = 10};
	uint64_t now = 1000 * SECOND;

	for (int i = 0; i < 11; i++) {
		CHECK_INT(rate_wait(&r, now), 0);
		rate_take(&r, now);
	}
	CHECK(rate_wait(&r, now) > 0 && rate_wait(&r, now) <= 101);
	CHECK_INT(rate_wait(&r, now + SECOND / 10), 0);
}

TEST("a long sleep isn't saved up")
{
	struct rate r = {.per_second = 2};

	rate_take(&r, SECOND);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(rate_wait(&r, 1000 * SECOND), 0);
		rate_take(&r, 1000 * SECOND);
	}
	CHECK(rate_wait(&r, 1000 * SECOND) > 0);
}

int main(void)
{
	return test_main();
}
