// LINK: unpriv/common/guestwire.o proto/guest.o proto/wire.o proto/wire_kinds.o proto/mp.o
//
// Both ends of the conversation: what the host builds the guest's reader takes, what a guest may say the host's reader gives out.
#include "unpriv/common/guestwire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"

static struct guestwire_in in;
static struct guestwire_out out;
static struct msg m;
static struct wire_error err;
static uint8_t big[GUEST_MAX_DATA + 1];

// Packs a guest's messages behind each other.
static size_t guest_says(uint8_t *buf, size_t cap, const struct msg *v, size_t n)
{
	struct mp_out o = {.buf = buf, .cap = cap};

	for (size_t i = 0; i < n; i++)
		if (!msg_write(&o, &v[i]))
			return 0;
	return o.len;
}

static const struct msg hello = {.id = MSG_hello, .hello = {.version = 1}};

TEST("the writer begins with the host's hello, byte by byte, features the only ones that may differ")
{
	static const uint8_t want[] = "\x92\x00\x82\xa7version\x01\xa8"
	                              "features\x01";

	guestwire_out_init(&out, NULL);
	CHECK_INT(guestwire_pending(&out), sizeof(want) - 1);
	CHECK(memcmp(out.buf + out.start, want, sizeof(want) - 1) == 0);
}

TEST("an exec with odd bytes reads back as it was put")
{
	const char *const argv[] = {"/bin/echo", "\xff\xfe", "", NULL};
	uint8_t scratch[256];
	struct mp_out list = {.buf = scratch, .cap = sizeof(scratch)};
	struct msg x = {.id = MSG_exec};
	struct mp it;
	struct mp_slice s;
	size_t used;
	size_t at;

	CHECK(guestwire_list(&list, argv, &x.exec.argv));
	x.exec.has_cwd = true;
	guestwire_text("/tmp", &x.exec.cwd);
	guestwire_out_init(&out, NULL);
	CHECK(guestwire_put(&out, &x));
	CHECK_INT(msg_read(out.buf, out.end, FROM_HOST, &m, &used, &err), MP_OK);
	at = used;
	CHECK_INT(msg_read(out.buf + at, out.end - at, FROM_HOST, &m, &used, &err), MP_OK);
	CHECK_INT(m.id, MSG_exec);
	CHECK_INT(m.exec.argv.n, 3);
	it = mp_over(m.exec.argv.raw.p, m.exec.argv.raw.len);
	for (size_t i = 0; i < 3; i++)
		CHECK(wire_bytes_next(&it, &s) && s.len == strlen(argv[i]) && memcmp(s.p, argv[i], s.len) == 0);
	CHECK(m.exec.has_cwd && m.exec.cwd.len == 4 && !m.exec.has_env && !m.exec.want_stdin);
}

TEST("a list that doesn't fit its scratch is said so")
{
	const char *const argv[] = {"longer than the scratch", NULL};
	uint8_t scratch[8];
	struct mp_out list = {.buf = scratch, .cap = sizeof(scratch)};
	struct wire_bytes_list l;

	CHECK(!guestwire_list(&list, argv, &l));
}

TEST("messages are given out however the bytes are cut")
{
	struct msg said[3] = {hello, {.id = MSG_started, .started = {.pid = 7}}, {.id = MSG_exit, .exit = {.code = 3, .duration_ms = 5}}};
	uint8_t buf[256];
	size_t len = guest_says(buf, sizeof(buf), said, 3);

	for (size_t step = 1; step <= len; step++) {
		size_t got = 0;

		guestwire_in_init(&in);
		for (size_t i = 0; i < len; i += step) {
			CHECK_INT(guestwire_feed(&in, buf + i, len - i < step ? len - i : step), len - i < step ? len - i : step);
			while (guestwire_next(&in, &m, &err) == GUESTWIRE_MSG)
				CHECK_INT(m.id, said[got++].id);
		}
		CHECK_INT(got, 3);
		CHECK_INT(m.exit.code, 3);
		CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_MORE);
	}
}

TEST("a guest that doesn't greet, greets twice, or speaks as a host is bad")
{
	struct msg started = {.id = MSG_started, .started = {.pid = 7}};
	struct msg both[2] = {hello, hello};
	struct msg host[2] = {hello, {.id = MSG_ack}};
	uint8_t buf[256];

	guestwire_in_init(&in);
	guestwire_feed(&in, buf, guest_says(buf, sizeof(buf), &started, 1));
	CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_BAD);
	CHECK_STR(err.what, "no hello first");
	guestwire_in_init(&in);
	guestwire_feed(&in, buf, guest_says(buf, sizeof(buf), both, 2));
	CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_MSG);
	CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_BAD);
	guestwire_in_init(&in);
	guestwire_feed(&in, buf, guest_says(buf, sizeof(buf), host, 2));
	CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_MSG);
	CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_BAD);
	CHECK_STR(err.what, "message from the wrong side");
}

TEST("a value that can't end within 64 KiB is bad before it has come")
{
	static const uint8_t endless[] = {0x92, 0x07, 0x81, 0xa4, 'd', 'a', 't', 'a', 0xc6, 0x7f, 0xff, 0xff, 0xff};

	guestwire_in_init(&in);
	guestwire_feed(&in, endless, sizeof(endless));
	CHECK_INT(guestwire_next(&in, &m, &err), GUESTWIRE_BAD);
}

TEST("input is cut into messages, and what doesn't fit is left to the caller")
{
	size_t used;
	size_t at;

	guestwire_out_init(&out, NULL);
	CHECK(guestwire_note(&out, &hello));
	at = guestwire_pending(&out);
	CHECK_INT(guestwire_put_stdin(&out, big, sizeof(big)), sizeof(big));
	CHECK_INT(msg_read(out.buf + at, out.end - at, FROM_HOST, &m, &used, &err), MP_OK);
	CHECK_INT(m.stdin_data.data.len, GUEST_MAX_DATA);
	at += used;
	CHECK_INT(msg_read(out.buf + at, out.end - at, FROM_HOST, &m, &used, &err), MP_OK);
	CHECK_INT(m.stdin_data.data.len, 1);
	CHECK_INT(guestwire_put_stdin(&out, big, sizeof(big)), sizeof(big));
	CHECK_INT(guestwire_put_stdin(&out, big, sizeof(big)), 0); // 128 KiB are full
	CHECK(guestwire_pending(&out) <= GUESTWIRE_BUF);
}

TEST("input waits for the guest's hello, and for a guest with windows until it has taken what it was given")
{
	struct msg able = {.id = MSG_hello, .hello = {.version = GUEST_PROTOCOL, .features = FEATURE_STDIN_WINDOW | 1u << 31}};
	struct msg taken = {.id = MSG_stdin_taken, .stdin_taken = {.bytes = 1000}};
	size_t given = 0;

	guestwire_out_init(&out, NULL);
	CHECK_INT(guestwire_put_stdin(&out, big, 1), 0);
	CHECK(guestwire_note(&out, &able));
	for (size_t n = 1; n > 0; given += n) {
		n = guestwire_put_stdin(&out, big, sizeof(big));
		out.start = out.end; // as if sent
	}
	CHECK_INT(given, STDIN_WINDOW);
	CHECK_INT(guestwire_stdin_room(&out), 0);
	CHECK(guestwire_note(&out, &taken));
	CHECK_INT(guestwire_put_stdin(&out, big, sizeof(big)), 1000);
	taken.stdin_taken.bytes = STDIN_WINDOW;
	CHECK(guestwire_note(&out, &taken));
	CHECK_INT(guestwire_stdin_room(&out), STDIN_WINDOW);
	taken.stdin_taken.bytes = 1;
	CHECK(!guestwire_note(&out, &taken));
}

TEST("a guest without windows takes input as the connection does")
{
	guestwire_out_init(&out, NULL);
	CHECK(guestwire_note(&out, &hello));
	for (int i = 0; i < 10; i++) {
		CHECK_INT(guestwire_put_stdin(&out, big, sizeof(big)), sizeof(big));
		out.start = out.end;
	}
	CHECK(guestwire_stdin_room(&out) == SIZE_MAX);
}

TEST("fill and flush move bytes over a non-blocking socket, and say when there are none, no room, or no peer")
{
	int s[2];
	size_t total = 0;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0);
	guestwire_in_init(&in);
	CHECK(guestwire_fill(&in, s[1]) == -1 && errno == EAGAIN);
	guestwire_out_init(&out, NULL);
	CHECK(guestwire_note(&out, &hello));
	CHECK(guestwire_put_stdin(&out, big, GUEST_MAX_DATA) == GUEST_MAX_DATA);
	while (guestwire_pending(&out) > 0) {
		ssize_t n = guestwire_flush(&out, s[0]);

		CHECK(n > 0 || errno == EAGAIN);
		n = guestwire_fill(&in, s[1]);
		total += n > 0 ? (size_t)n : 0;
	}
	CHECK_INT(guestwire_flush(&out, s[0]), 0);
	while (guestwire_fill(&in, s[1]) > 0)
		continue;
	CHECK(total <= in.end && in.end > GUEST_MAX_DATA);
	guestwire_feed(&in, big, sizeof(big));
	guestwire_feed(&in, big, sizeof(big));
	CHECK(guestwire_fill(&in, s[1]) == -1 && errno == ENOBUFS);
	close(s[1]);
	guestwire_out_init(&out, NULL);
	CHECK(guestwire_flush(&out, s[0]) == -1 && errno == EPIPE); // and no signal
	guestwire_in_init(&in);
	CHECK_INT(guestwire_fill(&in, s[0]), 0);
	close(s[0]);
}

int main(void)
{
	return test_main();
}
