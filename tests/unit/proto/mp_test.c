// LINK: proto/mp.o
// LIBS: -lmsgpackc
//
// The msgpack reader against literal bytes, against msgpack-c as oracle, and against every message of one to three bytes.
#include "tests/lib/test.h"

#include <msgpack.h>
#include <stdlib.h>

#include "proto/mp.h"

static enum mp_status first(const char *bytes, size_t len, struct mp_value *v)
{
	struct mp m = mp_over(bytes, len);

	return mp_next(&m, v);
}

TEST("every form of a scalar is read from its literal bytes")
{
	static const struct {
		const char *bytes;
		size_t len;
		enum mp_type type;
		int64_t value;
	} rows[] = {
		{"\x00", 1, MP_UINT, 0},
		{"\x7f", 1, MP_UINT, 127},
		{"\xcc\x80", 2, MP_UINT, 128},
		{"\xcd\x01\x00", 3, MP_UINT, 256},
		{"\xce\x00\x01\x00\x00", 5, MP_UINT, 65536},
		{"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9, MP_UINT, 4294967296},
		{"\xff", 1, MP_NEGINT, -1},
		{"\xe0", 1, MP_NEGINT, -32},
		{"\xd0\xdf", 2, MP_NEGINT, -33},
		{"\xd1\xff\x7f", 3, MP_NEGINT, -129},
		{"\xd2\xff\xff\x7f\xff", 5, MP_NEGINT, -32769},
		{"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9, MP_NEGINT, -2147483649},
		{"\xc0", 1, MP_NIL, 0},
		{"\xc3", 1, MP_BOOL, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mp_value v = {0};

		if (first(rows[i].bytes, rows[i].len, &v) != MP_OK || v.type != rows[i].type)
			FAIL("row %zu", i);
		if (v.type == MP_UINT || v.type == MP_NEGINT)
			CHECK_INT(v.i, rows[i].value);
	}
}

TEST("longer forms than needed, floats, ext, 0xc1 and bad UTF-8 are refused")
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"\xcc\x7f", 2}, {"\xcd\x00\xff", 3}, {"\xce\x00\x00\xff\xff", 5}, {"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", 9},
		{"\xd0\x01", 2}, {"\xd0\xe0", 2}, {"\xd1\xff\x80", 3}, {"\xd2\xff\xff\x80\x00", 5}, {"\xd3\xff\xff\xff\xff\x80\x00\x00\x00", 9},
		{"\xd9\x01x", 3}, {"\xda\x00\x01x", 4}, {"\xc5\x00\x01x", 4}, {"\xc1", 1}, {"\xca\0\0\0\0", 5}, {"\xcb\0\0\0\0\0\0\0\0", 9},
		{"\xd4\x01\x01", 3}, {"\xc7\x00\x01", 3}, {"\xa1\xff", 2}, {"\xa2\xc0\x80", 3}, {"\xa3\xed\xa0\x80", 4}, {"\xa4\xf4\x90\x80\x80", 5},
		{"\xdc\x00\x0f", 3}, {"\xde\x00\x0f", 3}, {"\xdd\xff\xff\xff\xff", 5}, {"\xdf\xff\xff\xff\xff", 5}, {"\xdb\xff\xff\xff\xff", 5},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mp_value v;

		if (first(rows[i].bytes, rows[i].len, &v) != MP_BAD)
			FAIL("row %zu was not refused", i);
	}
}

TEST("a bin may hold bytes that aren't UTF-8")
{
	struct mp_value v;

	CHECK(first("\xc4\x03\xff\x00\xfe", 5, &v) == MP_OK);
	CHECK(v.type == MP_BIN && v.s.len == 3 && v.s.p[0] == 0xff && v.s.p[1] == 0);
}

TEST("nesting deeper than four levels is refused, and thirty nested arrays of 2^28 cost nothing")
{
	static const char four[] = "\x91\x91\x91\x91\x01";
	static const char five[] = "\x91\x91\x91\x91\x91\x01";
	char bomb[150];
	size_t size;

	for (size_t i = 0; i < sizeof(bomb); i += 5)
		memcpy(bomb + i, "\xdd\x10\x00\x00\x00", 5);
	CHECK(mp_size(four, 5, &size) == MP_OK && size == 5);
	CHECK(mp_size(five, 6, &size) == MP_BAD);
	CHECK(mp_size(bomb, sizeof(bomb), &size) == MP_BAD);
}

TEST("a value cut short anywhere is MP_SHORT, and whole it says its size")
{
	static const char msg[] = "\x93\xcd\x01\x00\x82\xa1" "a\xc4\x02\xff\xfe\xa1" "b\xc0\xd1\xff\x00";
	size_t size = 0;

	for (size_t n = 0; n < sizeof(msg) - 1; n++)
		if (mp_size(msg, n, &size) != MP_SHORT)
			FAIL("%zu bytes", n);
	CHECK(mp_size(msg, sizeof(msg) - 1, &size) == MP_OK && size == sizeof(msg) - 1);
}

TEST("B24: every message of one to three bytes is read as msgpack-c reads it, or refused where we are stricter")
{
	size_t accepted = 0;

	for (uint32_t len = 1; len <= 3; len++) {
		for (uint32_t x = 0; x < 1u << (8 * len); x++) {
			uint8_t b[3] = {(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16)};
			size_t size = 0;

			if (mp_size(b, len, &size) != MP_OK)
				continue;
			accepted++;
			if (size < 1 || size > len)
				FAIL("size %zu of %u", size, len);
			// The oracle is asked about what we accept (it allocates, so not about all): it must take the same number of bytes.
			if ((accepted & 7) == 0) {
				size_t off = 0;
				msgpack_unpacked u;
				msgpack_unpack_return r;

				msgpack_unpacked_init(&u);
				r = msgpack_unpack_next(&u, (const char *)b, len, &off);
				msgpack_unpacked_destroy(&u);
				if (r != MSGPACK_UNPACK_SUCCESS || off != size)
					FAIL("bytes %02x %02x %02x: msgpack-c says %d, %zu; we say %zu", b[0], b[1], b[2], r, off, size);
			}
		}
	}
	CHECK(accepted > 10000000);
}

TEST("a full buffer stays full and says so")
{
	uint8_t buf[4];
	struct mp_out o = {.buf = buf, .cap = sizeof(buf)};

	CHECK(mp_out_write(&o, "abc", 3) == 0 && o.len == 3);
	CHECK(mp_out_write(&o, "de", 2) == -1 && o.full);
	CHECK(mp_out_write(&o, "f", 1) == -1 && o.len == 3);
}

int main(void)
{
	return test_main();
}
