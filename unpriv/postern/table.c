// Cells are made once, as text without control characters; then widths are measured, columns chosen, lines printed.  See table.h.
#include "unpriv/postern/table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unpriv/postern/report.h"
#include "unpriv/postern/verbs.h"

#define COLUMNS_MAX 40
#define GAP         2

size_t table_text_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool is_plain(const struct rpc_field *f)
{
	enum kind_class c = rpc_kinds[f->kind].class;

	return c != CLASS_RAW && c != CLASS_OBJECT;
}

// What stands for an object in a cell: the member that is called as its kind, else its name, id or path.
static const char *object_key(enum rpc_kind kind)
{
	static const char *const keys[] = {"name", "id", "path", "image"};
	const struct kind_info *k = &rpc_kinds[kind];

	for (const struct rpc_field *f = k->fields; f->name != NULL; f++)
		if (strcmp(f->name, k->name) == 0)
			return f->name;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		for (const struct rpc_field *f = k->fields; f->name != NULL; f++)
			if (strcmp(f->name, keys[i]) == 0)
				return f->name;
	return k->fields->name;
}

static void write_value(FILE *out, enum rpc_kind kind, const json_t *v)
{
	const char *key;
	json_t *member;

	if (json_is_string(v)) {
		report_text(out, json_string_value(v), kind != KIND_blob);
	} else if (json_is_boolean(v)) {
		fputs(json_is_true(v) ? "yes" : "no", out);
	} else if (json_is_number(v)) {
		json_dumpf(v, out, JSON_ENCODE_ANY);
	} else if (json_is_object(v) && rpc_kinds[kind].class == CLASS_OBJECT) {
		write_value(out, KIND_str, json_object_get(v, object_key(kind)));
	} else if (json_is_object(v)) {
		bool first = true;

		json_object_foreach((json_t *)v, key, member)
		{
			if (!first)
				fputs(", ", out);
			first = false;
			report_text(out, key, true);
			fputc('=', out);
			write_value(out, KIND_str, member);
		}
	}
}

// Names say which numbers are times.
static bool write_time(FILE *out, const char *name, const json_t *v)
{
	size_t n = strlen(name);
	bool ms = n > 8 && strcmp(name + n - 8, "_unix_ms") == 0;
	time_t secs = (time_t)(json_integer_value(v) / (ms ? 1000 : 1));
	char text[32];
	struct tm tm;

	if (!json_is_integer(v) || (!ms && (n <= 5 || strcmp(name + n - 5, "_unix") != 0)) || localtime_r(&secs, &tm) == NULL)
		return false;
	return strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) > 0 && fputs(text, out) >= 0;
}

// A new text; the caller frees it.
static char *cell(const struct rpc_field *f, const json_t *v)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);
	json_t *item;

	if (out == NULL)
		return NULL;
	if (json_is_array(v)) {
		json_array_foreach((json_t *)v, i, item)
		{
			if (i > 0)
				fputs(f->kind == KIND_str || rpc_kinds[f->kind].class == CLASS_OBJECT ? ", " : ",", out);
			write_value(out, f->kind, item);
		}
	} else if (!write_time(out, f->name, v)) {
		write_value(out, f->kind, v);
	}
	fclose(out);
	return text;
}

struct grid {
	size_t rows, cols;
	const struct rpc_field *head[COLUMNS_MAX];
	size_t width[COLUMNS_MAX]; // 0: column not shown
	char **cells;              // rows * cols; may hold NULL
};

static void print_padded(FILE *out, const char *text, size_t width, bool last)
{
	size_t n = table_text_width(text);

	fputs(text, out);
	for (; !last && n < width + GAP; n++)
		fputc(' ', out);
}

static size_t total_width(const struct grid *g)
{
	size_t sum = 0;

	for (size_t c = 0; c < g->cols; c++)
		sum += g->width[c] > 0 ? g->width[c] + GAP : 0;
	return sum > GAP ? sum - GAP : 0;
}

// Drops the rightmost column that an object may do without, else that which is wide, until the rest fits; the first always stays.
static void choose_columns(struct grid *g, size_t width)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t c = g->cols; c-- > 1 && total_width(g) > width;)
			if (g->head[c]->need == RPC_OPT || g->head[c]->list || pass == 1)
				g->width[c] = 0;
}

static void measure(struct grid *g)
{
	for (size_t c = 0; c < g->cols; c++) {
		bool filled = false;

		g->width[c] = strlen(g->head[c]->name);
		for (size_t r = 0; r < g->rows; r++) {
			const char *text = g->cells[r * g->cols + c];
			size_t n = text != NULL ? table_text_width(text) : 0;

			filled = filled || n > 0;
			if (n > g->width[c])
				g->width[c] = n;
		}
		if (c > 0 && !filled && g->head[c]->need == RPC_OPT)
			g->width[c] = 0;
	}
}

static void print_heading(FILE *out, const char *name, size_t width, bool last)
{
	char text[64];
	size_t n = 0;

	for (; name[n] != '\0' && n + 1 < sizeof(text); n++)
		text[n] = name[n] == '_' ? ' ' : (char)(name[n] >= 'a' && name[n] <= 'z' ? name[n] - 32 : name[n]);
	text[n] = '\0';
	print_padded(out, text, width, last);
}

static void print_grid(FILE *out, const struct grid *g, bool colour)
{
	size_t last = 0;

	for (size_t c = 0; c < g->cols; c++)
		if (g->width[c] > 0)
			last = c;
	fputs(colour ? "\033[1m" : "", out);
	for (size_t c = 0; c < g->cols; c++)
		if (g->width[c] > 0)
			print_heading(out, g->head[c]->name, g->width[c], c == last);
	fputs(colour ? "\033[0m\n" : "\n", out);
	for (size_t r = 0; r < g->rows; r++) {
		for (size_t c = 0; c < g->cols; c++) {
			const char *text = g->cells[r * g->cols + c];

			if (g->width[c] > 0)
				print_padded(out, text != NULL && *text != '\0' ? text : "-", g->width[c], c == last);
		}
		fputc('\n', out);
	}
}

// A list inside a row is worth a column when its elements have something short to be called by.
static bool is_column(const struct rpc_field *f)
{
	return is_plain(f) || (f->list && rpc_kinds[f->kind].class == CLASS_OBJECT && f->max == 0);
}

void table_list(FILE *out, const struct rpc_field *fields, const json_t *list, const struct table_style *style)
{
	struct grid g = {.rows = json_array_size(list)};

	for (const struct rpc_field *f = fields; f->name != NULL && g.cols < COLUMNS_MAX; f++)
		if (is_column(f))
			g.head[g.cols++] = f;
	g.cells = calloc(g.rows * g.cols + 1, sizeof(*g.cells));
	if (g.cells == NULL)
		return;
	for (size_t r = 0; r < g.rows; r++)
		for (size_t c = 0; c < g.cols; c++)
			g.cells[r * g.cols + c] = cell(g.head[c], json_object_get(json_array_get(list, r), g.head[c]->name));
	measure(&g);
	choose_columns(&g, style->width);
	print_grid(out, &g, style->colour);
	for (size_t i = 0; i < g.rows * g.cols; i++)
		free(g.cells[i]);
	free(g.cells);
}

static void print_plain(FILE *out, const struct rpc_field *f, const json_t *v, size_t width)
{
	char *text = cell(f, v);

	if (text != NULL && strchr(text, '\n') != NULL) {
		fprintf(out, "%s:\n%s%s", f->name, text, text[strlen(text) - 1] == '\n' ? "" : "\n");
	} else {
		print_padded(out, f->name, width, false);
		fprintf(out, "%s\n", text != NULL && *text != '\0' ? text : "-");
	}
	free(text);
}

static bool is_table(const struct rpc_field *f)
{
	return f->list && rpc_kinds[f->kind].class == CLASS_OBJECT;
}

static void print_members(FILE *out, const struct rpc_field *fields, const json_t *object, const struct table_style *style);

static void print_field(FILE *out, const struct rpc_field *f, const json_t *v, size_t width, const struct table_style *style)
{
	if (v == NULL || (json_is_array(v) && json_array_size(v) == 0 && (is_table(f) || f->need == RPC_OPT)))
		return;
	if (is_plain(f)) {
		print_plain(out, f, v, width);
	} else if (rpc_kinds[f->kind].class == CLASS_RAW) {
		report_json(out, v);
	} else if (is_table(f)) {
		fprintf(out, "%s:\n", f->name);
		table_list(out, rpc_kinds[f->kind].fields, v, style);
	} else {
		print_members(out, rpc_kinds[f->kind].fields, v, style);
	}
}

// Plain members first, in the rows' order, so that tables don't tear them apart.
static void print_members(FILE *out, const struct rpc_field *fields, const json_t *object, const struct table_style *style)
{
	size_t width = 0;

	for (const struct rpc_field *f = fields; f->name != NULL; f++)
		if (is_plain(f) && json_object_get(object, f->name) != NULL && strlen(f->name) > width)
			width = strlen(f->name);
	for (int tables = 0; tables < 2; tables++)
		for (const struct rpc_field *f = fields; f->name != NULL; f++)
			if (is_plain(f) == (tables == 0))
				print_field(out, f, json_object_get(object, f->name), width, style);
}

void table_result(FILE *out, const struct rpc_method *m, const json_t *result, const struct table_style *style)
{
	struct rpc_field fields[VERB_FIELDS_MAX + 1] = {0};
	const char *cursor = json_string_value(json_object_get(result, "next_cursor"));
	size_t n = verb_results(m, fields);

	if (n == 1 && rpc_kinds[fields[0].kind].class == CLASS_RAW) {
		report_json(out, result);
		return;
	}
	// A method that lists one thing prints that table and nothing else.
	if (is_table(&fields[0]) && (n == 1 || fields[0].page_key != NULL)) {
		table_list(out, rpc_kinds[fields[0].kind].fields, json_object_get(result, fields[0].name), style);
		if (cursor != NULL)
			fprintf(out, "more: --cursor %s\n", cursor);
		return;
	}
	print_members(out, fields, result, style);
}
