// Tables of the JSON-RPC conversation, generated from rpc.def.
#include "proto/rpc.h"

#define ENUM(id, doc) static const char *const values_##id[] = {
#define VALUE(id, name, text) text,
#define END_ENUM(id) NULL};
#include "proto/rpc.def"

#define END_FIELDS {NULL, KIND_str, false, RPC_OPT, 0, 0, 0, NULL, NULL}

#define OBJECT(id, doc) static const struct rpc_field members_##id[] = {
#define MEMBER(obj, kind, name, need, doc) \
	{#name, KIND_##kind, false, RPC_##need, 0, offsetof(struct obj_##obj, name), offsetof(struct obj_##obj, has_##name), NULL, doc},
#define MEMBER_LIST(obj, kind, name, need, max, doc) \
	{#name, KIND_##kind, true, RPC_##need, max, offsetof(struct obj_##obj, name), offsetof(struct obj_##obj, has_##name), NULL, doc},
#define END_OBJECT(id) END_FIELDS};
#include "proto/rpc.def"

#define METHOD(id, name, right, doc) static const struct rpc_field params_##id[] = {
#define PARAM(id, kind, name, need, doc) \
	{#name, KIND_##kind, false, RPC_##need, 0, offsetof(struct rpc_##id##_params, name), offsetof(struct rpc_##id##_params, has_##name), NULL, doc},
#define PARAM_LIST(id, kind, name, need, max, doc) \
	{#name, KIND_##kind, true, RPC_##need, max, offsetof(struct rpc_##id##_params, name), offsetof(struct rpc_##id##_params, has_##name), NULL, doc},
#define END_METHOD(id) END_FIELDS};
#include "proto/rpc.def"

#define METHOD(id, name, right, doc) static const struct rpc_field result_##id[] = {
#define RESULT(id, kind, name, need, doc) \
	{#name, KIND_##kind, false, RPC_##need, 0, offsetof(struct rpc_##id##_result, name), offsetof(struct rpc_##id##_result, has_##name), NULL, doc},
#define RESULT_LIST(id, kind, name, need, doc) \
	{#name, KIND_##kind, true, RPC_##need, 0, offsetof(struct rpc_##id##_result, name), offsetof(struct rpc_##id##_result, has_##name), NULL, doc},
#define RESULT_PAGE(id, kind, name, key, doc) \
	{#name, KIND_##kind, true, RPC_REQ, 0, offsetof(struct rpc_##id##_result, name), offsetof(struct rpc_##id##_result, has_##name), #key, doc},
#define END_METHOD(id) END_FIELDS};
#include "proto/rpc.def"

const struct kind_info rpc_kinds[KIND_COUNT] = {
#define KIND(id, ctype, class, min, max, pattern, allowed) \
	[KIND_##id] = {#id, CLASS_##class, sizeof(kind_##id), min, max, pattern, allowed, NULL, NULL, NULL},
#define ENUM(id, doc) [KIND_##id] = {#id, CLASS_ENUM, sizeof(kind_##id), 0, id##_COUNT_ - 1, NULL, NULL, doc, values_##id, NULL},
#define OBJECT(id, doc) [KIND_##id] = {#id, CLASS_OBJECT, sizeof(kind_##id), 0, 0, NULL, "an object", doc, NULL, members_##id},
#include "proto/rpc.def"
};

enum {
#define METHOD(id, name, right, doc) JOB_##id = 0
#define JOB(id) + 1
#define END_METHOD(id) ,
#include "proto/rpc.def"
};

const struct rpc_method rpc_methods[RPC_COUNT] = {
#define METHOD(id, name, right, doc) \
	[RPC_##id] = {#id, name, RIGHT_##right, doc, JOB_##id != 0, params_##id, result_##id, sizeof(struct rpc_##id##_params), sizeof(struct rpc_##id##_result)},
#include "proto/rpc.def"
};

const char *const rpc_fail_names[FAIL_COUNT] = {
	[FAIL_UPSTREAM_UNAVAILABLE] = "upstream_unavailable",
	[FAIL_UNSUPPORTED] = "unsupported",
	[FAIL_TOOL_MISSING] = "tool_missing",
	[FAIL_NOT_FOUND] = "not_found",
	[FAIL_ALREADY_EXISTS] = "already_exists",
	[FAIL_INVALID_STATE] = "invalid_state",
	[FAIL_BUSY] = "busy",
	[FAIL_TIMEOUT] = "timeout",
	[FAIL_AGENT_UNAVAILABLE] = "agent_unavailable",
	[FAIL_DENIED_BY_POLICY] = "denied_by_policy",
	[FAIL_QUOTA_EXCEEDED] = "quota_exceeded",
	[FAIL_INTERRUPTED] = "interrupted",
	[FAIL_IO] = "io",
};
