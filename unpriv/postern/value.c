// See value.h.
#include "unpriv/postern/value.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *read_int(const struct kind_info *k, const char *text, char *why, size_t size)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && n >= k->min && n <= k->max)
		return json_integer(n);
	snprintf(why, size, "\"%s\" was given, %s is allowed", text, k->allowed);
	return NULL;
}

static json_t *read_flag(const char *text, char *why, size_t size)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(text[0] == 't');
	snprintf(why, size, "\"%s\" was given, true or false is allowed", text);
	return NULL;
}

static json_t *read_enum(const struct kind_info *k, const char *text, char *why, size_t size)
{
	int at;

	for (size_t i = 0; k->values[i] != NULL; i++)
		if (strcmp(k->values[i], text) == 0)
			return json_string(text);
	at = snprintf(why, size, "\"%.60s\" was given, allowed are", text);
	for (size_t i = 0; k->values[i] != NULL && at > 0 && (size_t)at < size; i++)
		at += snprintf(why + at, size - (size_t)at, "%s %s", i > 0 ? "," : "", k->values[i]);
	return NULL;
}

static json_t *read_num(const char *text, char *why, size_t size)
{
	char *end;
	double d = strtod(text, &end);
	json_t *v = end != text && *end == '\0' ? json_real(d) : NULL;

	if (v == NULL)
		snprintf(why, size, "\"%s\" was given, a number is allowed", text);
	return v;
}

static json_t *read_json(const char *text, char *why, size_t size)
{
	json_error_t err;
	json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &err);

	if (v == NULL)
		snprintf(why, size, "not JSON: %s, at byte %d", err.text, err.position);
	return v;
}

static json_t *read_string(const char *text, char *why, size_t size)
{
	json_t *v = json_string(text);

	if (v == NULL)
		snprintf(why, size, "not UTF-8");
	return v;
}

static const struct rpc_field *member(const struct kind_info *k, const char *name)
{
	for (const struct rpc_field *f = k->fields; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

// key=value pairs apart by commas.  Without fields (a map) there is one pair, for a value may hold commas.
static bool read_pairs(json_t *object, const struct kind_info *k, const char *text, char *why, size_t size)
{
	char *copy = strdup(text), *rest = copy;
	bool ok = copy != NULL;

	while (ok && rest != NULL && *rest != '\0') {
		char *pair = k->fields != NULL ? strsep(&rest, ",") : rest;
		char *value = strchr(pair, '=');
		const struct rpc_field *f;

		if (k->fields == NULL)
			rest = NULL;
		ok = value != NULL && value != pair;
		if (!ok) {
			snprintf(why, size, "\"%.60s\" was given, %s is expected", pair, k->fields != NULL ? "key=value,…" : "key=value");
			break;
		}
		*value++ = '\0';
		if (k->fields == NULL) {
			json_t *v = read_string(value, why, size);

			ok = v != NULL && json_object_set_new(object, pair, v) == 0;
			break;
		}
		f = member(k, pair);
		ok = f != NULL && value_put(object, f, value, why, size);
		if (f == NULL)
			snprintf(why, size, "%s has no member \"%.60s\"", k->name, pair);
	}
	free(copy);
	return ok;
}

static json_t *read_object(const struct kind_info *k, const char *text, char *why, size_t size)
{
	json_t *object;

	if (text[0] == '{')
		return read_json(text, why, size);
	object = json_object();
	if (read_pairs(object, k, text, why, size))
		return object;
	json_decref(object);
	return NULL;
}

json_t *value_read(enum rpc_kind kind, const char *text, char *why, size_t size)
{
	const struct kind_info *k = &rpc_kinds[kind];

	switch (k->class) {
	case CLASS_TEXT: return read_string(text, why, size);
	case CLASS_INT: return read_int(k, text, why, size);
	case CLASS_FLAG: return read_flag(text, why, size);
	case CLASS_NUM: return read_num(text, why, size);
	case CLASS_RAW: return read_json(text, why, size);
	case CLASS_ENUM: return read_enum(k, text, why, size);
	case CLASS_MAP:
	case CLASS_OBJECT: return read_object(k, text, why, size);
	}
	return NULL;
}

// Free text and paths may hold commas: their lists are given by repeating the option.
static bool splits_at_commas(const struct kind_info *k)
{
	regex_t re;
	bool holds;

	if (k->class != CLASS_TEXT)
		return k->class == CLASS_INT || k->class == CLASS_ENUM;
	if (k->pattern == NULL || regcomp(&re, k->pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	holds = regexec(&re, "a,a", 0, NULL, 0) == 0 || regexec(&re, "/a,a", 0, NULL, 0) == 0;
	regfree(&re);
	return !holds;
}

static bool put_list(json_t *list, const struct rpc_field *f, const char *text, char *why, size_t size)
{
	bool split = splits_at_commas(&rpc_kinds[f->kind]);
	char *copy = strdup(text), *rest = copy;
	bool ok = copy != NULL;

	while (ok && rest != NULL) {
		char *item = split ? strsep(&rest, ",") : rest;
		json_t *v;

		if (!split)
			rest = NULL;
		v = value_read(f->kind, item, why, size);
		ok = v != NULL && json_array_append_new(list, v) == 0;
	}
	free(copy);
	return ok;
}

static bool put_into_list(json_t *params, const struct rpc_field *f, const char *text, char *why, size_t size)
{
	json_t *list = json_object_get(params, f->name);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(params, f->name, list);
	}
	// Only a word that could be nothing else is an array: texts begin as they like.
	if (text[0] == '[' && f->kind != KIND_str) {
		json_t *more = read_json(text, why, size);
		bool ok = more != NULL && json_array_extend(list, more) == 0;

		json_decref(more);
		return ok;
	}
	return put_list(list, f, text, why, size);
}

bool value_put(json_t *params, const struct rpc_field *f, const char *text, char *why, size_t size)
{
	json_t *have = json_object_get(params, f->name), *v;

	if (f->list)
		return put_into_list(params, f, text, why, size);
	if (have != NULL && rpc_kinds[f->kind].class != CLASS_MAP) {
		snprintf(why, size, "given twice");
		return false;
	}
	v = value_read(f->kind, text, why, size);
	if (v == NULL)
		return false;
	if (have == NULL)
		return json_object_set_new(params, f->name, v) == 0;
	json_object_update(have, v);
	json_decref(v);
	return true;
}
