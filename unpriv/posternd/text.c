// The growing byte buffer and the number and string formatters of the JSON writer. printf costs more
// than the work around it in long answers, so numbers are formatted by hand. See mem.h.
#include <stdio.h>
#include <stdlib.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/utf8.h"

enum { FIRST_ROOM = 512 };

void text_grow(struct text *t, size_t more)
{
	size_t room = t->room ? t->room : FIRST_ROOM;
	while (room - t->len < more)
		room *= 2;
	t->at = xrealloc(t->at, room);
	t->room = room;
}

void text_finish(struct text *t)
{
	free(t->at);
	*t = (struct text){0};
}

void text_clear(struct text *t, size_t keep)
{
	t->len = 0;
	if (t->room > keep)
		text_finish(t);
}

void text_move(struct text *t, struct text *from)
{
	struct text old = *t;

	if (t->len == 0 && from->len > t->room) {
		*t = *from;
		*from = old;
	} else {
		text_add(t, from->at, from->len);
	}
	from->len = 0;
}

void text_drop(struct text *t, size_t n)
{
	t->len -= n;
	if (n && t->len)
		memmove(t->at, t->at + n, t->len);
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	if (t->room - t->len <= (size_t)n)
		text_grow(t, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(t->at + t->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

void text_u64(struct text *t, uint64_t v)
{
	char digits[20];
	size_t i = sizeof digits;
	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	text_add(t, digits + i, sizeof digits - i);
}

void text_i64(struct text *t, int64_t v)
{
	if (v < 0)
		text_char(t, '-');
	text_u64(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void put_escape(struct text *t, unsigned char c)
{
	static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
	if (c < sizeof short_form && short_form[c]) {
		text_char(t, '\\');
		text_char(t, short_form[c]);
		return;
	}
	text_printf(t, "\\u%04x", c);
}

// The length of the run from s that can be copied as it is.
static size_t clean_run(const unsigned char *s, size_t n)
{
	size_t i = 0;
	while (i < n && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' && s[i] < 0x7f)
		i++;
	return i;
}

void text_json(struct text *t, const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str;
	text_char(t, '"');
	for (size_t i = 0; i < n;) {
		size_t run = clean_run(s + i, n - i);
		text_add(t, s + i, run);
		i += run;
		if (i == n)
			break;
		size_t len = s[i] < 0x80 ? 0 : utf8_length(s + i, n - i);
		if (len)
			text_add(t, s + i, len);
		else if (s[i] < 0x80)
			put_escape(t, s[i]);
		else
			text_lit(t, "\xef\xbf\xbd");
		i += len ? len : 1;
	}
	text_char(t, '"');
}
