// A byte at a time; see jcut.h. A byte goes into the row or the message that is being read, or, inside of a result that is a string, through
// its escapes into the piece.
#include "unpriv/posternd/jcut.h"

#include <string.h>

#include "unpriv/posternd/utf8.h"

static bool put(struct jcut *c, char byte)
{
	struct text *to = c->row_depth != 0 ? &c->row : &c->message;

	if (to->len >= (c->row_depth != 0 ? JCUT_ROW : JCUT_MESSAGE))
		return false;
	text_char(to, byte);
	return true;
}

// ---- a result that is a string ----

static bool flush(struct jcut *c)
{
	size_t n = c->n_out;

	c->n_out = 0;
	return n == 0 || c->user->piece(c->user->arg, c->out, n);
}

static bool put_piece(struct jcut *c, char byte)
{
	c->out[c->n_out++] = byte;
	return c->n_out < sizeof(c->out) || flush(c);
}

static bool put_code(struct jcut *c, uint32_t code)
{
	char bytes[4];
	size_t n = utf8_put(code, bytes);

	for (size_t i = 0; i < n; i++)
		if (!put_piece(c, bytes[i]))
			return false;
	return true;
}

// The last digit of a \u has come. A half of a pair waits for the other one; one that never gets it is lost.
static bool end_hex(struct jcut *c)
{
	uint32_t code = c->code, high = c->high;

	c->high = 0;
	if (code >= 0xd800 && code < 0xdc00) {
		c->high = code;
		return true;
	}
	if (code >= 0xdc00 && code < 0xe000)
		return high == 0 || put_code(c, 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00));
	return put_code(c, code);
}

static bool take_hex(struct jcut *c, char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = byte != '\0' ? strchr(digits, byte | (byte >= 'A' ? 0x20 : 0)) : NULL;

	if (at == NULL)
		return false;
	c->code = c->code << 4 | (uint32_t)(at - digits);
	return --c->hex > 0 || end_hex(c);
}

static bool take_escape(struct jcut *c, char byte)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = byte != '\0' ? strchr(from, byte) : NULL;

	c->escaped = false;
	if (byte == 'u') {
		c->hex = 4;
		c->code = 0;
		return true;
	}
	return at != NULL && put_piece(c, to[at - from]);
}

static bool take_piece(struct jcut *c, char byte)
{
	if (c->hex > 0)
		return take_hex(c, byte);
	if (c->escaped)
		return take_escape(c, byte);
	if (byte == '\\') {
		c->escaped = true;
		return true;
	}
	if (byte != '"')
		return (unsigned char)byte >= 0x20 && put_piece(c, byte);
	c->in_string = c->in_piece = false;
	return flush(c) && put(c, '"');
}

// ---- the rest ----

static bool is_key(const struct jcut *c, unsigned depth, const char *name)
{
	return strcmp(c->key[depth], name) == 0;
}

// Inside of the list of rows of an answer to a select.
static bool among_rows(const struct jcut *c)
{
	return c->user->row != NULL && c->depth == 4 && c->kind[4] == '[' && c->kind[3] == '{' && is_key(c, 3, "rows") && c->kind[2] == '[' &&
	       is_key(c, 1, "result");
}

static void begin_key(struct jcut *c)
{
	c->in_key = true;
	c->key_len = 0;
}

static void take_key(struct jcut *c, char byte)
{
	if ((c->depth == 1 || c->depth == 3) && c->key_len < sizeof(c->key[0]) - 1) {
		c->key[c->depth][c->key_len] = byte;
		c->key[c->depth][c->key_len + 1] = '\0';
	}
	c->key_len++;
}

static void end_key(struct jcut *c)
{
	if ((c->depth == 1 || c->depth == 3) && (c->key_len == 0 || c->key_len >= sizeof(c->key[0])))
		c->key[c->depth][0] = '\0';
	c->in_key = c->wants_key = false;
}

static bool take_string(struct jcut *c, char byte)
{
	if (c->in_piece)
		return take_piece(c, byte);
	if (!c->escaped && byte == '"') {
		c->in_string = false;
		if (c->in_key)
			end_key(c);
	} else if (c->in_key)
		take_key(c, byte);
	c->escaped = !c->escaped && byte == '\\';
	return put(c, byte);
}

static bool begin_string(struct jcut *c)
{
	c->in_string = true;
	c->escaped = false;
	if (c->wants_key)
		begin_key(c);
	else if (c->user->piece != NULL && c->depth == 1 && is_key(c, 1, "result"))
		c->in_piece = true;
	return put(c, '"');
}

static bool open_bracket(struct jcut *c, char byte)
{
	if (c->depth == JCUT_DEPTH || (c->depth == 0 && byte != '{') || c->wants_key || (among_rows(c) && byte != '{'))
		return false;
	if (among_rows(c))
		c->row_depth = 5;
	c->kind[++c->depth] = byte;
	c->wants_key = byte == '{';
	if (c->depth == 1 || c->depth == 3)
		c->key[c->depth][0] = '\0';
	if (c->depth == 2)
		c->op = 0;
	return put(c, byte);
}

static bool end_row(struct jcut *c)
{
	bool more = c->user->row(c->user->arg, c->op, c->row.at, c->row.len);

	c->row_depth = 0;
	text_clear(&c->row, 65536);
	return more;
}

static bool close_bracket(struct jcut *c, char byte)
{
	if (c->depth == 0 || c->kind[c->depth] != (byte == '}' ? '{' : '[') || !put(c, byte))
		return false;
	c->wants_key = false;
	c->depth--;
	if (c->row_depth == c->depth + 1)
		return end_row(c);
	if (c->depth > 0)
		return true;
	bool more = c->user->message(c->user->arg, c->message.at, c->message.len);
	text_clear(&c->message, 4096);
	return more;
}

static bool take(struct jcut *c, char byte)
{
	if (c->in_string)
		return take_string(c, byte);
	switch (byte) {
	case ' ':
	case '\t':
	case '\r':
	case '\n': return c->depth == 0 || among_rows(c) || put(c, byte);
	case '{':
	case '[': return open_bracket(c, byte);
	case '}':
	case ']': return close_bracket(c, byte);
	case ',':
		if (among_rows(c))
			return true;
		c->op += c->depth == 2;
		c->wants_key = c->depth > 0 && c->kind[c->depth] == '{';
		break;
	case '"':
		if (c->depth == 0 || among_rows(c))
			return false;
		return begin_string(c);
	default: break;
	}
	return c->depth > 0 && byte != '\0' && !among_rows(c) && put(c, byte);
}

bool jcut_feed(struct jcut *c, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!take(c, bytes[i]))
			return false;
	return true;
}

void jcut_finish(struct jcut *c)
{
	text_finish(&c->message);
	text_finish(&c->row);
}
