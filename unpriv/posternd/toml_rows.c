// TOML trees to structs. See toml_rows.h.
#include "unpriv/posternd/toml_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool toml_complain(struct toml_file *f, const struct toml *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (f->error == NULL)
		f->error = arena_printf(f->a, "%s:%d:%d: %s", f->name, at->line, at->column, arena_vprintf(f->a, fmt, ap));
	va_end(ap);
	return false;
}

static bool wrong_type(struct toml_file *f, const struct toml *v, const char *wanted)
{
	return toml_complain(f, v, "\"%s\" is %s, it must be %s", v->key, toml_type_name(v->type), wanted);
}

static bool fill_strings(struct toml_file *f, const struct toml *v, struct strings *out)
{
	size_t n = 0;
	if (v->type != TOML_ARRAY)
		return wrong_type(f, v, "an array of strings");
	for (const struct toml *e = v->first; e; e = e->next, n++)
		if (e->type != TOML_STRING)
			return toml_complain(f, e, "an element of \"%s\" is %s, it must be a string", v->key, toml_type_name(e->type));
	out->v = arena_alloc(f->a, (n + 1) * sizeof *out->v);
	out->n = 0;
	for (const struct toml *e = v->first; e; e = e->next)
		out->v[out->n++] = e->string;
	out->v[n] = NULL;
	return true;
}

static bool fill_integer(struct toml_file *f, const struct toml *v, const struct toml_row *row, int64_t *out)
{
	if (v->type != TOML_INTEGER)
		return wrong_type(f, v, "an integer");
	if (v->integer < row->min || v->integer > row->max)
		return toml_complain(f, v, "\"%s\" is %lld, allowed is %lld to %lld", v->key, (long long)v->integer, (long long)row->min,
		                     (long long)row->max);
	*out = v->integer;
	return true;
}

static bool fill_tables(struct toml_file *f, const struct toml *v, const struct toml_row *row, void *out)
{
	if (v->type != TOML_ARRAY)
		return wrong_type(f, v, "an array of tables");
	for (const struct toml *e = v->first; e; e = e->next) {
		if (e->type != TOML_TABLE)
			return toml_complain(f, e, "an element of \"%s\" must be a table", v->key);
		if (!row->element(f, e, out))
			return false;
	}
	return true;
}

static bool fill_one(struct toml_file *f, const struct toml *v, const struct toml_row *row, void *out)
{
	void *to = (char *)out + row->offset;
	switch (row->type) {
	case ROW_STRING:
		if (v->type != TOML_STRING)
			return wrong_type(f, v, "a string");
		*(const char **)to = v->string;
		return true;
	case ROW_INTEGER: return fill_integer(f, v, row, to);
	case ROW_BOOLEAN:
		if (v->type != TOML_BOOLEAN)
			return wrong_type(f, v, "true or false");
		*(bool *)to = v->boolean;
		return true;
	case ROW_STRINGS: return fill_strings(f, v, to);
	case ROW_TABLE:
		if (v->type != TOML_TABLE)
			return wrong_type(f, v, "a table");
		return toml_fill(f, v, row->rows, out);
	case ROW_TABLES: return fill_tables(f, v, row, out);
	}
	return false;
}

static bool unknown_key(struct toml_file *f, const struct toml *v, const struct toml_row *rows)
{
	const char *known = "";
	for (const struct toml_row *r = rows; r->key; r++)
		known = arena_printf(f->a, "%s%s%s", known, r == rows ? "" : ", ", r->key);
	return toml_complain(f, v, "unknown key \"%s\", known here: %s", v->key, known);
}

bool toml_fill(struct toml_file *f, const struct toml *table, const struct toml_row *rows, void *out)
{
	for (const struct toml *v = table->first; v; v = v->next) {
		const struct toml_row *r = rows;
		while (r->key && strcmp(r->key, v->key) != 0)
			r++;
		if (r->key == NULL)
			return unknown_key(f, v, rows);
		if (!fill_one(f, v, r, out))
			return false;
	}
	for (const struct toml_row *r = rows; r->key; r++)
		if (r->required && toml_get(table, r->key) == NULL)
			return toml_complain(f, table, "\"%s\" is missing", r->key);
	return true;
}

static bool read_all(int fd, struct text *out)
{
	for (;;) {
		text_grow(out, 4096);
		ssize_t n = read(fd, out->at + out->len, out->room - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		out->len += (size_t)n;
		if (out->len > TOML_BYTES_MAX)
			return true; // toml_read refuses it by its length
	}
}

const struct toml *toml_load(struct toml_file *f, bool optional)
{
	struct text text = {0};
	struct toml *tree = NULL;
	int fd = open(f->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT && optional)
		return toml_read(f->name, "", 0, f->a, &f->error);
	if (fd < 0 || !read_all(fd, &text))
		f->error = arena_printf(f->a, "%s: %s", f->name, strerror(errno));
	else
		tree = toml_read(f->name, text.at, text.len, f->a, &f->error);
	if (fd >= 0)
		close(fd);
	text_finish(&text);
	return tree;
}
