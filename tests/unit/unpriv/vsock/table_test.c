// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o
// The connection table at its limits.
#include "unpriv/vsock/table.h"

#include "tests/lib/test.h"

static struct table t;

TEST("1023 connections fit, one more doesn't, and every window keeps the sum within the bound")
{
	table_init(&t);
	for (unsigned i = 0; i < TABLE_CONNS; i++) {
		struct conn *c = table_new(&t, -1, CONN_OPEN);
		CHECK(c != NULL);
		CHECK(c->backlog.size >= WINDOW_SMALL);
		CHECK_INT(c->backlog.size, i < 100 ? WINDOW_LARGE : c->backlog.size);
		CHECK(t.memory <= TABLE_MEMORY_MAX);
		CHECK(table_bind(&t, c, HOST_PORT_MIN + i % 7, i));
	}
	CHECK(table_new(&t, -1, CONN_OPEN) == NULL);
	for (unsigned i = 0; i < TABLE_CONNS; i++) {
		struct conn *c = table_find(&t, HOST_PORT_MIN + i % 7, i);
		CHECK(c == &t.conn[i]);
		table_free(&t, c);
		CHECK(table_find(&t, HOST_PORT_MIN + i % 7, i) == NULL);
	}
	CHECK_INT(t.memory, 0);
	CHECK_INT(t.used, 0);
	CHECK(table_new(&t, -1, CONN_OPEN)->backlog.size == WINDOW_LARGE);
}

TEST("a pair of ports names one connection")
{
	table_init(&t);
	struct conn *a = table_new(&t, -1, CONN_OPEN), *b = table_new(&t, -1, CONN_OPEN);

	CHECK(table_bind(&t, a, 5, 6));
	CHECK(!table_bind(&t, b, 5, 6));
	CHECK(table_bind(&t, b, 6, 5));
	CHECK(table_find(&t, 5, 6) == a && table_find(&t, 6, 5) == b);
	table_unbind(&t, a);
	CHECK(table_find(&t, 5, 6) == NULL);
	table_unbind(&t, a);
	CHECK(table_find(&t, 6, 5) == b);
}

TEST("host ports go round and skip those in use")
{
	table_init(&t);
	t.next_host_port = HOST_PORT_MAX;
	struct conn *c = table_new(&t, -1, CONN_ASKED);

	CHECK(table_bind(&t, c, HOST_PORT_MIN, 9));
	CHECK_INT(table_pick_port(&t, 9), HOST_PORT_MAX);
	CHECK_INT(table_pick_port(&t, 9), HOST_PORT_MIN + 1);
	t.next_host_port = HOST_PORT_MIN;
	CHECK_INT(table_pick_port(&t, 8), HOST_PORT_MIN);
}

TEST("an event for a slot's former user is told apart")
{
	table_init(&t);
	struct conn *c = table_new(&t, -1, CONN_LINE);
	uint32_t generation = c->generation, index = table_index(&t, c);

	CHECK(table_event(&t, index, generation) == c);
	table_free(&t, c);
	CHECK(table_event(&t, index, generation) == NULL);
	CHECK(table_new(&t, -1, CONN_LINE) == c);
	CHECK(table_event(&t, index, generation) == NULL);
	CHECK(table_event(&t, TABLE_CONNS, generation) == NULL);
	CHECK(table_event(&t, UINT32_MAX, 0) == NULL);
}

int main(void)
{
	return test_main();
}
