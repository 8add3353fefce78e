// Tables of the daemon-to-helper conversation, generated from helper.def.
#include "proto/helper.h"

#include "rows_sha256.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// Each list ends with an empty row, since C has no empty arrays; it isn't counted.
#define OP(id, cell, cap, doc, why) static const struct wire_field args_##id[] = {
#define ARG(id, kind, name, need, min, max, doc) \
	{#name, W_##kind, need, offsetof(struct op_##id##_args, name), offsetof(struct op_##id##_args, has_##name), min, max, doc},
#define END_OP(id) {NULL, W_u32, OPT, 0, 0, 0, 0, NULL}};
#include "proto/helper.def"

#define OP(id, cell, cap, doc, why) static const struct wire_field res_##id[] = {
#define RES(id, kind, name, need, doc) \
	{#name, W_##kind, need, offsetof(struct op_##id##_res, name), offsetof(struct op_##id##_res, has_##name), 0, 0, doc},
#define END_OP(id) {NULL, W_u32, OPT, 0, 0, 0, 0, NULL}};
#include "proto/helper.def"

#define OP(id, cell, cap, doc, why) static const struct op_fd fds_##id[] = {
#define FD(id, name, fdkind, need, doc) {#name, FD_##fdkind, need, doc},
#define END_OP(id) {NULL, FD_REGULAR, OPT, NULL}};
#include "proto/helper.def"

#define OP(id, cell, cap, doc, why) enum { RESFDS_##id = 0
#define RESFD(id, name, doc) +1
#define END_OP(id) };
#include "proto/helper.def"

const struct op_row op_rows[OP_COUNT] = {
#define OP(id, cell, cap, doc, why) \
	[OP_##id] = {#id, CELL_##cell, cap, doc, why, args_##id, COUNT(args_##id) - 1, fds_##id, COUNT(fds_##id) - 1, RESFDS_##id, \
		res_##id, COUNT(res_##id) - 1, sizeof(struct op_##id##_args), sizeof(struct op_##id##_res)},
#include "proto/helper.def"
};

const struct wire_field op_failure_fields[2] = {
	{"err", W_u32, OPT, offsetof(struct op_failure, err), offsetof(struct op_failure, has_err), 0, 0, "errno"},
	{"rule", W_text, OPT, offsetof(struct op_failure, rule), offsetof(struct op_failure, has_rule), 0, 0, "what refused"},
};

const struct wire_field helper_hello_fields[1] = {
	{"rows", W_hash, REQ, offsetof(struct helper_hello, rows), offsetof(struct helper_hello, has_rows), 0, 0, "SHA-256 of the rows"},
};

const uint8_t rows_sha256[32] = ROWS_SHA256;

const char *op_status_name(enum op_status s)
{
	switch (s) {
	case OPS_OK: return "ok";
	case OPS_DENIED: return "denied";
	case OPS_NOT_FOUND: return "not_found";
	case OPS_EXISTS: return "exists";
	case OPS_BUSY: return "busy";
	case OPS_PENDING: return "pending";
	case OPS_INVALID: return "invalid";
	case OPS_UNSUPPORTED: return "unsupported";
	case OPS_QUOTA: return "quota";
	case OPS_IO: return "io";
	case OPS_COUNT: break;
	}
	return "unknown";
}
