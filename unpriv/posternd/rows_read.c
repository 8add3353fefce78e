// JSON to structs, driven by the tables of proto/rpc.h. See rows_read.h.
#include "unpriv/posternd/rows_read.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHOWN_MAX = 80, BY_POSITION_MAX = 3, LIST_MAX = 65536 };

// Where in the parameters a value stands, for messages: disks[0].image
struct place {
	const struct place *in;
	const char *name; // or NULL: element number `index`
	size_t index;
};

struct reader {
	struct arena *a;
	const char *why; // first thing that is wrong
};

// Any struct list_<kind>.
struct any_list {
	size_t n;
	void *v;
};

static void put_place(struct text *t, const struct place *p)
{
	if (p->in)
		put_place(t, p->in);
	if (p->name == NULL)
		text_printf(t, "[%zu]", p->index);
	else if (p->in)
		text_printf(t, ".%s", p->name);
	else
		text_str(t, p->name);
}

// The value as JSON, shortened.
static void put_given(struct text *t, const json_t *v)
{
	char *dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t n = dump ? strlen(dump) : 0;
	text_add(t, dump ? dump : "", n > SHOWN_MAX ? SHOWN_MAX : n);
	if (n > SHOWN_MAX)
		text_lit(t, "…");
	free(dump);
}

static bool wrong_text(struct reader *r, struct text *t)
{
	r->why = arena_strndup(r->a, t->at, t->len);
	text_finish(t);
	return false;
}

static bool not_allowed(struct reader *r, const struct place *p, const json_t *given, const char *allowed)
{
	struct text t = {0};
	text_lit(&t, "parameter \"");
	put_place(&t, p);
	text_lit(&t, "\": ");
	put_given(&t, given);
	text_lit(&t, " was given, allowed is ");
	text_str(&t, allowed);
	return wrong_text(r, &t);
}

static const char *words_of(const struct kind_info *k, struct arena *a)
{
	const char *all = "one of";
	for (const char *const *w = k->values; *w; w++)
		all = arena_printf(a, "%s%s \"%s\"", all, w == k->values ? "" : ",", *w);
	return all;
}

static bool read_text(struct reader *r, enum rpc_kind kind, const json_t *v, const char **out, const struct place *p)
{
	if (!json_is_string(v) || !kind_allows_text(kind, json_string_value(v), json_string_length(v)))
		return not_allowed(r, p, v, rpc_kinds[kind].allowed);
	*out = json_string_value(v);
	return true;
}

static bool read_int(struct reader *r, enum rpc_kind kind, const json_t *v, int64_t *out, const struct place *p)
{
	const struct kind_info *k = &rpc_kinds[kind];
	if (!json_is_integer(v) || json_integer_value(v) < k->min || json_integer_value(v) > k->max)
		return not_allowed(r, p, v, k->allowed);
	*out = json_integer_value(v);
	return true;
}

static bool read_enum(struct reader *r, enum rpc_kind kind, const json_t *v, int *out, const struct place *p)
{
	const struct kind_info *k = &rpc_kinds[kind];
	for (int i = 0; json_is_string(v) && k->values[i]; i++)
		if (strcmp(k->values[i], json_string_value(v)) == 0) {
			*out = i;
			return true;
		}
	return not_allowed(r, p, v, words_of(k, r->a));
}

static bool read_map(struct reader *r, enum rpc_kind kind, json_t *v, struct kv_map *out, const struct place *p)
{
	const struct kind_info *k = &rpc_kinds[kind];
	if (!json_is_object(v))
		return not_allowed(r, p, v, k->allowed);
	if ((int64_t)json_object_size(v) > k->max)
		return not_allowed(r, p, v, arena_printf(r->a, "an object of at most %" PRId64 " members", k->max));
	out->v = arena_alloc(r->a, json_object_size(v) * sizeof *out->v + 1);
	const char *key;
	json_t *value;
	json_object_foreach(v, key, value)
	{
		if (!json_is_string(value))
			return not_allowed(r, &(struct place){p, key, 0}, value, "a string");
		out->v[out->n++] = (struct kv){key, json_string_value(value)};
	}
	return true;
}

static bool read_raw(struct reader *r, const json_t *v, const char **out)
{
	char *dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	*out = dump ? arena_strdup(r->a, dump) : "null";
	free(dump);
	return true;
}

static bool read_fields(struct reader *r, const struct rpc_field *fields, json_t *object, char *out, const struct place *in);

static bool read_one(struct reader *r, enum rpc_kind kind, json_t *v, void *out, const struct place *p)
{
	switch (rpc_kinds[kind].class) {
	case CLASS_TEXT: return read_text(r, kind, v, out, p);
	case CLASS_INT: return read_int(r, kind, v, out, p);
	case CLASS_FLAG: *(bool *)out = json_is_true(v); return json_is_boolean(v) || not_allowed(r, p, v, rpc_kinds[kind].allowed);
	case CLASS_NUM: *(double *)out = json_number_value(v); return json_is_number(v) || not_allowed(r, p, v, rpc_kinds[kind].allowed);
	case CLASS_MAP: return read_map(r, kind, v, out, p);
	case CLASS_RAW: return read_raw(r, v, out);
	case CLASS_ENUM: return read_enum(r, kind, v, out, p);
	case CLASS_OBJECT:
		if (!json_is_object(v))
			return not_allowed(r, p, v, rpc_kinds[kind].allowed);
		return read_fields(r, rpc_kinds[kind].fields, v, out, p);
	}
	return false;
}

static bool read_list(struct reader *r, const struct rpc_field *f, json_t *v, struct any_list *out, const struct place *p)
{
	size_t max = f->max ? f->max : LIST_MAX;
	size_t size = rpc_kinds[f->kind].size;
	if (!json_is_array(v) || json_array_size(v) > max)
		return not_allowed(r, p, v, arena_printf(r->a, "a list of at most %zu", max));
	out->v = arena_zalloc(r->a, json_array_size(v) * size + 1);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!read_one(r, f->kind, json_array_get(v, i), (char *)out->v + i * size, &(struct place){p, NULL, i}))
			return false;
	out->n = json_array_size(v);
	return true;
}

// null stands for absent where a value is optional, for that is what typed clients send.
static bool read_field(struct reader *r, const struct rpc_field *f, json_t *v, char *out, const struct place *p)
{
	if (json_is_null(v) && f->need == RPC_OPT && rpc_kinds[f->kind].class != CLASS_RAW)
		return true;
	*(bool *)(out + f->has) = true;
	return f->list ? read_list(r, f, v, (struct any_list *)(void *)(out + f->off), p) : read_one(r, f->kind, v, out + f->off, p);
}

static const struct rpc_field *find_field(const struct rpc_field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

static bool unknown_name(struct reader *r, const struct rpc_field *fields, const struct place *p, const char *common)
{
	struct text t = {0};
	text_lit(&t, "unknown parameter \"");
	put_place(&t, p);
	text_lit(&t, "\", allowed:");
	for (const struct rpc_field *f = fields; f->name; f++)
		text_printf(&t, "%s %s", f == fields ? "" : ",", f->name);
	if (*common)
		text_printf(&t, "%s %s", fields->name ? "," : "", common);
	else if (fields->name == NULL)
		text_lit(&t, " none");
	return wrong_text(r, &t);
}

static bool check_required(struct reader *r, const struct rpc_field *fields, const char *out, const struct place *in)
{
	for (const struct rpc_field *f = fields; f->name; f++) {
		if (f->need == RPC_OPT || *(const bool *)(out + f->has))
			continue;
		struct text t = {0};
		text_lit(&t, "parameter \"");
		put_place(&t, &(struct place){in, f->name, 0});
		text_printf(&t, "\" is missing, allowed is %s",
		            f->list                      ? "a list"
		            : rpc_kinds[f->kind].allowed ? rpc_kinds[f->kind].allowed
		                                         : words_of(&rpc_kinds[f->kind], r->a));
		return wrong_text(r, &t);
	}
	return true;
}

static bool read_fields(struct reader *r, const struct rpc_field *fields, json_t *object, char *out, const struct place *in)
{
	const char *key;
	json_t *v;
	json_object_foreach(object, key, v)
	{
		const struct place p = {in, key, 0};
		const struct rpc_field *f = find_field(fields, key);
		if (f == NULL)
			return unknown_name(r, fields, &p, "");
		if (!read_field(r, f, v, out, &p))
			return false;
	}
	return check_required(r, fields, out, in);
}

bool rows_paged(const struct rpc_method *method, const struct rpc_field **page)
{
	for (const struct rpc_field *f = method->result; f->name; f++)
		if (f->page_key) {
			*page = f;
			return true;
		}
	return false;
}

static const char *common_names(const struct rpc_method *m)
{
	const struct rpc_field *page;
	if (m->right >= RIGHT_WRITE)
		return "dry_run";
	return rows_paged(m, &page) ? "limit, cursor" : "";
}

// A parameter that the machinery gives to many methods; *mine says whether it is one.
static bool read_common(struct reader *r, const struct rpc_method *m, const char *key, const json_t *v, struct common_params *c, bool *mine)
{
	const struct rpc_field *page;
	const struct place p = {NULL, key, 0};
	int64_t limit = 0;
	*mine = true;
	if (m->right >= RIGHT_WRITE && strcmp(key, "dry_run") == 0) {
		c->dry_run = json_is_true(v);
		return json_is_boolean(v) || json_is_null(v) || not_allowed(r, &p, v, "true or false");
	}
	if (!rows_paged(m, &page) || (strcmp(key, "limit") != 0 && strcmp(key, "cursor") != 0)) {
		*mine = false;
		return true;
	}
	if (json_is_null(v))
		return true;
	if (*key == 'c')
		return read_text(r, KIND_str, v, &c->cursor, &p);
	if (!read_int(r, KIND_limit, v, &limit, &p))
		return false;
	c->limit = (uint32_t)limit;
	return true;
}

static bool read_by_name(struct reader *r, const struct rpc_method *m, json_t *object, char *out, struct common_params *common)
{
	const char *key;
	json_t *v;
	json_object_foreach(object, key, v)
	{
		const struct place p = {NULL, key, 0};
		const struct rpc_field *f = find_field(m->params, key);
		bool mine = false;
		if (f == NULL && !read_common(r, m, key, v, common, &mine))
			return false;
		if (f == NULL && !mine)
			return unknown_name(r, m->params, &p, common_names(m));
		if (f && !read_field(r, f, v, out, &p))
			return false;
	}
	return check_required(r, m->params, out, NULL);
}

static bool read_by_position(struct reader *r, const struct rpc_method *m, const json_t *array, char *out)
{
	size_t known = 0;
	while (m->params[known].name)
		known++;
	if (known > BY_POSITION_MAX) {
		r->why = arena_printf(r->a, "%s has %zu parameters: give them by name", m->name, known);
		return false;
	}
	if (json_array_size(array) > known) {
		r->why = arena_printf(r->a, "%zu parameters were given, %s has %zu", json_array_size(array), m->name, known);
		return false;
	}
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!read_field(r, &m->params[i], json_array_get(array, i), out, &(struct place){NULL, m->params[i].name, 0}))
			return false;
	return check_required(r, m->params, out, NULL);
}

const char *rows_read(const struct rpc_method *method, const json_t *params, void *out, struct common_params *common, struct arena *a)
{
	struct reader r = {.a = a};
	*common = (struct common_params){0};
	// jansson's iterators want a pointer to non-const, and change nothing.
	json_t *v = (json_t *)(uintptr_t)params;
	if (v == NULL)
		check_required(&r, method->params, out, NULL);
	else if (json_is_array(v))
		read_by_position(&r, method, v, out);
	else
		read_by_name(&r, method, v, out, common);
	return r.why;
}
