// The log writer. It formats into a buffer on the stack and writes it with one call, so it is safe
// from any thread, takes no lock, allocates nothing, and lines of two threads never mix. What doesn't
// fit is cut: a log line isn't worth a heap.
#include "unpriv/common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2000 };

struct line {
	size_t len;
	char text[LINE_MAX_BYTES + 1]; // one byte more for the newline
};

static const char *program = "postern";
static enum log_level threshold = LEVEL_INFO;

void log_init(const char *prog, enum log_level level)
{
	program = prog;
	threshold = level;
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

bool log_shows(enum log_level level)
{
	return level <= threshold;
}

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	return names[level];
}

static void put(struct line *l, const char *text, size_t len)
{
	size_t room = LINE_MAX_BYTES - l->len;
	if (len > room)
		len = room;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static bool is_plain(const char *value)
{
	if (*value == '\0')
		return false;
	for (const unsigned char *c = (const unsigned char *)value; *c; c++)
		if (*c <= ' ' || *c == '"' || *c == '\\' || *c == '=' || *c >= 0x7f)
			return false;
	return true;
}

// Quotes a value; what isn't printable ASCII becomes \xNN, so a terminal is safe from it too.
static void put_quoted(struct line *l, const char *value)
{
	put(l, "\"", 1);
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		char esc[8];
		if (*c == '"' || *c == '\\')
			snprintf(esc, sizeof esc, "\\%c", *c);
		else if (*c < ' ' || *c >= 0x7f)
			snprintf(esc, sizeof esc, "\\x%02x", *c);
		else
			snprintf(esc, sizeof esc, "%c", *c);
		put_text(l, esc);
	}
	put(l, "\"", 1);
}

static void put_value(struct line *l, const char *value)
{
	if (is_plain(value))
		put_text(l, value);
	else
		put_quoted(l, value);
}

// The width of an integer conversion: how many l, or z.
enum width { WIDTH_INT, WIDTH_LONG, WIDTH_LLONG, WIDTH_SIZE };

static enum width take_width(const char **f)
{
	enum width w = WIDTH_INT;
	for (;; (*f)++) {
		if (**f == 'l')
			w = w == WIDTH_LONG ? WIDTH_LLONG : WIDTH_LONG;
		else if (**f == 'z')
			w = WIDTH_SIZE;
		else
			return w;
	}
}

static long long take_signed(va_list *ap, enum width w)
{
	switch (w) {
	case WIDTH_INT: return va_arg(*ap, int);
	case WIDTH_LONG: return va_arg(*ap, long);
	case WIDTH_LLONG: return va_arg(*ap, long long);
	case WIDTH_SIZE: return (long long)va_arg(*ap, ptrdiff_t);
	}
	return 0;
}

static unsigned long long take_unsigned(va_list *ap, enum width w)
{
	switch (w) {
	case WIDTH_INT: return va_arg(*ap, unsigned);
	case WIDTH_LONG: return va_arg(*ap, unsigned long);
	case WIDTH_LLONG: return va_arg(*ap, unsigned long long);
	case WIDTH_SIZE: return va_arg(*ap, size_t);
	}
	return 0;
}

// Expands the conversion whose letter *f points at (after '%').
static void put_conversion(struct line *l, const char **f, va_list *ap)
{
	char number[32];
	enum width w = take_width(f);
	switch (**f) {
	case 's': {
		const char *s = va_arg(*ap, const char *);
		put_value(l, s ? s : "-");
		return;
	}
	case 'd': snprintf(number, sizeof number, "%lld", take_signed(ap, w)); break;
	case 'u': snprintf(number, sizeof number, "%llu", take_unsigned(ap, w)); break;
	case 'x': snprintf(number, sizeof number, "0x%llx", take_unsigned(ap, w)); break;
	default: snprintf(number, sizeof number, "%c", **f); break;
	}
	put_text(l, number);
}

static void put_pairs(struct line *l, const char *pairs, va_list *ap)
{
	put(l, " ", 1);
	for (const char *f = pairs; *f; f++) {
		if (*f != '%') {
			put(l, f, 1);
			continue;
		}
		f++;
		if (*f == '\0')
			return;
		put_conversion(l, &f, ap);
	}
}

static void put_head(struct line *l, enum log_level level, const char *event)
{
	struct timespec now;
	struct tm tm;
	char stamp[64];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(stamp, sizeof stamp, "time=%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp + n, sizeof stamp - n, ".%03ldZ", now.tv_nsec / 1000000);
	put_text(l, stamp);
	put_text(l, " level=");
	put_text(l, log_level_name(level));
	put_text(l, " prog=");
	put_text(l, program);
	put_text(l, " event=");
	put_value(l, event);
}

void log_line(enum log_level level, const char *event, const char *pairs, ...)
{
	if (!log_shows(level))
		return;
	int saved = errno;
	struct line l;
	l.len = 0;
	put_head(&l, level, event);
	if (pairs) {
		va_list ap;
		va_start(ap, pairs);
		put_pairs(&l, pairs, &ap);
		va_end(ap);
	}
	l.text[l.len] = '\n';
	// A log that can't be written has nobody to tell.
	ssize_t ignored = write(STDERR_FILENO, l.text, l.len + 1);
	(void)ignored;
	errno = saved;
}
