// LINK: proto/mp.o proto/wire.o proto/wire_kinds.o proto/helper.o proto/guest.o
// LIBS: -lmsgpackc
//
// The msgpack reader and the row codec on arbitrary bytes, with msgpack-c as oracle: what we accept it must accept with the same length,
// and what a row accepts must come out of the encoder as the very bytes that went in.
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/guest.h"
#include "proto/helper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void against_oracle(const uint8_t *data, size_t len)
{
	size_t size = 0;
	size_t off = 0;
	msgpack_unpacked u;

	if (mp_size(data, len, &size) != MP_OK)
		return;
	msgpack_unpacked_init(&u);
	if (msgpack_unpack_next(&u, (const char *)data, len, &off) != MSGPACK_UNPACK_SUCCESS || off != size)
		abort();
	msgpack_unpacked_destroy(&u);
}

static void round_trip(const struct wire_field *f, size_t n, size_t struct_size, const uint8_t *data, size_t len)
{
	static uint8_t out[MP_MAX_VALUE];
	static union {
		union op_args op;
		struct msg msg;
	} s;
	struct mp m = mp_over(data, len);
	struct mp_out o = {.buf = out, .cap = sizeof(out)};
	struct wire_error err;

	if (!wire_decode(f, n, &m, &s, struct_size, &err))
		return;
	if (!wire_encode(f, n, &s, &o) || o.len != (size_t)(m.p - data) || memcmp(out, data, o.len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct msg m;
	struct wire_error err;
	size_t used;

	if (len < 2 || len > MP_MAX_VALUE)
		return 0;
	against_oracle(data + 1, len - 1);
	round_trip(op_rows[data[0] % OP_COUNT].args, op_rows[data[0] % OP_COUNT].nargs, op_rows[data[0] % OP_COUNT].args_size, data + 1, len - 1);
	(void)msg_read(data + 1, len - 1, FROM_BOTH, &m, &used, &err);
	return 0;
}
