// LINK: unpriv/posternd/http_head.o
// HTTP request heads, whole and in pieces.
#include "tests/lib/test.h"

#include <stdlib.h>

#include "unpriv/posternd/http_head.h"

static struct http_head h;
static int status;
static const char *why;

// Reads a copy of exactly these bytes, so that the sanitizer sees any byte read beyond.
static long read_once(const char *text, size_t len)
{
	static char *copy;
	free(copy);
	copy = malloc(len + 1);
	memcpy(copy, text, len);
	size_t seen = 0;
	status = 0;
	return http_head_read(copy, len, &seen, &h, &status, &why);
}

static long read_text(const char *text)
{
	return read_once(text, strlen(text));
}

#define HOST "Host: h\r\n"
#define GOOD "POST /rpc?x=1 HTTP/1.1\r\n" HOST "Content-Type: application/json; charset=utf-8\r\nCONTENT-LENGTH:  42 \r\nauthorization: bEARER  to.ken \r\n\r\n"

TEST("a usual head is read whole: path without query, length, type, bearer")
{
	CHECK_INT(read_text(GOOD), strlen(GOOD));
	CHECK_INT(h.method, HTTP_POST);
	CHECK(h.path.len == 4 && memcmp(h.path.at, "/rpc", 4) == 0);
	CHECK(h.has_length && h.length == 42 && h.type == HTTP_TYPE_JSON && h.keep_alive);
	CHECK(h.bearer.len == 6 && memcmp(h.bearer.at, "to.ken", 6) == 0);
}

TEST("a head that comes byte by byte is read the same, and never before its end")
{
	char *grown = malloc(sizeof(GOOD));
	size_t seen = 0;
	for (size_t n = 1; n < sizeof(GOOD); n++) {
		memcpy(grown, GOOD, n);
		long got = http_head_read(grown, n, &seen, &h, &status, &why);
		if (got != (n == sizeof(GOOD) - 1 ? (long)n : 0)) {
			free(grown);
			FAIL("after %zu bytes it gave %ld", n, got);
		}
	}
	free(grown);
}

TEST("what follows the head is left alone")
{
	CHECK_INT(read_text(GOOD "POST / HTTP/1.1\r\n"), strlen(GOOD));
}

TEST("empty lines before a request are forgiven, but not for ever")
{
	CHECK_INT(read_text("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), strlen("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"));
	CHECK_INT(read_text("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), -1);
}

TEST("application/json-rpc is taken, other types are told apart from none")
{
	read_text("POST / HTTP/1.1\r\n" HOST "Content-Type: application/json-rpc\r\n\r\n");
	CHECK_INT(h.type, HTTP_TYPE_JSON);
	read_text("POST / HTTP/1.1\r\n" HOST "Content-Type: application/jsonp\r\n\r\n");
	CHECK_INT(h.type, HTTP_TYPE_OTHER);
	read_text("POST / HTTP/1.1\r\n" HOST "\r\n");
	CHECK_INT(h.type, HTTP_TYPE_NONE);
}

TEST("keep-alive is the rule in 1.1 and the exception in 1.0")
{
	read_text("GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n");
	CHECK(!h.keep_alive);
	read_text("GET / HTTP/1.0\r\n\r\n");
	CHECK(!h.keep_alive);
	read_text("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	CHECK(h.keep_alive);
}

static bool gives(const char *text, int want)
{
	return read_text(text) == -1 && status == want;
}

TEST("what two parsers could read differently is refused")
{
	CHECK(gives("GET / HTTP/1.1\n" HOST "\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\nHost: h\n\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Content-Length : 1\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "nothing\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n\r\n", 400));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", 400));
	CHECK(gives("GET  / HTTP/1.1\r\n" HOST "\r\n", 400));
	CHECK(gives("GET /\r\n" HOST "\r\n", 400));
	CHECK(gives("G@T / HTTP/1.1\r\n" HOST "\r\n", 400));
	CHECK(gives("GET / HTTP/2.0\r\n" HOST "\r\n", 505));
	CHECK(gives("PRI * HTTP/2.0\r\n\r\n", 505));
	CHECK(gives("GET / HTTP/1.1\r\n" HOST "Expect: the worst\r\n\r\n", 417));
	CHECK_INT(read_once("GET / HTTP/1.1\r\n" HOST "X: \0\r\n\r\n", sizeof("GET / HTTP/1.1\r\n" HOST "X: \0\r\n\r\n") - 1), -1);
}

TEST("a header line over 8 KiB is refused as soon as it is, ended or not")
{
	static char text[20000];
	size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: ");
	memset(text + n, 'a', HTTP_LINE_MAX - 6);
	memcpy(text + n + HTTP_LINE_MAX - 6, "\r\n\r\n", 4);
	CHECK_INT(read_once(text, n + HTTP_LINE_MAX - 6 + 4), (long)(n + HTTP_LINE_MAX - 6 + 4));
	memset(text + n, 'a', 9000);
	CHECK_INT(read_once(text, n + 9000), -1);
	CHECK_INT(status, 431);
	memcpy(text + n + HTTP_LINE_MAX - 5, "\r\n\r\n", 4);
	CHECK_INT(read_once(text, n + HTTP_LINE_MAX - 5 + 4), -1);
	CHECK_INT(status, 431);
}

TEST("a request line over 8 KiB, too many header lines and a head over 32 KiB are refused")
{
	static char text[70000];
	memset(text, 'a', sizeof(text));
	CHECK_INT(read_once(text, 9000), -1);
	CHECK_INT(status, 414);
	size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 70; i++)
		n += (size_t)sprintf(text + n, "X: y\r\n");
	n += (size_t)sprintf(text + n, "\r\n");
	CHECK_INT(read_once(text, n), -1);
	CHECK_INT(status, 431);
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST);
	while (n < 33000) {
		n += (size_t)sprintf(text + n, "X: ");
		memset(text + n, 'b', 4000);
		n += 4000;
		n += (size_t)sprintf(text + n, "\r\n");
	}
	CHECK_INT(read_once(text, n), -1);
	CHECK_INT(status, 431);
}

int main(void)
{
	return test_main();
}
