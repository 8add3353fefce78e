// Recursive descent over a bounded document; see json.h for what comes out.
#include "guest-init/json.h"

#include <stdint.h>
#include <string.h>

#include "guest-init/text.h"

#define DEPTH_MAX 6

struct reader {
	char *p;
	char *end;
	const char *why; // first thing wrong, NULL so far
	json_take *take;
	void *ctx;
	struct text path;
	char path_buf[128];
};

static bool wrong(struct reader *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return false;
}

static void blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

// Passes over c and the blanks around it.
static bool sign(struct reader *r, char c)
{
	blanks(r);
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	blanks(r);
	return true;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Reads the four digits of \uXXXX.
static bool unit(struct reader *r, uint32_t *u)
{
	*u = 0;
	if (r->end - r->p < 4)
		return wrong(r, "unfinished \\u");
	for (unsigned i = 0; i < 4; i++) {
		int d = hex(*r->p++);

		if (d < 0)
			return wrong(r, "no hex digit");
		*u = *u << 4 | (uint32_t)d;
	}
	return true;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

// \uXXXX, two of them for what lies beyond U+FFFF.  NUL is refused: the texts end with one.
static bool unicode(struct reader *r, char **to)
{
	uint32_t c;
	uint32_t low;

	if (!unit(r, &c))
		return false;
	if (c == 0 || (c >= 0xdc00 && c <= 0xdfff))
		return wrong(r, "such a \\u isn't allowed");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
			return wrong(r, "half a surrogate pair");
		r->p += 2;
		if (!unit(r, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return wrong(r, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
	}
	*to = put_utf8(*to, c);
	return true;
}

static bool escape(struct reader *r, char **to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (r->p == r->end)
		return wrong(r, "unfinished string");
	if (*r->p == 'u') {
		r->p++;
		return unicode(r, to);
	}
	at = *r->p != '\0' ? strchr(from, *r->p) : NULL;
	if (at == NULL)
		return wrong(r, "unknown escape");
	*(*to)++ = into[at - from];
	r->p++;
	return true;
}

// Reads a string at its opening quote and unescapes it in place, which never makes it longer.
static bool string(struct reader *r, char **s)
{
	char *to;

	if (r->p == r->end || *r->p != '"')
		return wrong(r, "a string was expected");
	to = *s = ++r->p;
	while (r->p < r->end && *r->p != '"') {
		if ((unsigned char)*r->p < 0x20)
			return wrong(r, "control character in a string");
		if (*r->p == '\\') {
			r->p++;
			if (!escape(r, &to))
				return false;
		} else {
			*to++ = *r->p++;
		}
	}
	if (r->p == r->end)
		return wrong(r, "unfinished string");
	*to = '\0';
	r->p++;
	return true;
}

static bool give(struct reader *r, char *key, char *text)
{
	return r->take(r->ctx, r->path.s, key, text) || wrong(r, "not understood");
}

// Gives the bare word from..r->p.  There's always a byte before it that has been read, so moved down by one it can be ended with NUL.
static bool give_bare(struct reader *r, char *key, char *from)
{
	size_t n = (size_t)(r->p - from);

	memmove(from - 1, from, n);
	from[n - 1] = '\0';
	return give(r, key, from - 1);
}

static size_t digits(struct reader *r)
{
	char *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return (size_t)(r->p - from);
}

static bool number(struct reader *r, char *key)
{
	char *from = r->p;
	bool zero;

	if (*r->p == '-')
		r->p++;
	zero = r->p < r->end && *r->p == '0';
	if (digits(r) == 0 || (zero && r->p - from > 1 + (*from == '-')))
		return wrong(r, "not a number");
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (digits(r) == 0)
			return wrong(r, "not a number");
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (digits(r) == 0)
			return wrong(r, "not a number");
	}
	return give_bare(r, key, from);
}

static bool word(struct reader *r, char *key, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0)
		return wrong(r, "a value was expected");
	r->p += n;
	return give_bare(r, key, r->p - n);
}

static bool value(struct reader *r, char *key, unsigned depth);

static bool object(struct reader *r, unsigned depth)
{
	size_t base = r->path.len;

	r->p++;
	if (sign(r, '}'))
		return true;
	do {
		char *key = NULL;

		blanks(r);
		if (!string(r, &key))
			return false;
		if (!sign(r, ':'))
			return wrong(r, "':' was expected");
		if (base > 0)
			text_add(&r->path, ".");
		text_add(&r->path, key);
		if (r->path.cut)
			return wrong(r, "names too long");
		if (!value(r, key, depth))
			return false;
		r->path.len = base;
		r->path.s[base] = '\0';
	} while (sign(r, ','));
	return sign(r, '}') || wrong(r, "',' or '}' was expected");
}

static bool array(struct reader *r, char *key, unsigned depth)
{
	size_t base = r->path.len;

	r->p++;
	if (sign(r, ']'))
		return true;
	text_add(&r->path, "[]");
	do {
		blanks(r);
		if (r->p < r->end && *r->p == '{' && !give(r, key, NULL))
			return false;
		if (!value(r, key, depth))
			return false;
	} while (sign(r, ','));
	r->path.len = base;
	r->path.s[base] = '\0';
	return sign(r, ']') || wrong(r, "',' or ']' was expected");
}

static bool value(struct reader *r, char *key, unsigned depth)
{
	char *s = NULL;

	if (r->p == r->end)
		return wrong(r, "a value was expected");
	switch (*r->p) {
	case '{': return depth > 0 ? object(r, depth - 1) : wrong(r, "nested too deep");
	case '[': return depth > 0 ? array(r, key, depth - 1) : wrong(r, "nested too deep");
	case '"': return string(r, &s) && give(r, key, s);
	case 't': return word(r, key, "true");
	case 'f': return word(r, key, "false");
	case 'n': return word(r, key, "null");
	default: return number(r, key);
	}
}

const char *json_read(char *doc, size_t len, json_take *take, void *ctx, size_t *at)
{
	struct reader r = {.p = doc, .end = doc + len, .take = take, .ctx = ctx};

	r.path = text_over(r.path_buf, sizeof(r.path_buf));
	blanks(&r);
	if (r.p == r.end || *r.p != '{')
		(void)wrong(&r, "an object was expected");
	else if (object(&r, DEPTH_MAX - 1)) {
		blanks(&r);
		if (r.p != r.end)
			(void)wrong(&r, "something behind the object");
	}
	*at = (size_t)(r.p - doc);
	return r.why;
}
