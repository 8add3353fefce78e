// Reads requests and writes answers.  See packet.h.
#include "helper/broker/packet.h"

#include <msgpack/pack.h>
#include <string.h>

#include "helper/common/recheck.h"

// Reads the array's head and its two numbers.
static bool head(struct mp *m, uint32_t *first, uint32_t *second)
{
	struct mp_value v;
	uint32_t *out[] = {first, second};

	if (mp_next(m, &v) != MP_OK || v.type != MP_ARRAY || v.n != 3)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (mp_next(m, &v) != MP_OK || v.type != MP_UINT || v.u > UINT32_MAX)
			return false;
		*out[i] = (uint32_t)v.u;
	}
	return true;
}

bool packet_request(const void *buf, size_t len, uint32_t *id, enum op_id *op, union op_args *args)
{
	struct mp m = mp_over(buf, len);
	struct wire_error err;
	uint32_t number;

	memset(args, 0, sizeof(*args));
	if (!head(&m, id, &number) || *id == 0 || number >= OP_COUNT)
		return false;
	*op = (enum op_id)number;
	return wire_decode(op_rows[number].args, op_rows[number].nargs, &m, args, op_rows[number].args_size, &err) && m.p == m.end;
}

enum packet_hello packet_hello_read(const void *buf, size_t len)
{
	struct mp m = mp_over(buf, len);
	struct helper_hello h;
	struct wire_error err;
	uint32_t zero, version;

	if (!head(&m, &zero, &version) || zero != 0 || !wire_decode(helper_hello_fields, 1, &m, &h, sizeof(h), &err) || m.p != m.end)
		return HELLO_MALFORMED;
	return version == HELPER_PROTOCOL && memcmp(h.rows, rows_sha256, sizeof(h.rows)) == 0 ? HELLO_OK : HELLO_OTHER_ROWS;
}

static size_t triple(void *buf, size_t cap, uint32_t first, uint32_t second, const struct wire_field *fields, size_t n, const void *in)
{
	struct mp_out o = {.buf = buf, .cap = cap};
	msgpack_packer pk;

	msgpack_packer_init(&pk, &o, mp_out_write);
	msgpack_pack_array(&pk, 3);
	msgpack_pack_uint32(&pk, first);
	msgpack_pack_uint32(&pk, second);
	return wire_encode(fields, n, in, &o) && !o.full ? o.len : 0;
}

size_t packet_hello_write(void *buf, size_t cap)
{
	struct helper_hello h = {.has_rows = true};

	memcpy(h.rows, rows_sha256, sizeof(h.rows));
	return triple(buf, cap, 0, HELPER_PROTOCOL, helper_hello_fields, 1, &h);
}

size_t packet_answer(void *buf, size_t cap, uint32_t id, enum op_id op, const struct cell_rep *rep)
{
	struct op_failure f = {.has_err = rep->err != 0, .err = rep->err, .has_rule = rep->rule[0] != '\0'};

	if (rep->status == OPS_OK)
		return triple(buf, cap, id, OPS_OK, op_rows[op].res, op_rows[op].nres, &rep->res);
	memcpy(f.rule, rep->rule, sizeof(rep->rule));
	return triple(buf, cap, id, rep->status, op_failure_fields, 2, &f);
}

// The results keep their rules, and as many bytes stand behind them as they say; those are theirs from now on.
static bool results_ok(struct cell_rep *rep, const uint8_t *behind, size_t n, const struct op_row *row)
{
	struct mp_slice *bytes = recheck_bytes(row->res, row->nres, &rep->res);

	if (!recheck(row->res, row->nres, &rep->res) || n != (bytes != NULL ? bytes->len : 0))
		return false;
	if (bytes != NULL)
		bytes->p = behind;
	return true;
}

bool packet_rep_ok(struct cell_rep *rep, const uint8_t *behind, size_t n, enum op_id op, unsigned nfds)
{
	const struct op_row *row = &op_rows[op];
	size_t len;

	if (n < sizeof(*rep) || rep->status >= OPS_COUNT || rep->nfds != nfds)
		return false;
	if (rep->status == OPS_OK)
		return nfds <= row->nresfds && results_ok(rep, behind, n - sizeof(*rep), row);
	if (n != sizeof(*rep))
		return false;
	len = strnlen(rep->rule, sizeof(rep->rule));
	for (size_t i = 0; i < len; i++)
		if (rep->rule[i] < 0x20 || rep->rule[i] > 0x7e)
			return false;
	return nfds == 0 && len < sizeof(rep->rule);
}
