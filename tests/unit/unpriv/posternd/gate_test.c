// LINK: unpriv/posternd/gate.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -levent_core
// The gate: who passes, who waits, and in which order, with requests that are played here.
#include "unpriv/posternd/gate.h"

#include <event2/event.h>
#include <stdarg.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/request.h"

static uint64_t clock_ns = 1;
static char passed[64];
static int failures;
static struct event_base *base;

uint64_t now_ns(void)
{
	return clock_ns;
}

struct event_base *daemon_base(void)
{
	return base != NULL ? base : (base = event_base_new());
}

void fail_hint(struct request *rq, enum fail_kind kind, const char *hint, const char *detail, ...)
{
	(void)rq;
	(void)kind;
	(void)hint;
	(void)detail;
	failures++;
}

static const struct rpc_method net = {.name = "net.bridge.add", .right = RIGHT_WRITE}, vm = {.name = "compute.vm.start", .right = RIGHT_WRITE},
                               checkpoint = {.name = "net.checkpoint.create", .right = RIGHT_WRITE};
static struct request rq[8];

static void note(char c)
{
	passed[strlen(passed)] = c;
}

static void go(struct request *r)
{
	note((char)('0' + (r - rq)));
}

static void go_and_end(struct request *r)
{
	go(r);
	gate_left(r);
}

static void exclusive(void *arg)
{
	note(*(const char *)arg);
}

static void exclusive_and_end(void *arg)
{
	exclusive(arg);
	gate_release();
}

static void begin(void)
{
	memset(passed, 0, sizeof(passed));
	memset(rq, 0, sizeof(rq));
	for (size_t i = 0; i < 8; i++)
		rq[i].method = &net;
}

TEST("nobody passes before the gate is opened, and then all do, in their order")
{
	CHECK(gate_start());
	begin();
	rq[1].method = &vm;
	gate_pass(&rq[0], go);
	gate_pass(&rq[1], go);
	gate_exclusive(exclusive_and_end, "x");
	CHECK_STR(passed, "");
	gate_open();
	CHECK_STR(passed, "x01");
	gate_left(&rq[0]);
	gate_left(&rq[1]);
}

TEST("who wants the network to himself waits for the writes at work, and keeps the later ones out, but for those that aren't the network's")
{
	begin();
	rq[2].method = &vm;
	rq[3].method = &checkpoint;
	rq[4].dry_run = true;
	gate_pass(&rq[0], go);
	gate_exclusive(exclusive, "x");
	gate_pass(&rq[1], go);
	gate_pass(&rq[2], go);
	gate_pass(&rq[3], go);
	gate_pass(&rq[4], go);
	CHECK_STR(passed, "0234");
	gate_left(&rq[0]);
	CHECK_STR(passed, "0234x");
	gate_exclusive(exclusive, "y");
	gate_pass(&rq[5], go);
	gate_release();
	CHECK_STR(passed, "0234xy");
	gate_release();
	CHECK_STR(passed, "0234xy15");
	gate_left(&rq[1]);
	gate_left(&rq[5]);
}

TEST("writes and exclusives that end within their own call let the next ones pass all the same")
{
	begin();
	gate_exclusive(exclusive, "x");
	for (int i = 0; i < 4; i++)
		gate_pass(&rq[i], go_and_end);
	gate_exclusive(exclusive_and_end, "y");
	gate_exclusive(exclusive_and_end, "z");
	CHECK_STR(passed, "x");
	gate_release();
	CHECK_STR(passed, "xyz0123");
}

TEST("from a deadline on no write of the network begins until it is set anew")
{
	begin();
	gate_close_at(clock_ns + 10);
	gate_pass(&rq[0], go_and_end);
	clock_ns += 10;
	gate_pass(&rq[1], go_and_end);
	CHECK_STR(passed, "0");
	gate_exclusive(exclusive_and_end, "x");
	CHECK_STR(passed, "0x");
	gate_close_at(UINT64_MAX);
	CHECK_STR(passed, "0x1");
}

TEST("who waits too long is told so, and the next one passes as if he had never been there")
{
	begin();
	gate_exclusive(exclusive, "x");
	gate_pass(&rq[0], go);
	clock_ns += (GATE_EXCLUSIVE_MS + 1) * UINT64_C(1000000);
	while (failures == 0)
		event_base_loop(base, EVLOOP_ONCE);
	gate_release();
	gate_pass(&rq[1], go_and_end);
	CHECK_STR(passed, "x1");
	CHECK_INT(failures, 1);
	gate_stop();
	event_base_free(base);
}

int main(void)
{
	return test_main();
}
