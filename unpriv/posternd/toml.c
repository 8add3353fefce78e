// Structure of TOML: keys, tables, arrays of tables, arrays, inline tables. See toml.h.
//
// `how` of a table says how it came to be, which decides what may be added to it later:
//   IMPLICIT  made by the path to another table; [it] may still name it once
//   NAMED     [it] has named it, or it is an element of [[it]]; no second [it]
//   DOTTED    made by a dotted key; only more dotted keys of the same table add to it
//   CLOSED    an inline table or a plain array: complete as written
// and of an array: LISTED = made by [[it]], further [[it]] append.
#include "unpriv/posternd/toml.h"

#include <stdio.h>

#include "unpriv/posternd/toml_scan.h"
#include "unpriv/posternd/utf8.h"

enum { IMPLICIT, NAMED, DOTTED, CLOSED, LISTED };

static bool vwrong(struct toml_reader *r, int line, int column, const char *fmt, va_list ap)
{
	if (r->error == NULL)
		r->error = arena_printf(r->a, "%s:%d:%d: %s", r->name, line, column, arena_vprintf(r->a, fmt, ap));
	return false;
}

bool toml_wrong(struct toml_reader *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vwrong(r, r->line, (int)(r->at - r->line_start) + 1, fmt, ap);
	va_end(ap);
	return false;
}

bool toml_wrong_at(struct toml_reader *r, const struct toml *where, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vwrong(r, where->line, where->column, fmt, ap);
	va_end(ap);
	return false;
}

char toml_peek(const struct toml_reader *r)
{
	return r->at < r->end ? *r->at : '\0';
}

static struct toml *new_value(struct toml_reader *r, enum toml_type type)
{
	struct toml *v = arena_zalloc(r->a, sizeof *v);
	v->type = type;
	v->line = r->line;
	v->column = (int)(r->at - r->line_start) + 1;
	if (++r->values > TOML_VALUES_MAX)
		toml_wrong(r, "over %d values", TOML_VALUES_MAX);
	return v;
}

static void append(struct toml *parent, struct toml *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

static struct toml *member(const struct toml *table, const char *key)
{
	for (struct toml *m = table->first; m; m = m->next)
		if (strcmp(m->key, key) == 0)
			return m;
	return NULL;
}

const struct toml *toml_get(const struct toml *table, const char *key)
{
	return member(table, key);
}

static void skip_blanks(struct toml_reader *r)
{
	while (toml_peek(r) == ' ' || toml_peek(r) == '\t')
		r->at++;
}

static bool skip_comment(struct toml_reader *r)
{
	if (toml_peek(r) != '#')
		return true;
	while (r->at < r->end && *r->at != '\n' && !(*r->at == '\r' && r->end - r->at > 1 && r->at[1] == '\n')) {
		unsigned char c = (unsigned char)*r->at;
		size_t n = utf8_length((const unsigned char *)r->at, (size_t)(r->end - r->at));
		if ((c < ' ' && c != '\t') || c == 0x7f || n == 0)
			return toml_wrong(r, "control character or broken UTF-8 in a comment");
		r->at += n;
	}
	return true;
}

// True if a line end was there, which is taken.
static bool take_newline(struct toml_reader *r)
{
	if (toml_peek(r) == '\r' && r->end - r->at > 1 && r->at[1] == '\n')
		r->at++;
	if (toml_peek(r) != '\n')
		return false;
	r->at++;
	r->line++;
	r->line_start = r->at;
	return true;
}

// Blanks, comments and line ends.
static bool skip_lines(struct toml_reader *r)
{
	do {
		skip_blanks(r);
		if (!skip_comment(r))
			return false;
	} while (take_newline(r));
	return true;
}

static bool end_line(struct toml_reader *r)
{
	skip_blanks(r);
	if (!skip_comment(r))
		return false;
	return r->at == r->end || take_newline(r) || toml_wrong(r, "the line should end here");
}

static bool is_bare(char c)
{
	char lower = (char)(c | 0x20);
	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool read_key(struct toml_reader *r, const char **out)
{
	const char *from = r->at;
	if (toml_peek(r) == '"' || toml_peek(r) == '\'')
		return toml_string(r, false, out);
	while (is_bare(toml_peek(r)))
		r->at++;
	if (r->at == from)
		return toml_wrong(r, "a key was expected");
	*out = arena_strndup(r->a, from, (size_t)(r->at - from));
	return true;
}

// A table below `in`, made if it isn't there. `how` is what a new one becomes.
static struct toml *step_into(struct toml_reader *r, struct toml *in, const char *key, unsigned how)
{
	struct toml *t = member(in, key);
	if (t == NULL) {
		t = new_value(r, TOML_TABLE);
		t->key = key;
		t->how = how;
		append(in, t);
		return t;
	}
	if (t->type == TOML_ARRAY && t->how == LISTED && how == IMPLICIT)
		return t->last;
	bool open = t->type == TOML_TABLE && (how == DOTTED ? t->how == DOTTED : t->how != CLOSED);
	if (!open) {
		toml_wrong(r, "\"%s\" is already set at line %d, and can't be added to here", key, t->line);
		return NULL;
	}
	return t;
}

// Reads a dotted key: *table becomes the table that holds its last part.
static bool read_path(struct toml_reader *r, struct toml **table, const char **last, unsigned how)
{
	for (int depth = 0;; depth++) {
		skip_blanks(r);
		if (depth == TOML_DEPTH_MAX)
			return toml_wrong(r, "over %d parts in a key", TOML_DEPTH_MAX);
		if (!read_key(r, last))
			return false;
		skip_blanks(r);
		if (toml_peek(r) != '.')
			return true;
		r->at++;
		*table = step_into(r, *table, *last, how);
		if (*table == NULL)
			return false;
	}
}

static bool read_value(struct toml_reader *r, struct toml *v, int depth);

static bool read_array(struct toml_reader *r, struct toml *v, int depth)
{
	v->type = TOML_ARRAY;
	v->how = CLOSED;
	r->at++;
	for (;;) {
		if (!skip_lines(r))
			return false;
		if (toml_peek(r) == ']')
			break;
		struct toml *element = new_value(r, TOML_STRING);
		append(v, element);
		if (!read_value(r, element, depth + 1) || !skip_lines(r))
			return false;
		if (toml_peek(r) == ']')
			break;
		if (toml_peek(r) != ',')
			return toml_wrong(r, "',' or ']' was expected");
		r->at++;
	}
	r->at++;
	return true;
}

static bool read_pair(struct toml_reader *r, struct toml *table, int depth)
{
	const char *key = "";
	struct toml where = {.line = r->line, .column = (int)(r->at - r->line_start) + 1};
	if (!read_path(r, &table, &key, DOTTED))
		return false;
	if (member(table, key))
		return toml_wrong_at(r, &where, "\"%s\" is already set at line %d", key, member(table, key)->line);
	if (toml_peek(r) != '=')
		return toml_wrong(r, "'=' was expected");
	r->at++;
	skip_blanks(r);
	struct toml *v = new_value(r, TOML_STRING);
	v->key = key;
	append(table, v);
	return read_value(r, v, depth + 1);
}

static void close_tables(struct toml *t)
{
	t->how = CLOSED;
	for (struct toml *m = t->first; m; m = m->next)
		if (m->type == TOML_TABLE)
			close_tables(m);
}

static bool read_inline_table(struct toml_reader *r, struct toml *v, int depth)
{
	v->type = TOML_TABLE;
	r->at++;
	skip_blanks(r);
	if (toml_peek(r) == '}') {
		r->at++;
		v->how = CLOSED;
		return true;
	}
	for (;;) {
		skip_blanks(r);
		if (!read_pair(r, v, depth))
			return false;
		skip_blanks(r);
		if (toml_peek(r) == '}')
			break;
		if (toml_peek(r) != ',')
			return toml_wrong(r, "',' or '}' was expected");
		r->at++;
	}
	r->at++;
	close_tables(v);
	return true;
}

static bool read_value(struct toml_reader *r, struct toml *v, int depth)
{
	if (r->error)
		return false;
	if (depth > TOML_DEPTH_MAX)
		return toml_wrong(r, "nested deeper than %d", TOML_DEPTH_MAX);
	switch (toml_peek(r)) {
	case '"':
	case '\'': v->type = TOML_STRING; return toml_string(r, true, &v->string);
	case '[': return read_array(r, v, depth);
	case '{': return read_inline_table(r, v, depth);
	default: return toml_bare_value(r, v);
	}
}

// [path]: *current becomes that table.
static bool read_table_head(struct toml_reader *r, struct toml *root, struct toml **current)
{
	const char *key = "";
	struct toml *in = root;
	int column = (int)(r->at - r->line_start) + 1;
	r->at++;
	if (!read_path(r, &in, &key, IMPLICIT))
		return false;
	struct toml *t = member(in, key);
	if (t && (t->type != TOML_TABLE || t->how != IMPLICIT))
		return toml_wrong(r, "\"%s\" is already set at line %d", key, t->line);
	*current = t ? t : step_into(r, in, key, NAMED);
	(*current)->how = NAMED;
	(*current)->line = r->line;
	(*current)->column = column;
	if (toml_peek(r) != ']')
		return toml_wrong(r, "']' was expected");
	r->at++;
	return true;
}

// [[path]]: *current becomes a new element of that array.
static bool read_list_head(struct toml_reader *r, struct toml *root, struct toml **current)
{
	const char *key = "";
	struct toml *in = root;
	int column = (int)(r->at - r->line_start) + 1;
	r->at += 2;
	if (!read_path(r, &in, &key, IMPLICIT))
		return false;
	struct toml *list = member(in, key);
	if (list && (list->type != TOML_ARRAY || list->how != LISTED))
		return toml_wrong(r, "\"%s\" is already set at line %d", key, list->line);
	if (list == NULL) {
		list = new_value(r, TOML_ARRAY);
		list->key = key;
		list->how = LISTED;
		append(in, list);
	}
	*current = new_value(r, TOML_TABLE);
	(*current)->how = NAMED;
	(*current)->column = column;
	append(list, *current);
	if (r->end - r->at < 2 || r->at[0] != ']' || r->at[1] != ']')
		return toml_wrong(r, "']]' was expected");
	r->at += 2;
	return true;
}

static bool read_document(struct toml_reader *r, struct toml *root)
{
	struct toml *current = root;
	while (skip_lines(r) && !r->error) {
		bool fine;
		if (r->at == r->end)
			return true;
		if (*r->at != '[')
			fine = read_pair(r, current, 0);
		else if (r->end - r->at > 1 && r->at[1] == '[')
			fine = read_list_head(r, root, &current);
		else
			fine = read_table_head(r, root, &current);
		if (!fine || !end_line(r))
			return false;
	}
	return false;
}

struct toml *toml_read(const char *name, const char *text, size_t len, struct arena *a, const char **error)
{
	struct toml_reader r = {.name = name, .at = text, .end = text + len, .line_start = text, .line = 1, .a = a};
	struct toml *root = new_value(&r, TOML_TABLE);
	root->how = NAMED;
	if (len > TOML_BYTES_MAX)
		toml_wrong(&r, "over %d bytes", TOML_BYTES_MAX);
	else if (read_document(&r, root) && !r.error)
		return root;
	*error = r.error;
	return NULL;
}

const char *toml_type_name(enum toml_type type)
{
	static const char *const names[] = {"a string", "an integer", "a float", "true or false", "an array", "a table"};
	return names[type];
}
