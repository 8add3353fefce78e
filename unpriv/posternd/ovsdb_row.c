// Values of OVSDB rows (RFC 7047, 5.1). See ovsdb.h.
#include <string.h>

#include "unpriv/posternd/ovsdb.h"

// The elements of ["set", […]] or ["map", […]]; NULL where it isn't that.
static const json_t *tagged(const json_t *value, const char *tag)
{
	const char *is = json_string_value(json_array_get(value, 0));

	return is != NULL && strcmp(is, tag) == 0 ? json_array_get(value, 1) : NULL;
}

const json_t *ovsdb_element(const json_t *row, const char *column, size_t i)
{
	const json_t *value = json_object_get(row, column), *set = tagged(value, "set");

	if (set != NULL)
		return json_array_get(set, i);
	return i == 0 ? value : NULL;
}

const char *ovsdb_text(const json_t *row, const char *column)
{
	const char *text = json_string_value(ovsdb_element(row, column, 0));

	return text != NULL ? text : "";
}

int64_t ovsdb_int(const json_t *row, const char *column)
{
	return json_integer_value(ovsdb_element(row, column, 0));
}

bool ovsdb_bool(const json_t *row, const char *column)
{
	return json_is_true(ovsdb_element(row, column, 0));
}

const json_t *ovsdb_mapped(const json_t *row, const char *column, const char *key)
{
	const json_t *pairs = tagged(json_object_get(row, column), "map");
	size_t i;
	json_t *pair;

	json_array_foreach(pairs, i, pair)
	{
		const char *is = json_string_value(json_array_get(pair, 0));
		if (is != NULL && strcmp(is, key) == 0)
			return json_array_get(pair, 1);
	}
	return NULL;
}

const char *ovsdb_uuid(const json_t *value)
{
	const json_t *uuid = json_array_get(value, 1);

	return tagged(value, "uuid") != NULL && json_is_string(uuid) ? json_string_value(uuid) : "";
}
