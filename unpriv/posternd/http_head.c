// HTTP/1.1 request heads, strictly. What two parsers might read differently is refused instead of
// guessed at: folded lines, space before the colon, bare LF or CR, two lengths, a length with a
// transfer coding, NUL. See http_head.h.
#include "unpriv/posternd/http_head.h"

#include <string.h>
#include <strings.h>

struct reader {
	struct http_head *head;
	int status;
	const char *why;
};

static bool wrong(struct reader *r, int status, const char *why)
{
	r->status = status;
	r->why = why;
	return false;
}

static bool text_is(struct http_text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.at, word, t.len) == 0;
}

static struct http_text trim(struct http_text t)
{
	while (t.len && (t.at[0] == ' ' || t.at[0] == '\t')) {
		t.at++;
		t.len--;
	}
	while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
		t.len--;
	return t;
}

// Cuts t at the first c; returns what is before it and leaves the rest in t (empty if there is none).
static struct http_text cut(struct http_text *t, char c)
{
	struct http_text first = *t;
	const char *p = t->len ? memchr(t->at, c, t->len) : NULL;
	if (p == NULL) {
		t->at += t->len;
		t->len = 0;
		return first;
	}
	first.len = (size_t)(p - t->at);
	t->at = p + 1;
	t->len -= first.len + 1;
	return first;
}

// RFC 9110's token characters.
static bool is_token(struct http_text t)
{
	static const char extra[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < t.len; i++) {
		char c = t.at[i], lower = (char)(c | 0x20);
		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(extra, c)))
			return false;
	}
	return t.len > 0;
}

static enum http_method method_of(struct http_text t)
{
	if (t.len == 4 && memcmp(t.at, "POST", 4) == 0)
		return HTTP_POST;
	if (t.len == 3 && memcmp(t.at, "GET", 3) == 0)
		return HTTP_GET;
	if (t.len == 4 && memcmp(t.at, "HEAD", 4) == 0)
		return HTTP_HEAD;
	return HTTP_OTHER;
}

static bool read_version(struct reader *r, struct http_text version)
{
	if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.')
		return wrong(r, 400, "malformed request line");
	if (version.at[5] != '1' || version.at[7] < '0' || version.at[7] > '9')
		return wrong(r, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	r->head->http10 = version.at[7] == '0';
	r->head->keep_alive = !r->head->http10;
	return true;
}

static bool read_request_line(struct reader *r, struct http_text line)
{
	struct http_text method = cut(&line, ' ');
	struct http_text target = cut(&line, ' ');
	if (!is_token(method) || target.len == 0)
		return wrong(r, 400, "malformed request line");
	if (!read_version(r, line))
		return false;
	r->head->method = method_of(method);
	r->head->path = cut(&target, '?');
	return true;
}

// Digits that make a number of 64 bits.
static bool read_number(struct http_text value, uint64_t *out)
{
	*out = 0;
	if (value.len == 0 || value.len > 18)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(value.at[i] - '0');
	}
	return true;
}

static bool read_length(struct reader *r, struct http_text value)
{
	uint64_t n;
	if (!read_number(value, &n))
		return wrong(r, 400, "malformed Content-Length");
	if (r->head->has_length)
		return wrong(r, 400, "two Content-Length headers");
	r->head->has_length = true;
	r->head->length = n;
	return true;
}

static bool read_type(struct reader *r, struct http_text value)
{
	if (r->head->type != HTTP_TYPE_NONE)
		return wrong(r, 400, "two Content-Type headers");
	struct http_text type = trim(cut(&value, ';'));
	bool json = text_is(type, "application/json") || text_is(type, "application/json-rpc");
	r->head->type = json ? HTTP_TYPE_JSON : HTTP_TYPE_OTHER;
	return true;
}

static bool read_connection(struct reader *r, struct http_text value)
{
	while (value.len) {
		struct http_text option = trim(cut(&value, ','));
		if (text_is(option, "close"))
			r->head->keep_alive = false;
		else if (text_is(option, "keep-alive") && r->head->http10)
			r->head->keep_alive = true;
	}
	return true;
}

static bool read_authorization(struct reader *r, struct http_text value)
{
	if (r->head->has_authorization)
		return wrong(r, 400, "two Authorization headers");
	r->head->has_authorization = true;
	struct http_text scheme = cut(&value, ' ');
	if (text_is(scheme, "Bearer"))
		r->head->bearer = trim(value);
	return true;
}

static bool read_expect(struct reader *r, struct http_text value)
{
	if (!text_is(value, "100-continue"))
		return wrong(r, 417, "only 100-continue can be expected");
	r->head->expect_continue = true;
	return true;
}

static bool read_host(struct reader *r, struct http_text value)
{
	(void)value;
	if (r->head->has_host)
		return wrong(r, 400, "two Host headers");
	r->head->has_host = true;
	return true;
}

// What isn't one of our numbers is another stream's: it counts as none.
static bool read_last_event(struct reader *r, struct http_text value)
{
	r->head->has_last_event = read_number(value, &r->head->last_event);
	return true;
}

static bool read_coding(struct reader *r, struct http_text value)
{
	(void)value;
	r->head->chunked = true;
	return true;
}

static bool read_field(struct reader *r, struct http_text name, struct http_text value)
{
	static const struct {
		const char *name;
		bool (*read)(struct reader *r, struct http_text value);
	} fields[] = {
	    {"content-length", read_length},
	    {"content-type", read_type},
	    {"connection", read_connection},
	    {"authorization", read_authorization},
	    {"transfer-encoding", read_coding},
	    {"expect", read_expect},
	    {"host", read_host},
	    {"last-event-id", read_last_event},
	};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (text_is(name, fields[i].name))
			return fields[i].read(r, value);
	return true;
}

static bool read_header(struct reader *r, struct http_text line)
{
	if (line.at[0] == ' ' || line.at[0] == '\t')
		return wrong(r, 400, "folded header line");
	if (memchr(line.at, ':', line.len) == NULL)
		return wrong(r, 400, "header line without a colon");
	struct http_text name = cut(&line, ':');
	if (!is_token(name))
		return wrong(r, 400, "malformed header name");
	return read_field(r, name, trim(line));
}

// A line without its CRLF; a control character other than a tab has no place in it.
static bool check_line(struct reader *r, struct http_text line, bool first)
{
	if (line.len > HTTP_LINE_MAX)
		return wrong(r, first ? 414 : 431, first ? "request line over 8 KiB" : "header line over 8 KiB");
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return wrong(r, 400, "control character in the head");
	}
	return true;
}

static bool check_whole(struct reader *r)
{
	const struct http_head *h = r->head;
	if (!h->http10 && !h->has_host)
		return wrong(r, 400, "no Host header");
	if (h->chunked && (h->has_length || h->http10))
		return wrong(r, 400, "Transfer-Encoding beside Content-Length or in HTTP/1.0");
	return true;
}

// text[0..len) is the whole head up to and including the last header's CRLF.
static bool read_lines(struct reader *r, struct http_text text)
{
	int lines = 0;
	while (text.len) {
		const char *lf = memchr(text.at, '\n', text.len);
		size_t n = (size_t)(lf - text.at);
		if (n == 0 || lf[-1] != '\r')
			return wrong(r, 400, "a line must end with CR LF");
		struct http_text line = {text.at, n - 1};
		if (!check_line(r, line, lines == 0))
			return false;
		if (!(lines == 0 ? read_request_line(r, line) : read_header(r, line)))
			return false;
		if (lines++ > HTTP_HEADERS_MAX)
			return wrong(r, 431, "over 64 header lines");
		text.at += n + 1;
		text.len -= n + 1;
	}
	return check_whole(r);
}

// No end yet: is what is there already too much?
static bool check_part(struct reader *r, const char *in, size_t len)
{
	const char *first = memchr(in, '\n', len);
	if (first && (first == in || first[-1] != '\r'))
		return wrong(r, 400, "a line must end with CR LF");
	const char *lf = memrchr(in, '\n', len);
	size_t last = lf ? (size_t)(in + len - lf - 1) : len;
	if (last > HTTP_LINE_MAX + 1)
		return wrong(r, lf ? 431 : 414, lf ? "header line over 8 KiB" : "request line over 8 KiB");
	if (len > HTTP_HEAD_MAX)
		return wrong(r, 431, "head over 32 KiB");
	return true;
}

// A server should forgive empty lines before a request (RFC 9112, section 2.2).
static size_t leading_empty_lines(const char *in, size_t len)
{
	size_t n = 0;
	while (n <= 4 && len - n >= 2 && in[n] == '\r' && in[n + 1] == '\n')
		n += 2;
	return n;
}

long http_head_read(const char *in, size_t len, size_t *seen, struct http_head *head, int *status, const char **why)
{
	struct reader r = {.head = head};
	size_t skip = leading_empty_lines(in, len);
	size_t from = *seen > skip + 3 ? *seen - 3 : skip;
	const char *end = len > from ? memmem(in + from, len - from, "\r\n\r\n", 4) : NULL;
	*seen = len;
	bool fine;
	if (end == NULL) {
		fine = check_part(&r, in + skip, len - skip);
	} else {
		memset(head, 0, sizeof *head);
		struct http_text text = {in + skip, (size_t)(end - in) + 2 - skip};
		fine = text.len <= HTTP_HEAD_MAX ? read_lines(&r, text) : wrong(&r, 431, "head over 32 KiB");
	}
	if (!fine) {
		*status = r.status;
		*why = r.why;
		return -1;
	}
	return end ? end + 4 - in : 0;
}
