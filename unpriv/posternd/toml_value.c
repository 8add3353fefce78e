// Scalars of TOML: strings, numbers, booleans.
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "unpriv/posternd/toml_scan.h"
#include "unpriv/posternd/utf8.h"

static bool is_digit(char c, int base)
{
	if (base == 16 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
		return true;
	return c >= '0' && c <= '9' && c - '0' < base;
}

static void newline(struct toml_reader *r)
{
	r->line++;
	r->line_start = r->at;
}

static int hex_value(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static bool unicode_escape(struct toml_reader *r, int digits, struct text *out)
{
	unsigned long code = 0;
	char bytes[4];
	for (int i = 0; i < digits; i++) {
		if (!is_digit(toml_peek(r), 16))
			return toml_wrong(r, "\\u and \\U need 4 and 8 hexadecimal digits");
		code = code * 16 + (unsigned long)hex_value(*r->at++);
	}
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return toml_wrong(r, "this is no character");
	text_add(out, bytes, utf8_put(code, bytes));
	return true;
}

// A backslash at the end of a line swallows it and all white space up to the next text.
static bool line_ending_backslash(struct toml_reader *r)
{
	const char *p = r->at;
	while (p < r->end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	if (p == r->end || *p != '\n')
		return toml_wrong(r, "unknown escape in a string");
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
		if (*r->at++ == '\n')
			newline(r);
	return true;
}

static bool escape(struct toml_reader *r, bool multi, struct text *out)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	char c = toml_peek(r);
	const char *f = c ? strchr(from, c) : NULL;
	if (f) {
		r->at++;
		text_char(out, to[f - from]);
		return true;
	}
	if (c == 'u' || c == 'U') {
		r->at++;
		return unicode_escape(r, c == 'u' ? 4 : 8, out);
	}
	return multi ? line_ending_backslash(r) : toml_wrong(r, "unknown escape in a string");
}

// One character that stands for itself.
static bool plain(struct toml_reader *r, bool multi, struct text *out)
{
	unsigned char c = (unsigned char)*r->at;
	if (c == '\r' && multi && r->end - r->at > 1 && r->at[1] == '\n') {
		r->at++;
		return true;
	}
	if (c == '\n' && multi) {
		text_char(out, '\n');
		r->at++;
		newline(r);
		return true;
	}
	if (c == '\n' || c == '\r')
		return toml_wrong(r, "a string ends on its line");
	if ((c < ' ' && c != '\t') || c == 0x7f)
		return toml_wrong(r, "control character in a string");
	size_t n = utf8_length((const unsigned char *)r->at, (size_t)(r->end - r->at));
	if (n == 0)
		return toml_wrong(r, "a string isn't UTF-8");
	text_add(out, r->at, n);
	r->at += n;
	return true;
}

static bool starts_with_three(const struct toml_reader *r, char quote)
{
	return r->end - r->at >= 3 && r->at[0] == quote && r->at[1] == quote && r->at[2] == quote;
}

// At the closing quotes of a multi-line string up to two more quotes belong to it.
static bool at_end(struct toml_reader *r, char quote, bool multi, struct text *out)
{
	if (toml_peek(r) != quote)
		return false;
	if (!multi) {
		r->at++;
		return true;
	}
	if (!starts_with_three(r, quote))
		return false;
	r->at += 3;
	for (int i = 0; i < 2 && toml_peek(r) == quote; i++, r->at++)
		text_char(out, quote);
	return true;
}

static bool string_body(struct toml_reader *r, char quote, bool multi, struct text *out)
{
	while (!at_end(r, quote, multi, out)) {
		if (r->at == r->end)
			return toml_wrong(r, "a string isn't closed");
		bool fine;
		if (*r->at == '\\' && quote == '"') {
			r->at++;
			fine = escape(r, multi, out);
		} else {
			fine = plain(r, multi, out);
		}
		if (!fine)
			return false;
	}
	return true;
}

bool toml_string(struct toml_reader *r, bool multi, const char **out)
{
	char quote = *r->at;
	bool three = starts_with_three(r, quote);
	if (three && !multi)
		return toml_wrong(r, "a key can't be a multi-line string");
	r->at += three ? 3 : 1;
	if (three && toml_peek(r) == '\r' && r->end - r->at > 1 && r->at[1] == '\n')
		r->at++;
	if (three && toml_peek(r) == '\n') {
		r->at++;
		newline(r);
	}
	struct text body = {0};
	bool fine = string_body(r, quote, three, &body);
	*out = arena_strndup(r->a, body.at ? body.at : "", body.len);
	text_finish(&body);
	return fine;
}

// Copies digits with single underscores between them; false if there is none, or one out of place.
static bool digits(const char **p, int base, struct text *out)
{
	if (!is_digit(**p, base))
		return false;
	for (;;) {
		while (is_digit(**p, base))
			text_char(out, *(*p)++);
		if (**p != '_')
			return true;
		if (!is_digit(*++*p, base))
			return false;
	}
}

static bool parse_integer(struct toml_reader *r, struct toml *v, const char *text, int base)
{
	char *end;
	errno = 0;
	v->type = TOML_INTEGER;
	v->integer = strtoll(text, &end, base);
	if (errno)
		return toml_wrong(r, "an integer doesn't fit 64 bits");
	return true;
}

static bool parse_float(struct toml *v, const char *text)
{
	v->type = TOML_FLOAT;
	v->number = strtod(text, NULL);
	return true;
}

// 0x, 0o and 0b take no sign.
static bool based(struct toml_reader *r, struct toml *v, const char *word)
{
	int base = word[1] == 'x' ? 16 : word[1] == 'o' ? 8 : 2;
	const char *p = word + 2;
	struct text t = {0};
	bool fine = digits(&p, base, &t) && *p == '\0';
	text_char(&t, '\0');
	fine = fine ? parse_integer(r, v, t.at, base) : toml_wrong(r, "malformed number");
	text_finish(&t);
	return fine;
}

// Sign, integer part, fraction, exponent, normalised into t.
static bool decimal_parts(const char *p, struct text *t, bool *integer)
{
	*integer = true;
	if (*p == '+' || *p == '-')
		text_char(t, *p++);
	if (p[0] == '0' && p[1] != '\0' && p[1] != '.' && (p[1] | 0x20) != 'e')
		return false;
	if (!digits(&p, 10, t))
		return false;
	if (*p == '.') {
		*integer = false;
		text_char(t, *p++);
		if (!digits(&p, 10, t))
			return false;
	}
	if ((*p | 0x20) == 'e') {
		*integer = false;
		text_char(t, *p++);
		if (*p == '+' || *p == '-')
			text_char(t, *p++);
		if (!digits(&p, 10, t))
			return false;
	}
	return *p == '\0';
}

static bool decimal(struct toml_reader *r, struct toml *v, const char *word)
{
	struct text t = {0};
	bool integer;
	bool fine = decimal_parts(word, &t, &integer);
	text_char(&t, '\0');
	if (!fine)
		toml_wrong(r, "this is no value: a string needs quotes, and dates aren't used here");
	else
		fine = integer ? parse_integer(r, v, t.at, 10) : parse_float(v, t.at);
	text_finish(&t);
	return fine;
}

static bool word_value(struct toml_reader *r, struct toml *v, const char *word)
{
	const char *unsigned_word = *word == '+' || *word == '-' ? word + 1 : word;
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
		v->type = TOML_BOOLEAN;
		v->boolean = *word == 't';
		return true;
	}
	if (strcmp(unsigned_word, "inf") == 0 || strcmp(unsigned_word, "nan") == 0)
		return parse_float(v, word);
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'o' || word[1] == 'b'))
		return based(r, v, word);
	return decimal(r, v, word);
}

bool toml_bare_value(struct toml_reader *r, struct toml *v)
{
	char word[128] = "";
	size_t n = 0;
	const char *from = r->at;
	while (from + n < r->end && n < sizeof word - 1 && from[n] != '\0' && strchr(" \t\r\n,]}#", from[n]) == NULL) {
		word[n] = from[n];
		n++;
	}
	word[n] = '\0';
	if (n == 0)
		return toml_wrong(r, "a value was expected");
	if (!word_value(r, v, word))
		return false;
	r->at += n;
	return true;
}
