// LINK: unpriv/posternd/jsonrpc.o unpriv/posternd/scan.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -ljansson
// The envelope reader and the scanner under it.
#include "tests/lib/test.h"

#include <stdlib.h>

#include "unpriv/posternd/jsonrpc.h"

static struct arena arena;
static struct message m;

// Reads a copy of text that ends where the text ends, so that the sanitizer sees any byte read beyond.
static bool read_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	memcpy(copy, text, len);
	json_decref(m.tree);
	arena_reset(&arena);
	bool fine = jsonrpc_read(&m, copy, len, &arena);
	free(copy);
	return fine;
}

static bool read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

#define CALL(id) "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":1},\"id\":" id "}"

static bool id_is(const char *text, const char *id)
{
	return read_text(text) && m.n == 1 && !m.calls[0].invalid && m.calls[0].id && m.calls[0].id_len == strlen(id) &&
	       strncmp(m.calls[0].id, id, strlen(id)) == 0;
}

TEST("an id is kept exactly as it is written, whatever number or string it is")
{
	CHECK(id_is(CALL("1"), "1"));
	CHECK(id_is(CALL("1.0"), "1.0"));
	CHECK(id_is(CALL("1e3"), "1e3"));
	CHECK(id_is(CALL("-0"), "-0"));
	CHECK(id_is(CALL("18446744073709551616"), "18446744073709551616"));
	CHECK(id_is(CALL("123456789012345678901234567890123456789012345678901234567890"), "123456789012345678901234567890123456789012345678901234567890"));
	CHECK(id_is(CALL("null"), "null"));
	CHECK(id_is(CALL("\"\""), "\"\""));
	CHECK(id_is(CALL("\"\\u00e9\\/\""), "\"\\u00e9\\/\""));
	CHECK(id_is(CALL("  7  "), "7"));
}

TEST("parameters are still read beside an id that no parser would take")
{
	CHECK(read_text(CALL("1e999999")));
	CHECK(json_integer_value(json_object_get(jsonrpc_params(&m, 0), "a")) == 1);
	CHECK(read_text("[" CALL("18446744073709551616") ",7," CALL("\"x\"") "]"));
	CHECK_INT(m.n, 3);
	CHECK(m.calls[1].invalid != NULL);
	CHECK(json_integer_value(json_object_get(jsonrpc_params(&m, 2), "a")) == 1);
}

TEST("a call without an id is a notification, one with id null is not")
{
	CHECK(read_text("{\"jsonrpc\":\"2.0\",\"method\":\"m\"}"));
	CHECK(m.calls[0].id == NULL && !m.calls[0].invalid);
	CHECK(read_text("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":null}"));
	CHECK(m.calls[0].id != NULL);
}

TEST("no tree is built where no call has parameters")
{
	CHECK(read_text("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{},\"id\":1}"));
	CHECK(m.tree == NULL && jsonrpc_params(&m, 0) == NULL);
}

TEST("escapes in envelope keys and method names mean the same as the characters")
{
	CHECK(read_text("{\"json\\u0072pc\":\"2.\\u0030\",\"\\u006dethod\":\"a\\u002eb\",\"i\\u0064\":5}"));
	CHECK(m.calls[0].invalid == NULL);
	CHECK_STR(m.calls[0].method, "a.b");
	CHECK_INT(m.calls[0].id_len, 1);
}

static bool invalid(const char *text)
{
	return read_text(text) && m.n == 1 && m.calls[0].invalid;
}

TEST("what is JSON but no request is told apart from what is no JSON")
{
	CHECK(invalid("1"));
	CHECK(invalid("\"x\""));
	CHECK(invalid("{}"));
	CHECK(invalid("{\"method\":1}"));
	CHECK(invalid("{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":1}"));
	CHECK(invalid("{\"jsonrpc\":\"2.0\",\"id\":1}"));
	CHECK(invalid("{\"method\":\"m\",\"id\":1}"));
	CHECK(invalid("{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":1}"));
	CHECK(invalid("{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":1}"));
	CHECK(invalid("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":1,\"id\":1}"));
	CHECK(invalid("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null,\"id\":1}"));
	CHECK(invalid("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":[1]}"));
	CHECK(invalid("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":true}"));
	CHECK(invalid("[1]"));
}

TEST("an empty batch is a batch of nothing")
{
	CHECK(read_text(" [ ] "));
	CHECK(m.batch && m.n == 0);
}

TEST("malformed JSON is refused wherever it is malformed")
{
	static const char *const texts[] = {
	    "",		 " ",		"{",		 "[",		  "[1",		  "[1,",	"[1,]",	     "{\"a\"}",	   "{\"a\":}",	   "{\"a\":1,}", "{a:1}",
	    "{'a':1}",	 "01",		"1.",		 ".5",		  "1e",		  "+1",		"-",	     "nul",	   "tru",	   "NaN",	 "Infinity",
	    "\"",	 "\"\\x\"",	"\"\\u12\"",	 "\"\\ud800\"",	  "\"\\udc00\"",  "\"\\ud800\\u0041\"", "\"\t\"", "[1] 2",  "{} {}",	   "[1]]",	 "\"\\u0000\"",
	    "/**/1",	 "[1 2]",	"{\"a\" 1}",	 "\xef\xbb\xbf{}", "\"\\\"",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (read_text(texts[i]))
			FAIL("%s was taken", texts[i]);
}

TEST("a NUL byte is refused inside and outside of strings")
{
	CHECK(!read_bytes("[1,\0]", 5));
	CHECK(!read_bytes("[\"a\0b\"]", 7));
	CHECK(!read_bytes("[1]\0", 4));
}

TEST("bytes that aren't UTF-8 are refused: overlong, surrogate, beyond U+10FFFF, cut off")
{
	static const char *const bad[] = {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\x80", "\xff"};
	char text[32];
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "[\"%s\"]", bad[i]);
		if (read_text(text))
			FAIL("vector %zu was taken", i);
	}
	CHECK(read_text("[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]"));
}

TEST("duplicate keys are refused in the envelope, in parameters and below")
{
	CHECK(!read_text("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"method\":\"b\",\"id\":1}"));
	CHECK(!read_text("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":1,\"i\\u0064\":2}"));
	CHECK(!read_text("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\"x\":1,\"x\":1},\"id\":1}"));
	CHECK(!read_text("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[[{\"x\":1,\"\\u0078\":1}]],\"id\":1}"));
	CHECK(!read_text("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"other\":1,\"other\":1,\"id\":1}"));
	CHECK(strstr(m.why, "uplicate") != NULL);
}

TEST("nesting of 32 is taken and of 33 refused")
{
	char text[128] = {0};
	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	CHECK(read_text(text));
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	CHECK(!read_text(text));
	CHECK(strstr(m.why, "32") != NULL);
}

TEST("an integer beyond 64 bits is refused in parameters, and the message says where")
{
	CHECK(read_text("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[9223372036854775807,-9223372036854775808],\"id\":1}"));
	CHECK(!read_text("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[9223372036854775808],\"id\":1}"));
	CHECK(strstr(m.why, "64 bits at byte 40") != NULL);
}

TEST("a batch of 1024 is taken and one of 1025 told apart")
{
	static char text[3 * 1025 + 2];
	for (int n = 1024; n <= 1025; n++) {
		size_t len = 0;
		text[len++] = '[';
		for (int i = 0; i < n; i++) {
			text[len++] = '1';
			text[len++] = i + 1 < n ? ',' : ']';
		}
		CHECK(read_bytes(text, len));
		CHECK_INT(m.n, 1024);
		CHECK_INT(m.too_long, n > 1024);
	}
}

int main(void)
{
	int code = test_main();
	json_decref(m.tree);
	arena_finish(&arena);
	return code;
}
