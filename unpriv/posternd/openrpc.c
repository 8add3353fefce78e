// OpenRPC from rows. Schemas are JSON Schema draft 7; described objects and enumerations stand once
// under components.schemas and are referred to. See openrpc.h.
#include "unpriv/posternd/openrpc.h"

#include "proto/rpc.h"
#include "unpriv/posternd/rows_read.h"

static void put_str(struct text *out, const char *s)
{
	text_json(out, s, strlen(s));
}

// ,"key": unless it is the first member
static void put_key(struct text *out, const char *key)
{
	if (out->at[out->len - 1] != '{')
		text_char(out, ',');
	put_str(out, key);
	text_char(out, ':');
}

static void put_pair(struct text *out, const char *key, const char *value)
{
	put_key(out, key);
	put_str(out, value);
}

static void put_bound(struct text *out, const char *key, int64_t v)
{
	put_key(out, key);
	text_i64(out, v);
}

static void put_words(struct text *out, const char *const *words)
{
	put_key(out, "enum");
	text_char(out, '[');
	for (const char *const *w = words; *w; w++) {
		if (w != words)
			text_char(out, ',');
		put_str(out, *w);
	}
	text_char(out, ']');
}

static void put_text_schema(struct text *out, const struct kind_info *k)
{
	put_pair(out, "type", "string");
	if (k->min)
		put_bound(out, "minLength", k->min);
	put_bound(out, "maxLength", k->max);
	// [:cntrl:] is POSIX; JSON Schema speaks ECMA 262, so such patterns stay in words alone.
	if (k->pattern && strstr(k->pattern, "[:") == NULL)
		put_pair(out, "pattern", k->pattern);
}

static void put_int_schema(struct text *out, const struct kind_info *k)
{
	put_pair(out, "type", "integer");
	if (k->min != INT64_MIN)
		put_bound(out, "minimum", k->min);
	if (k->max != INT64_MAX)
		put_bound(out, "maximum", k->max);
}

// Members of a schema of one value.
static void put_kind_schema(struct text *out, enum rpc_kind kind)
{
	const struct kind_info *k = &rpc_kinds[kind];
	switch (k->class) {
	case CLASS_TEXT: put_text_schema(out, k); break;
	case CLASS_INT: put_int_schema(out, k); break;
	case CLASS_FLAG: put_pair(out, "type", "boolean"); break;
	case CLASS_NUM: put_pair(out, "type", "number"); break;
	case CLASS_MAP:
		put_pair(out, "type", "object");
		text_lit(out, ",\"additionalProperties\":{\"type\":\"string\"}");
		break;
	case CLASS_RAW: break; // any value: the empty schema
	case CLASS_ENUM:
	case CLASS_OBJECT:
		put_key(out, "$ref");
		text_printf(out, "\"#/components/schemas/%s\"", k->name);
		break;
	}
}

static void put_field_schema(struct text *out, const struct rpc_field *f)
{
	text_char(out, '{');
	if (f->list) {
		put_pair(out, "type", "array");
		put_key(out, "items");
		text_char(out, '{');
		put_kind_schema(out, f->kind);
		text_char(out, '}');
		if (f->max)
			put_bound(out, "maxItems", (int64_t)f->max);
	} else {
		put_kind_schema(out, f->kind);
	}
	text_char(out, '}');
}

static void put_required(struct text *out, const struct rpc_field *fields, bool changed)
{
	bool any = changed;
	for (const struct rpc_field *f = fields; f->name; f++)
		any = any || f->need == RPC_REQ;
	if (!any)
		return;
	put_key(out, "required");
	text_char(out, '[');
	if (changed)
		put_str(out, "changed");
	for (const struct rpc_field *f = fields; f->name; f++) {
		if (f->need != RPC_REQ)
			continue;
		if (out->at[out->len - 1] != '[')
			text_char(out, ',');
		put_str(out, f->name);
	}
	text_char(out, ']');
}

// An object schema; `changed` and `paged` are the members that the machinery adds to results.
static void put_object(struct text *out, const struct rpc_field *fields, bool changed, bool paged)
{
	put_pair(out, "type", "object");
	put_key(out, "properties");
	text_char(out, '{');
	if (changed)
		text_lit(out, "\"changed\":{\"type\":\"boolean\"}");
	for (const struct rpc_field *f = fields; f->name; f++) {
		put_key(out, f->name);
		put_field_schema(out, f);
	}
	if (paged)
		text_lit(out, ",\"next_cursor\":{\"type\":\"string\"}");
	text_char(out, '}');
	put_required(out, fields, changed);
}

static void put_param(struct text *out, const struct rpc_field *f)
{
	if (out->at[out->len - 1] != '[')
		text_char(out, ',');
	text_char(out, '{');
	put_pair(out, "name", f->name);
	put_pair(out, "description", f->doc);
	put_key(out, "required");
	text_str(out, f->need == RPC_REQ ? "true" : "false");
	put_key(out, "schema");
	put_field_schema(out, f);
	text_char(out, '}');
}

// In the rows' order, which is the order by position.
static void put_params(struct text *out, const struct rpc_method *m, bool paged)
{
	static const struct rpc_field dry_run = {.name = "dry_run", .kind = KIND_flag, .doc = "answer what would change, change nothing"};
	static const struct rpc_field limit = {.name = "limit", .kind = KIND_limit, .doc = "most elements to answer"};
	static const struct rpc_field cursor = {.name = "cursor", .kind = KIND_str, .doc = "next_cursor of the answer before"};
	put_key(out, "params");
	text_char(out, '[');
	for (const struct rpc_field *f = m->params; f->name; f++)
		put_param(out, f);
	if (m->right >= RIGHT_WRITE)
		put_param(out, &dry_run);
	if (paged) {
		put_param(out, &limit);
		put_param(out, &cursor);
	}
	text_char(out, ']');
}

static void put_result(struct text *out, const struct rpc_method *m, bool paged)
{
	put_key(out, "result");
	text_char(out, '{');
	put_pair(out, "name", "result");
	put_key(out, "schema");
	text_char(out, '{');
	if (m->result->name && rpc_kinds[m->result->kind].class == CLASS_RAW)
		put_pair(out, "type", "object");
	else
		put_object(out, m->result, m->right >= RIGHT_WRITE, paged);
	text_lit(out, "}}");
}

static void put_method(struct text *out, const struct rpc_method *m)
{
	static const char *const rights[] = {"none", "read", "write", "admin"};
	const struct rpc_field *page;
	bool paged = rows_paged(m, &page);
	text_char(out, '{');
	put_pair(out, "name", m->name);
	put_pair(out, "summary", m->doc);
	size_t n = 0;
	while (m->params[n].name)
		n++;
	put_pair(out, "paramStructure", n > 3 ? "by-name" : "either");
	put_params(out, m, paged);
	put_result(out, m, paged);
	put_pair(out, "x-right", rights[m->right]);
	put_key(out, "x-job");
	text_str(out, m->job ? "true" : "false");
	put_key(out, "x-idempotent");
	text_lit(out, "true}"); // every method is, by contract
}

static void put_schemas(struct text *out)
{
	put_key(out, "components");
	text_lit(out, "{\"schemas\":{");
	for (size_t i = 0; i < KIND_COUNT; i++) {
		const struct kind_info *k = &rpc_kinds[i];
		if (k->class != CLASS_ENUM && k->class != CLASS_OBJECT)
			continue;
		put_key(out, k->name);
		text_char(out, '{');
		put_pair(out, "description", k->doc);
		if (k->class == CLASS_ENUM) {
			put_pair(out, "type", "string");
			put_words(out, k->values);
		} else {
			put_object(out, k->fields, false, false);
		}
		text_char(out, '}');
	}
	text_lit(out, "}}");
}

void openrpc_document(struct text *out)
{
	text_lit(out, "{\"openrpc\":\"1.3.2\",\"info\":{\"title\":\"postern\",\"description\":\"Network, storage and microVMs of a "
	              "host.\",\"version\":\"" POSTERN_VERSION "\"},"
	              "\"methods\":[");
	for (size_t i = 0; i < RPC_COUNT; i++) {
		if (i)
			text_char(out, ',');
		put_method(out, &rpc_methods[i]);
	}
	text_char(out, ']');
	put_schemas(out);
	text_char(out, '}');
}
