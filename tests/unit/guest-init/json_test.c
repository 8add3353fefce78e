// LINK: guest-init/json.o guest-init/text.o
#include "guest-init/json.h"

#include <stdio.h>

#include "tests/lib/test.h"

struct seen {
	char text[400];
	size_t len;
	unsigned left; // values to take before refusing one
};

static bool take(void *ctx, const char *path, char *key, char *text)
{
	struct seen *s = ctx;

	if (s->left-- == 0)
		return false;
	s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s(%s)=%s;", path, key, text == NULL ? "{" : text);
	return true;
}

static struct seen seen;
static size_t where;

// Reads a copy of doc and gives what was wrong; the values are in seen.
static const char *read_doc(const char *doc)
{
	static char copy[4096];

	seen = (struct seen){.left = 1000};
	snprintf(copy, sizeof(copy), "%s", doc);
	return json_read(copy, strlen(copy), take, &seen, &where);
}

TEST("values come with their paths, elements of arrays of objects with a begin")
{
	CHECK(read_doc("{\"a\": 1, \"b\": [\"x\", true], \"c\": [{\"d\": \"e\"}, {\"d\": null}], \"f\": {\"g\": {\"h\": -1.5e+3}}}") == NULL);
	CHECK(strcmp(seen.text, "a(a)=1;b[](b)=x;b[](b)=true;c[](c)={;c[].d(d)=e;c[](c)={;c[].d(d)=null;f.g.h(h)=-1.5e+3;") == 0);
}

TEST("blanks may stand anywhere between words, and empty objects and arrays say nothing")
{
	CHECK(read_doc(" \t\r\n{ \"a\" : [ ] , \"b\" : { } , \"c\" : [ 1 , 2 ] } \n") == NULL);
	CHECK_STR(seen.text, "c[](c)=1;c[](c)=2;");
}

TEST("escapes are undone, surrogate pairs put together")
{
	CHECK(read_doc("{\"a\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"}") == NULL);
	CHECK_STR(seen.text, "a(a)=\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80;");
}

TEST("digits right behind a bracket are a number too")
{
	CHECK(read_doc("{\"a\":[1,22,333]}") == NULL);
	CHECK_STR(seen.text, "a[](a)=1;a[](a)=22;a[](a)=333;");
}

TEST("what RFC 8259 doesn't allow is refused")
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "1",
	    "\"a\"",
	    "{",
	    "}",
	    "{\"a\"}",
	    "{\"a\":}",
	    "{\"a\":1,}",
	    "{,}",
	    "{a:1}",
	    "{'a':1}",
	    "{\"a\":1}}",
	    "{\"a\":1} x",
	    "{\"a\":01}",
	    "{\"a\":-}",
	    "{\"a\":1.}",
	    "{\"a\":.5}",
	    "{\"a\":1e}",
	    "{\"a\":+1}",
	    "{\"a\":0x1}",
	    "{\"a\":tru}",
	    "{\"a\":nul}",
	    "{\"a\":NaN}",
	    "{\"a\":[1,]}",
	    "{\"a\":[1 2]}",
	    "{\"a\":[1}",
	    "{\"a\":\"x}",
	    "{\"a\":\"\\x\"}",
	    "{\"a\":\"\\u12\"}",
	    "{\"a\":\"\\u12g4\"}",
	    "{\"a\":\"\\ud800\"}",
	    "{\"a\":\"\\ud800\\u0041\"}",
	    "{\"a\":\"\\udc00\"}",
	    "{\"a\":\"\\u0000\"}",
	    "{\"a\":\"\n\"}",
	    "{\"a\":\"\\",
	    "{\"a\" 1}",
	    "{\"a\":1 \"b\":2}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read_doc(bad[i]) == NULL)
			FAIL("%s was taken", bad[i]);
}

TEST("nesting of six is read, of seven refused")
{
	CHECK(read_doc("{\"a\":[[[[[1]]]]]}") == NULL);
	CHECK_STR(read_doc("{\"a\":[[[[[[1]]]]]]}"), "nested too deep");
}

TEST("a value its taker doesn't understand ends the reading there")
{
	char doc[] = "{\"a\": 1, \"b\": 2, \"c\": 3}";

	seen = (struct seen){.left = 1};
	CHECK_STR(json_read(doc, sizeof(doc) - 1, take, &seen, &where), "not understood");
	CHECK_STR(seen.text, "a(a)=1;");
	CHECK_INT(where, 15);
}

TEST("names too long for a path are refused, not cut")
{
	char doc[300];

	memset(doc, 'n', sizeof(doc));
	memcpy(doc, "{\"", 2);
	memcpy(doc + 200, "\":1}", 5);
	CHECK_STR(read_doc(doc), "names too long");
}

int main(void)
{
	return test_main();
}
