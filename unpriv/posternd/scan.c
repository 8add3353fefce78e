// The JSON scanner. See scan.h. Recursion is bounded by SCAN_DEPTH.
#include "unpriv/posternd/scan.h"

#include <errno.h>
#include <stdlib.h>

#include "unpriv/posternd/utf8.h"

void scan_init(struct scan *s, char *text, size_t len)
{
	*s = (struct scan){.start = text, .at = text, .end = text + len};
}

bool scan_fail(struct scan *s, const char *why)
{
	s->why = why;
	return false;
}

char scan_peek(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
	return s->at < s->end ? *s->at : '\0';
}

bool scan_eat(struct scan *s, char c)
{
	if (scan_peek(s) != c || s->at == s->end)
		return false;
	s->at++;
	return true;
}

bool scan_end(struct scan *s)
{
	scan_peek(s);
	return s->at == s->end || scan_fail(s, "there is more text after the value");
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The four hexadecimal digits at p as a number, -1 if they aren't.
static long hex4(const char *p, const char *end)
{
	long v = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

// After "\u": one code unit, or two that make a pair.
static bool scan_unicode(struct scan *s)
{
	long unit = hex4(s->at, s->end);
	if (unit < 0)
		return scan_fail(s, "\\u needs four hexadecimal digits");
	if (unit == 0)
		return scan_fail(s, "a string may not hold NUL");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return scan_fail(s, "lone surrogate");
	s->at += 4;
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
		return scan_fail(s, "lone surrogate");
	long low = hex4(s->at + 2, s->end);
	if (low < 0xdc00 || low > 0xdfff)
		return scan_fail(s, "lone surrogate");
	s->at += 6;
	return true;
}

static bool scan_escape(struct scan *s)
{
	if (s->at == s->end)
		return scan_fail(s, "the text ends inside a string");
	char c = *s->at++;
	if (c == 'u')
		return scan_unicode(s);
	if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
		s->at--;
		return scan_fail(s, "unknown escape in a string");
	}
	return true;
}

bool scan_string(struct scan *s, struct span *raw)
{
	if (!scan_eat(s, '"'))
		return scan_fail(s, "a string was expected");
	raw->at = s->at;
	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at;
		if (c == '"') {
			raw->len = (size_t)(s->at - raw->at);
			s->at++;
			return true;
		}
		if (c == '\\') {
			s->at++;
			if (!scan_escape(s))
				return false;
		} else if (c < ' ') {
			return scan_fail(s, "control character in a string");
		} else if (c < 0x80) {
			s->at++;
		} else {
			size_t n = utf8_length((const unsigned char *)s->at, (size_t)(s->end - s->at));
			if (n == 0)
				return scan_fail(s, "a string isn't UTF-8");
			s->at += n;
		}
	}
	return scan_fail(s, "the text ends inside a string");
}

static size_t skip_digits(struct scan *s)
{
	const char *from = s->at;
	while (s->at < s->end && is_digit(*s->at))
		s->at++;
	return (size_t)(s->at - from);
}

// An integer of up to 18 digits always fits; only longer ones need a look.
static bool integer_fits(const char *at, size_t len)
{
	char copy[24];
	if (len <= 18)
		return true;
	if (len >= sizeof copy)
		return false;
	memcpy(copy, at, len);
	copy[len] = '\0';
	errno = 0;
	strtoll(copy, NULL, 10);
	return errno == 0;
}

static bool scan_number(struct scan *s)
{
	char *from = s->at;
	bool integer = true;
	if (*s->at == '-')
		s->at++;
	bool zero = s->at < s->end && *s->at == '0';
	size_t digits = skip_digits(s);
	if (digits == 0 || (zero && digits > 1))
		return scan_fail(s, "malformed number");
	if (s->at < s->end && *s->at == '.') {
		integer = false;
		s->at++;
		if (skip_digits(s) == 0)
			return scan_fail(s, "malformed number");
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		integer = false;
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		if (skip_digits(s) == 0)
			return scan_fail(s, "malformed number");
	}
	s->number_too_big = integer && !integer_fits(from, (size_t)(s->at - from));
	return true;
}

static bool scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return scan_fail(s, "a value was expected");
	s->at += n;
	return true;
}

// A value inside of another: what only an id may be is refused here.
static bool scan_inner(struct scan *s, int depth)
{
	struct scanned inner;
	char *from = s->at;
	if (!scan_value(s, depth, &inner))
		return false;
	if (inner.type == SCAN_NUMBER && s->number_too_big) {
		s->at = from;
		return scan_fail(s, "an integer doesn't fit 64 bits");
	}
	return true;
}

static bool scan_array(struct scan *s, int depth, bool *empty)
{
	s->at++;
	*empty = scan_eat(s, ']');
	if (*empty)
		return true;
	do {
		scan_peek(s);
		if (!scan_inner(s, depth + 1))
			return false;
	} while (scan_eat(s, ','));
	return scan_eat(s, ']') || scan_fail(s, "',' or ']' was expected");
}

static bool scan_object(struct scan *s, int depth, bool *empty)
{
	s->at++;
	*empty = scan_eat(s, '}');
	if (*empty)
		return true;
	do {
		struct span key;
		if (!scan_string(s, &key))
			return false;
		if (!scan_eat(s, ':'))
			return scan_fail(s, "':' was expected");
		scan_peek(s);
		if (!scan_inner(s, depth + 1))
			return false;
	} while (scan_eat(s, ','));
	return scan_eat(s, '}') || scan_fail(s, "',' or '}' was expected");
}

static bool scan_any(struct scan *s, int depth, struct scanned *out)
{
	struct span raw;
	switch (*s->at) {
	case '{': out->type = SCAN_OBJECT; return scan_object(s, depth, &out->empty);
	case '[': out->type = SCAN_ARRAY; return scan_array(s, depth, &out->empty);
	case '"': out->type = SCAN_STRING; return scan_string(s, &raw);
	case 't': out->type = SCAN_BOOLEAN; return scan_word(s, "true");
	case 'f': out->type = SCAN_BOOLEAN; return scan_word(s, "false");
	case 'n': out->type = SCAN_NULL; return scan_word(s, "null");
	default:
		out->type = SCAN_NUMBER;
		if (*s->at == '-' || is_digit(*s->at))
			return scan_number(s);
		return scan_fail(s, "a value was expected");
	}
}

bool scan_value(struct scan *s, int depth, struct scanned *out)
{
	scan_peek(s);
	if (s->at == s->end)
		return scan_fail(s, "the text ends where a value was expected");
	if (depth > SCAN_DEPTH)
		return scan_fail(s, "nested deeper than 32");
	s->number_too_big = false;
	out->empty = false;
	out->span.at = s->at;
	if (!scan_any(s, depth, out))
		return false;
	out->span.len = (size_t)(s->at - out->span.at);
	return true;
}

// Resolves the escape after the backslash at *p and moves *p behind it.
static size_t decode_escape(const char **p, const char *end, char out[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	char c = *(*p)++;
	if (c != 'u') {
		const char *f = strchr(from, c);
		out[0] = f ? to[f - from] : c;
		return 1;
	}
	unsigned long code = (unsigned long)hex4(*p, end);
	*p += 4;
	if (code >= 0xd800 && code <= 0xdbff) {
		code = 0x10000 + ((code - 0xd800) << 10) + ((unsigned long)hex4(*p + 2, end) - 0xdc00);
		*p += 6;
	}
	return utf8_put(code, out);
}

char *span_decode(struct span raw, struct arena *a)
{
	char *out = arena_alloc(a, raw.len + 1);
	char *o = out;
	const char *end = raw.at + raw.len;
	for (const char *p = raw.at; p < end;) {
		if (*p != '\\') {
			*o++ = *p++;
			continue;
		}
		char bytes[4];
		p++;
		size_t n = decode_escape(&p, end, bytes);
		memcpy(o, bytes, n);
		o += n;
	}
	*o = '\0';
	return out;
}

bool span_is(struct span raw, const char *text)
{
	const char *end = raw.at + raw.len;
	for (const char *p = raw.at; p < end;) {
		char bytes[4];
		size_t n = 1;
		if (*p == '\\') {
			p++;
			n = decode_escape(&p, end, bytes);
		} else {
			bytes[0] = *p++;
		}
		if (n != 1 || *text++ != bytes[0] || bytes[0] == '\0')
			return false;
	}
	return *text == '\0';
}
