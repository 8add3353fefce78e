// The JSON-RPC conversation, from the rows of rpc.def: a params and a result struct for each method, a struct for each object, and tables
// that describe them all, for whoever turns them into JSON, checks, OpenRPC, help or man pages.
//
// Texts are borrowed: in params from the parsed request, in results from whoever replies.  Every member has a has_ flag before it; in
// results it matters for optional members only.  A list is {n, v}.
#ifndef PROTO_RPC_H
#define PROTO_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rpc_need { RPC_OPT = 0, RPC_REQ = 1 };
enum rpc_right { RIGHT_NONE, RIGHT_READ, RIGHT_WRITE, RIGHT_ADMIN };

struct kv {
	const char *key;
	const char *value;
};

struct kv_map {
	size_t n;
	struct kv *v;
};

// Enumerations: constants <id>_<name>, counted from 0 in the rows' order.
#define ENUM(id, doc) enum rpc_##id {
#define VALUE(id, name, text) id##_##name,
#define END_ENUM(id) id##_COUNT_ };
#include "proto/rpc.def"

// kind_<id>: the C type that holds one value; enumerations are ints.
#define KIND(id, ctype, class, min, max, pattern, allowed) typedef ctype kind_##id;
#define ENUM(id, doc) typedef int kind_##id;
#define OBJECT(id, doc) typedef struct obj_##id kind_##id;
#include "proto/rpc.def"

#define KIND(id, ctype, class, min, max, pattern, allowed) struct list_##id { size_t n; kind_##id *v; };
#define ENUM(id, doc) struct list_##id { size_t n; kind_##id *v; };
#define OBJECT(id, doc) struct list_##id { size_t n; kind_##id *v; };
#include "proto/rpc.def"

#define OBJECT(id, doc) struct obj_##id {
#define MEMBER(obj, kind, name, need, doc) bool has_##name; kind_##kind name;
#define MEMBER_LIST(obj, kind, name, need, max, doc) bool has_##name; struct list_##kind name;
#define END_OBJECT(id) };
#include "proto/rpc.def"

#define METHOD(id, name, right, doc) struct rpc_##id##_params { uint8_t none_;
#define PARAM(id, kind, name, need, doc) bool has_##name; kind_##kind name;
#define PARAM_LIST(id, kind, name, need, max, doc) bool has_##name; struct list_##kind name;
#define END_METHOD(id) };
#include "proto/rpc.def"

// `changed` is part of the answer of every method that writes.
#define METHOD(id, name, right, doc) struct rpc_##id##_result { bool changed;
#define RESULT(id, kind, name, need, doc) bool has_##name; kind_##kind name;
#define RESULT_LIST(id, kind, name, need, doc) bool has_##name; struct list_##kind name;
#define RESULT_PAGE(id, kind, name, key, doc) bool has_##name; struct list_##kind name;
#define END_METHOD(id) };
#include "proto/rpc.def"

enum rpc_kind {
#define KIND(id, ctype, class, min, max, pattern, allowed) KIND_##id,
#define ENUM(id, doc) KIND_##id,
#define OBJECT(id, doc) KIND_##id,
#include "proto/rpc.def"
	KIND_COUNT
};

enum kind_class { CLASS_TEXT, CLASS_INT, CLASS_FLAG, CLASS_NUM, CLASS_MAP, CLASS_RAW, CLASS_ENUM, CLASS_OBJECT };

struct rpc_field {
	const char *name;  // NULL ends a list of fields
	enum rpc_kind kind;
	bool list;
	enum rpc_need need;
	size_t max;   // most elements of a list; 0 = no limit of its own
	size_t off;   // of the value, or of the struct list_…
	size_t has;   // of the has_ flag
	const char *page_key;  // member of the elements that sorts and pages this list, or NULL
	const char *doc;
};

struct kind_info {
	const char *name;
	enum kind_class class;
	size_t size;          // bytes of one value
	int64_t min, max;     // of an INT; bytes of a TEXT
	const char *pattern;  // ERE that a TEXT must match, or NULL
	const char *allowed;  // what is allowed, in words
	const char *doc;      // of an ENUM or OBJECT
	const char *const *values;       // ENUM: texts, NULL at the end
	const struct rpc_field *fields;  // OBJECT
};

enum rpc_method_id {
#define METHOD(id, name, right, doc) RPC_##id,
#include "proto/rpc.def"
	RPC_COUNT
};

struct rpc_method {
	const char *id;    // C name: handler rpc_<id>
	const char *name;  // as clients write it
	enum rpc_right right;
	const char *doc;
	bool job;
	const struct rpc_field *params;
	const struct rpc_field *result;
	size_t params_size;
	size_t result_size;
};

extern const struct kind_info rpc_kinds[KIND_COUNT];
extern const struct rpc_method rpc_methods[RPC_COUNT];

// The kinds of failure that data.kind of an error names, with their JSON-RPC codes.
enum fail_kind {
	FAIL_UPSTREAM_UNAVAILABLE,
	FAIL_UNSUPPORTED,
	FAIL_TOOL_MISSING,
	FAIL_NOT_FOUND,
	FAIL_ALREADY_EXISTS,
	FAIL_INVALID_STATE,
	FAIL_BUSY,
	FAIL_TIMEOUT,
	FAIL_AGENT_UNAVAILABLE,
	FAIL_DENIED_BY_POLICY,
	FAIL_QUOTA_EXCEEDED,
	FAIL_INTERRUPTED,
	FAIL_IO,
	FAIL_COUNT
};
extern const char *const rpc_fail_names[FAIL_COUNT];

#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)
#define RPC_INTERNAL_ERROR (-32603)
#define RPC_NO_IDENTITY (-32001)
#define RPC_RIGHT_TOO_LOW (-32003)
#define RPC_FAILED (-32000)

#endif
