// LINK: unpriv/posternd/drift.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// Lists of drift.
#include "unpriv/posternd/drift.h"

#include "tests/lib/test.h"

static void add(struct drift_list *l, const char *id, const char *actual)
{
	struct drift_item *i = drift_add(l, drift_kind_tap, "tenant");

	DRIFT_SAY(i->id, "%s", id);
	DRIFT_SAY(i->actual, "%s", actual);
}

TEST("what is said of one thing is joined by commas, and cut where it is too long")
{
	char text[16] = "";

	DRIFT_SAY(text, "mtu %d", 1400);
	CHECK_STR(text, "mtu 1400");
	DRIFT_SAY(text, "%s", "down");
	CHECK_STR(text, "mtu 1400, down");
	DRIFT_SAY(text, "%s", "port of none");
	CHECK_STR(text, "mtu 1400, down,");
	DRIFT_SAY(text, "%s", "x");
	CHECK_STR(text, "mtu 1400, down,");
}

TEST("of two comparisons remains what both say, whatever was put in between")
{
	struct drift_list a = {0}, b = {0};

	for (const char *const *id = (const char *const[]){"1", "2", "3", "4", "5", NULL}; *id != NULL; id++)
		add(&a, *id, "missing");
	for (const char *const *id = (const char *const[]){"0", "2", "3", "5", NULL}; *id != NULL; id++)
		add(&b, *id, strcmp(*id, "3") == 0 ? "down" : "missing");
	drift_intersect(&a, &b);
	CHECK_INT(a.n, 2);
	CHECK_STR(a.v[0].id, "2");
	CHECK_STR(a.v[1].id, "5");
	CHECK(drift_find(&b, &a.v[0]) != NULL && drift_same(drift_find(&b, &a.v[0]), &a.v[0]));
	drift_clear(&b);
	drift_intersect(&a, &b);
	CHECK_INT(a.n, 0);
	drift_clear(&a);
}

TEST("an item's tenant is the list's own copy, and whoever adds says no more than that it differs")
{
	struct drift_list a = {0};
	char tenant[] = "t";
	struct drift_item *i = drift_add(&a, drift_kind_sysctl, tenant);

	tenant[0] = 'x';
	CHECK_STR(i->tenant, "t");
	CHECK_INT(i->fix, FIX_NONE);
	CHECK(drift_add(&a, drift_kind_sysctl, NULL)->tenant == NULL);
	drift_clear(&a);
}

int main(void)
{
	return test_main();
}
