// LINK: helper/broker/packet.o helper/common/recheck.o proto/mp.o proto/wire.o proto/wire_kinds.o proto/helper.o
// LIBS: -lmsgpackc
//
// B24: every message of 1 to 3 bytes, all 16,843,008 of them, and every one of 4 that starts like a request.  Each lies at the end of its
// own allocation, so that the sanitizer sees a read past it.
#include <msgpack.h>
#include <stdlib.h>

#include "helper/broker/packet.h"
#include "tests/lib/test.h"

// Calls f on all messages of len bytes whose first byte is lead, or any byte where lead is below 0.  Stops at the first that f refuses.
static bool each(size_t len, int lead, bool (*f)(const uint8_t *, size_t))
{
	uint8_t *m = malloc(len);
	uint64_t n = UINT64_C(1) << (8 * (lead < 0 ? len : len - 1));
	bool good = m != NULL;

	for (uint64_t i = 0; good && i < n; i++) {
		for (size_t at = 0; at < len; at++)
			m[at] = (uint8_t)(i >> (8 * at));
		if (lead >= 0) {
			m[len - 1] = m[0];
			m[0] = (uint8_t)lead;
		}
		good = f(m, len);
	}
	free(m);
	return good;
}

static bool no_request(const uint8_t *m, size_t len)
{
	uint32_t id;
	enum op_id op;
	static union op_args args;

	return !packet_request(m, len, &id, &op, &args);
}

static bool needs_nothing(uint8_t op)
{
	if (op >= OP_COUNT || op_rows[op].nargs > 0)
		for (size_t i = 0; op < OP_COUNT && i < op_rows[op].nargs; i++)
			if (op_rows[op].args[i].need == REQ)
				return false;
	return op < OP_COUNT;
}

static bool only_bare_requests(const uint8_t *m, size_t len)
{
	uint32_t id;
	enum op_id op;
	static union op_args args;
	bool bare = m[1] >= 1 && m[1] <= 0x7f && m[2] <= 0x7f && needs_nothing(m[2]) && m[3] == 0x80;

	return packet_request(m, len, &id, &op, &args) == bare && (!bare || (id == m[1] && (uint32_t)op == m[2]));
}

static bool no_hello(const uint8_t *m, size_t len)
{
	return packet_hello_read(m, len) == HELLO_MALFORMED;
}

// The reader accepts nothing that msgpack-c doesn't, and agrees on its length.
static bool like_msgpack_c(const uint8_t *m, size_t len)
{
	size_t size = 0, off = 0;
	enum mp_status s = mp_size(m, len, &size);
	msgpack_unpacked u;
	bool good;

	if (s != MP_OK)
		return s == MP_SHORT || s == MP_BAD;
	if (size == 0 || size > len)
		return false;
	msgpack_unpacked_init(&u);
	good = msgpack_unpack_next(&u, (const char *)m, len, &off) == MSGPACK_UNPACK_SUCCESS && off == size;
	msgpack_unpacked_destroy(&u);
	return good;
}

// A message that is called short becomes neither whole nor short by having its last byte taken away and put back: short of a short one is short.
static bool prefixes_are_short(const uint8_t *m, size_t len)
{
	size_t size = 0, less = 0;
	enum mp_status s = mp_size(m, len, &size);

	if (s == MP_BAD || len < 2)
		return true;
	if (s == MP_OK && size < len)
		return mp_size(m, size, &less) == MP_OK && less == size;
	return mp_size(m, len - 1, &less) == MP_SHORT;
}

TEST("B24: no message of 1 to 3 bytes is a request")
{
	for (size_t len = 1; len <= 3; len++)
		CHECK(each(len, -1, no_request));
}

TEST("B24: of the messages of 4 bytes that start like a request, those of operations without required arguments are one, and no other")
{
	CHECK(each(4, 0x93, only_bare_requests));
}

TEST("B24: no message of 1 to 3 bytes is a hello")
{
	for (size_t len = 1; len <= 3; len++)
		CHECK(each(len, -1, no_hello));
}

TEST("B24: of all messages of 1 to 3 bytes the reader accepts only what msgpack-c accepts, with the same length")
{
	for (size_t len = 1; len <= 3; len++)
		CHECK(each(len, -1, like_msgpack_c));
}

TEST("B24: a value of up to 3 bytes without its last byte is short, never wrong and never whole")
{
	for (size_t len = 1; len <= 3; len++)
		CHECK(each(len, -1, prefixes_are_short));
}

int main(void)
{
	return test_main();
}
