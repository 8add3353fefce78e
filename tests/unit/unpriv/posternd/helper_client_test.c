// LINK: unpriv/posternd/helper_client.o unpriv/posternd/helper_packet.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o
// LINK: unpriv/common/log.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -levent_core
// The client of the helper, against a broker that this file plays on the other end of a socket pair.
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <msgpack/pack.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/helper_packet.h"

static struct event_base *base;
static uint64_t skew_ns;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + skew_ns;
}

// ---- what the callbacks saw ----
static int calls, gone_calls, kept_fd;
static bool gone_malformed, last_changed;
static struct priv_reply last;
static char last_rule[64];

static void on_reply(void *arg, const struct priv_reply *r)
{
	(void)arg;
	calls++;
	last = *r;
	snprintf(last_rule, sizeof(last_rule), "%s", r->rule);
	last_changed = r->res != NULL && r->op == OP_sysctl_set && r->res->sysctl_set.changed;
	kept_fd = priv_take(r, 0);
}

static void on_gone(bool malformed)
{
	gone_calls++;
	gone_malformed = malformed;
}

// ---- the broker ----
static int broker;

static void connect_broker(bool greet)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		abort();
	broker = sv[1];
	helper_client_attach(sv[0]);
	if (greet)
		helper_packet_send_hello(broker);
}

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void setup(void)
{
	base = event_base_new();
	calls = gone_calls = 0;
	kept_fd = -1;
	skew_ns = 0;
	helper_client_start(base);
	helper_client_on_gone(on_gone);
}

static void teardown(void)
{
	helper_client_stop();
	if (broker >= 0)
		close(broker);
	broker = -1;
	event_base_free(base);
}

struct request {
	uint32_t id;
	enum op_id op;
	union op_args args;
	int fds[HELPER_MAX_FDS];
	unsigned nfds;
};

// Receives one request as the real broker would decode it; op == OP_COUNT for a hello, -1 for none.
static int receive(struct request *q)
{
	static uint8_t buf[HELPER_MAX_PACKET];
	struct mp_value v;
	struct wire_error err;
	ssize_t n = helper_packet_receive(broker, buf, sizeof(buf), q->fds, &q->nfds);

	if (n <= 0)
		return -1;
	struct mp m = mp_over(buf, (size_t)n);
	if (mp_next(&m, &v) != MP_OK || v.n != 3)
		return -1;
	mp_next(&m, &v);
	q->id = (uint32_t)v.u;
	mp_next(&m, &v);
	q->op = (enum op_id)v.u;
	if (q->id == 0)
		return OP_COUNT;
	const struct op_row *row = &op_rows[q->op];
	return wire_decode(row->args, row->nargs, &m, &q->args, row->args_size, &err) ? (int)q->op : -1;
}

static void answer(uint32_t id, enum op_status status, const struct wire_field *fields, size_t nfields, const void *in, int fd)
{
	uint8_t buf[4096];
	struct mp_out o = {.buf = buf, .cap = sizeof(buf)};
	struct helper_packet p = {.buf = buf, .nfds = fd >= 0};
	msgpack_packer pk;

	msgpack_packer_init(&pk, &o, mp_out_write);
	msgpack_pack_array(&pk, 3);
	msgpack_pack_uint32(&pk, id);
	msgpack_pack_uint32(&pk, status);
	wire_encode(fields, nfields, in, &o);
	p.len = o.len;
	p.fds[0] = fd;
	helper_packet_send(broker, &p);
}

static void answer_ok(const struct request *q, const void *res, int fd)
{
	answer(q->id, OPS_OK, op_rows[q->op].res, op_rows[q->op].nres, res, fd);
}

static struct op_sysctl_set_args forward = {.key = SYSCTL_IP_FORWARD, .on = true};

TEST("an operation reaches the broker as its rows say, and its answer the caller")
{
	struct request q;
	struct op_sysctl_set_res res = {.changed = true};

	setup();
	connect_broker(true);
	turn();
	CHECK(helper_client_ready());
	CHECK_INT(receive(&q), OP_COUNT);
	CHECK_INT(priv_sysctl_set(&forward, NULL, on_reply, NULL), 0);
	CHECK_INT(calls, 0);
	turn();
	CHECK_INT(receive(&q), OP_sysctl_set);
	CHECK(q.args.sysctl_set.on);
	answer_ok(&q, &res, -1);
	turn();
	CHECK_INT(calls, 1);
	CHECK(priv_ok(&last) && last_changed);
	teardown();
}

TEST("many operations in flight are answered in any order")
{
	struct request q[50];
	struct op_sysctl_set_res res = {.changed = false};

	setup();
	connect_broker(true);
	turn();
	receive(&q[0]);
	for (int i = 0; i < 50; i++)
		CHECK_INT(priv_sysctl_set(&forward, NULL, on_reply, NULL), 0);
	turn();
	for (int i = 0; i < 50; i++)
		CHECK_INT(receive(&q[i]), OP_sysctl_set);
	for (int i = 49; i >= 0; i--)
		answer_ok(&q[i], &res, -1);
	turn();
	CHECK_INT(calls, 50);
	teardown();
}

TEST("descriptors go both ways, and one that the callback leaves is closed")
{
	struct request q;
	struct op_tap_create_args tap = {.name = "pt-a", .has_want_fd = true, .want_fd = true};
	struct op_tap_create_res made = {.ifindex = 7, .created = true};
	struct op_fw_commit_args fw = {.count = 0};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setup();
	connect_broker(true);
	turn();
	receive(&q);
	CHECK_INT(priv_tap_create(&tap, NULL, on_reply, NULL), 0);
	turn();
	CHECK_INT(receive(&q), OP_tap_create);
	CHECK_STR(q.args.tap_create.name, "pt-a");
	answer_ok(&q, &made, null);
	turn();
	CHECK(priv_ok(&last) && kept_fd >= 0);
	close(kept_fd);
	CHECK_INT(priv_fw_commit(&fw, &null, on_reply, NULL), 0);
	turn();
	CHECK_INT(receive(&q), OP_fw_commit);
	CHECK_INT(q.nfds, 1);
	close(q.fds[0]);
	CHECK_INT(priv_fw_commit(&fw, NULL, on_reply, NULL), EINVAL);
	close(null);
	teardown();
}

TEST("a refusal carries the rule that refused and the errno")
{
	struct request q;
	struct op_failure no = {.has_err = true, .err = EPERM, .has_rule = true, .rule = "bridge"};

	setup();
	connect_broker(true);
	turn();
	receive(&q);
	priv_sysctl_set(&forward, NULL, on_reply, NULL);
	turn();
	receive(&q);
	answer(q.id, OPS_DENIED, op_failure_fields, 2, &no, -1);
	turn();
	CHECK_INT(last.status, OPS_DENIED);
	CHECK_STR(last_rule, "bridge");
	CHECK_INT(last.err, EPERM);
	teardown();
}

TEST("when the helper dies what was sent is interrupted, and what is asked meanwhile goes to the next helper")
{
	struct request q;
	struct op_sysctl_set_res res = {.changed = true};

	setup();
	connect_broker(true);
	turn();
	receive(&q);
	priv_sysctl_set(&forward, NULL, on_reply, NULL);
	turn();
	close(broker);
	turn();
	CHECK_INT(calls, 1);
	CHECK_INT(last.outcome, PRIV_INTERRUPTED);
	CHECK_INT(gone_calls, 1);
	CHECK(!gone_malformed && !helper_client_ready());
	priv_sysctl_set(&forward, NULL, on_reply, NULL);
	turn();
	CHECK_INT(calls, 1);
	connect_broker(true);
	turn();
	CHECK_INT(receive(&q), OP_COUNT);
	CHECK_INT(receive(&q), OP_sysctl_set);
	answer_ok(&q, &res, -1);
	turn();
	CHECK_INT(calls, 2);
	CHECK(priv_ok(&last));
	teardown();
}

TEST("an operation that waits too long for a helper is interrupted")
{
	struct timeval wait = {.tv_usec = 700000};

	setup();
	priv_sysctl_set(&forward, NULL, on_reply, NULL);
	skew_ns = (HELPER_WAIT_MS + 1000) * UINT64_C(1000000);
	event_base_loopexit(base, &wait);
	event_base_dispatch(base);
	CHECK_INT(calls, 1);
	CHECK_INT(last.outcome, PRIV_INTERRUPTED);
	teardown();
}

TEST("what no helper sends ends the connection as malformed")
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {{"\xc1", 1}, {"\x93\x63\x00\x80", 4}, {"\x93\x01\x0f\x80", 4}, {"\x93\x01\x00\x80\x00", 5}, {"\x93\x01\x00\x81\xa1x\x01", 7}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		setup();
		connect_broker(true);
		turn();
		CHECK(send(broker, bad[i].bytes, bad[i].len, 0) > 0);
		turn();
		CHECK(gone_calls == 1 && gone_malformed);
		teardown();
	}
}

TEST("a helper built from other rows is refused")
{
	uint8_t buf[128];
	struct mp_out o = {.buf = buf, .cap = sizeof(buf)};
	struct helper_hello other = {.has_rows = true, .rows = {1, 2, 3}};
	msgpack_packer pk;

	setup();
	connect_broker(false);
	msgpack_packer_init(&pk, &o, mp_out_write);
	msgpack_pack_array(&pk, 3);
	msgpack_pack_uint32(&pk, 0);
	msgpack_pack_uint32(&pk, HELPER_PROTOCOL);
	wire_encode(helper_hello_fields, 1, &other, &o);
	CHECK(send(broker, buf, o.len, 0) > 0);
	turn();
	CHECK(!helper_client_ready() && gone_malformed);
	teardown();
}

TEST("too many operations at once are refused with EAGAIN and the rest stays intact")
{
	setup();
	for (int i = 0; i < HELPER_IN_FLIGHT; i++)
		CHECK_INT(priv_sysctl_set(&forward, NULL, on_reply, NULL), 0);
	CHECK_INT(priv_sysctl_set(&forward, NULL, on_reply, NULL), EAGAIN);
	teardown();
	CHECK_INT(calls, HELPER_IN_FLIGHT);
}

int main(void)
{
	return test_main();
}
