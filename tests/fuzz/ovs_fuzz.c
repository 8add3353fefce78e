// LINK: unpriv/posternd/jcut.o unpriv/posternd/ovs_text.o unpriv/posternd/ovs_text_ct.o unpriv/posternd/ovsdb_row.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -ljansson
// What Open vSwitch says. The first byte: as a line of a text, as messages cut row by row or piece by piece, whole and a byte at a time. Cut either
// way, the same comes out; texts of a line lie within it.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/jcut.h"
#include "unpriv/posternd/ovs_text.h"
#include "unpriv/posternd/ovsdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *line;
static size_t line_len;

static void want(bool holds)
{
	if (!holds)
		abort();
}

static void inside(const char *text)
{
	want(text != NULL && (*text == '\0' || (text >= line && text + strlen(text) <= line + line_len)));
}

static char *again(char *copy, const uint8_t *data)
{
	memcpy(copy, data, line_len);
	copy[line_len] = '\0';
	line_len = strlen(copy);
	return copy;
}

static void read_lines(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	struct ovs_flow f;
	struct ovs_show_line s;
	struct ovs_dp_flow d;
	struct ovs_conn_line c;
	const char *text;
	uint64_t a, b;
	int64_t zone;

	line = copy;
	line_len = size;
	if (ovs_text_flow(again(copy, data), &f))
		inside(f.match), inside(f.actions), want(f.table < 256);
	ovs_text_show(again(copy, data), &s);
	inside(s.name), inside(s.type);
	if (ovs_text_dp_flow(again(copy, data), &d))
		inside(d.match), inside(d.actions), want(d.used_secs >= 0);
	if (ovs_text_conn(again(copy, data), &c))
		inside(c.proto), inside(c.state), inside(c.labels), inside(c.helper), inside(c.orig.src), inside(c.reply.dst);
	text = line_len > 0 ? ovs_text_thread(again(copy, data)) : NULL;
	want(text == NULL || strcmp(text, "main") == 0 || text >= copy);
	if (ovs_text_count(again(copy, data), &text, &a) && text != NULL)
		inside(text);
	ovs_text_limit(again(copy, data), &zone, &a, &b);
	free(copy);
}

static bool keep(struct text *out, const char *text, size_t len)
{
	text_add(out, text, len);
	text_char(out, '\n');
	return true;
}

static bool on_row(void *arg, unsigned op, const char *text, size_t len)
{
	json_t *row = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	text_printf(arg, "%u ", op);
	ovsdb_text(row, "name");
	ovsdb_int(row, "n");
	ovsdb_bool(row, "b");
	ovsdb_mapped(row, "m", "key");
	ovsdb_uuid(ovsdb_element(row, "u", 1));
	json_decref(row);
	return keep(arg, text, len);
}

static bool on_message(void *arg, const char *text, size_t len)
{
	want(len > 1 && text[0] == '{' && text[len - 1] == '}');
	return keep(arg, text, len);
}

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	text_add(arg, bytes, len);
	return true;
}

// Messages and rows in the order they came; pieces, whose cuts differ, beside them.
static bool cut(const uint8_t *data, size_t size, size_t slice, bool rows, struct text *out, struct text *pieces)
{
	struct jcut_user user = {.row = rows ? on_row : NULL, .message = on_message, .arg = out};
	struct jcut c = {.user = &user};
	bool good = true;

	if (!rows) {
		user.piece = on_piece;
		user.arg = pieces;
		user.message = on_message;
	}
	for (size_t at = 0; good && at < size; at += slice)
		good = jcut_feed(&c, (const char *)data + at, size - at < slice ? size - at : slice);
	jcut_finish(&c);
	return good;
}

static void cut_both(const uint8_t *data, size_t size, bool rows)
{
	struct text a = {0}, b = {0};

	bool x = cut(data, size, size, rows, &a, &a), y = cut(data, size, 1, rows, &b, &b);
	want(x == y && a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0));
	text_finish(&a);
	text_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	switch (data[0] % 3) {
	case 0: read_lines(data + 1, size - 1); break;
	case 1: cut_both(data + 1, size - 1, true); break;
	default: cut_both(data + 1, size - 1, false); break;
	}
	return 0;
}
