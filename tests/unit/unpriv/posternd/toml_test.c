// LINK: unpriv/posternd/toml.o unpriv/posternd/toml_value.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// The TOML reader: what it takes, what it refuses, and that an error says where.
#include "tests/lib/test.h"

#include <math.h>

#include "unpriv/posternd/toml.h"

static struct arena arena;
static const char *error;

static struct toml *read_text(const char *text)
{
	error = "";
	return toml_read("f", text, strlen(text), &arena, &error);
}

static const struct toml *get(const struct toml *t, const char *a, const char *b)
{
	t = t ? toml_get(t, a) : NULL;
	return t && b ? toml_get(t, b) : t;
}

TEST("every scalar of TOML 1.0 but dates is read")
{
	struct toml *t = read_text("i = +1_000\nh = 0xdead_beef\no = 0o755\nb = 0b1010\nn = -9223372036854775808\n"
				   "f = 6.02_2e+23\ninf = -inf\nnan = nan\nt = true\ns = \"a\\tb\\u00e9\\U0001F600\"\nl = 'c:\\d'\n");
	CHECK_STR(error, "");
	CHECK(get(t, "i", NULL)->integer == 1000 && get(t, "h", NULL)->integer == 0xdeadbeef && get(t, "o", NULL)->integer == 0755);
	CHECK(get(t, "b", NULL)->integer == 10 && get(t, "n", NULL)->integer == INT64_MIN);
	CHECK(get(t, "f", NULL)->number > 6.0e23 && isinf(get(t, "inf", NULL)->number) && isnan(get(t, "nan", NULL)->number));
	CHECK(get(t, "t", NULL)->boolean);
	CHECK_STR(get(t, "s", NULL)->string, "a\tb\xc3\xa9\xf0\x9f\x98\x80");
	CHECK_STR(get(t, "l", NULL)->string, "c:\\d");
}

TEST("multi-line strings drop the first newline, fold at a backslash and may end in quotes")
{
	struct toml *t = read_text("a = \"\"\"\nx\\\n   y\nz\"\"\"\"\"\nb = '''\n\\n'''\nc = 1\n");
	CHECK_STR(error, "");
	CHECK_STR(get(t, "a", NULL)->string, "xy\nz\"\"");
	CHECK_STR(get(t, "b", NULL)->string, "\\n");
	CHECK_INT(get(t, "c", NULL)->line, 7);
}

TEST("tables, dotted keys, arrays of tables and inline tables come out as one tree")
{
	struct toml *t = read_text("a.b = 1\n[x]\ny.z = 2 # why\n[x.w]\nk = [1, [2], {q = 3}, # c\n]\n[[l]]\nn = 1\n[[l]]\nn = 2\n[l.m]\no = 3\n");
	CHECK_STR(error, "");
	CHECK(get(t, "a", "b")->integer == 1);
	CHECK(get(get(t, "x", "y"), "z", NULL)->integer == 2);
	const struct toml *k = get(get(t, "x", "w"), "k", NULL);
	CHECK(k->type == TOML_ARRAY && k->first->next->type == TOML_ARRAY && get(k->last, "q", NULL)->integer == 3);
	const struct toml *l = get(t, "l", NULL);
	CHECK(l->type == TOML_ARRAY && get(l->first, "n", NULL)->integer == 1 && get(l->last, "m", "o")->integer == 3);
}

TEST("CRLF ends a line as LF does, and a value knows its line and column")
{
	struct toml *t = read_text("\r\n# c\r\n[a]\r\n  b =  7\r\n");
	CHECK_STR(error, "");
	CHECK_INT(get(t, "a", "b")->line, 4);
	CHECK_INT(get(t, "a", "b")->column, 8);
}

static bool refused_at(const char *text, const char *place)
{
	return read_text(text) == NULL && strncmp(error, place, strlen(place)) == 0;
}

TEST("a key set twice is an error at its line and column, however it is spelled")
{
	CHECK(refused_at("a = 1\na = 2\n", "f:2:1: "));
	CHECK(refused_at("a = 1\n\"a\" = 2\n", "f:2:1: "));
	CHECK(refused_at("[a]\n[a]\n", "f:2:"));
	CHECK(refused_at("[a]\nb = 1\n[a.b]\n", "f:3:"));
	CHECK(refused_at("a = {b = 1}\n[a.c]\n", "f:2:"));
	CHECK(refused_at("a = {b = 1}\na.c = 1\n", "f:2:"));
	CHECK(refused_at("a = [{b = 1}]\n[[a]]\n", "f:2:"));
	CHECK(refused_at("[[a]]\n[a]\n", "f:2:"));
	CHECK(refused_at("[a.b]\nc = 1\n[a]\nb.d = 1\n", "f:4:"));
	CHECK(refused_at("a.b = 1\n[a]\n", "f:2:"));
	CHECK(refused_at("a = {b = 1, b = 2}\n", "f:1:13: "));
}

TEST("a table may be named after its children, once")
{
	CHECK(read_text("[a.b]\nc = 1\n[a]\nd = 2\n") != NULL);
	CHECK(refused_at("[a.b]\n[a]\n[a]\n", "f:3:"));
}

TEST("what is no TOML is refused")
{
	static const char *const texts[] = {
	    "a",	 "a =",	       "a = \n",     "= 1",	    "a b = 1",	  "a = 1 b = 2", "a = 01",	"a = 1_",     "a = _1",	     "a = 1__0",
	    "a = 1.",	 "a = .1",     "a = 1.e1",   "a = 0x",	    "a = -0x1",	  "a = 0xg",	 "a = 0b2",	"a = +",      "a = tru",     "a = nope",
	    "a = \"x",	 "a = \"\\q\"", "a = \"\\u12\"", "a = \"\\ud800\"", "a = \"\\u0000\"", "a = 'x", "a = \"x\ny\"", "a = \"\"\"x", "a = [1", "a = [1 2]",
	    "a = [,]",	 "a = {b}",    "a = {b = 1,}", "a = {\nb = 1}", "[a",	  "[a]b = 1",	 "[[a]",	"[]",	      "[a.]",	     "a. = 1",
	    "a = \"\x01\"", "a = 1 # \x01", "\"\"\"a\"\"\" = 1", "a = 1979-05-27", "a = \xff", "a = \"\xff\"", "# \xff", "a = 9223372036854775808", "a = 1\rb = 2",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (read_text(texts[i]) != NULL)
			FAIL("%s was taken", texts[i]);
}

TEST("depth, number of values and size are bounded")
{
	static char text[TOML_BYTES_MAX + 2];
	memset(text, '[', 40);
	CHECK(read_text("a = [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]") == NULL);
	CHECK(read_text("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1") == NULL);
	strcpy(text, "a = [");
	for (size_t n = 5; n < 5 + 2 * 70000; n += 2)
		memcpy(text + n, "1,", 3);
	strcat(text, "]");
	CHECK(read_text(text) == NULL);
	memset(text, '\n', TOML_BYTES_MAX + 1);
	CHECK(toml_read("f", text, TOML_BYTES_MAX + 1, &arena, &error) == NULL);
}

int main(void)
{
	int code = test_main();
	arena_finish(&arena);
	return code;
}
