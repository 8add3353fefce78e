// LINK: unpriv/posternd/resolv.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// Texts of resolv.conf.
#include "unpriv/posternd/resolv.h"

#include <errno.h>

#include "tests/lib/test.h"

static struct arena a;

static struct resolv parse(const char *text)
{
	struct resolv r;

	resolv_parse(text, strlen(text), &a, &r);
	return r;
}

TEST("name servers, the search list and options are read, each from its line")
{
	struct resolv r =
	    parse("# by hand\nnameserver 192.0.2.1\nnameserver\tfe80::1%eth0\nsearch a.test  b.test\noptions ndots:2 edns0\noptions rotate\n");

	CHECK(r.nameservers.n == 2 && r.search.n == 2 && r.options.n == 3);
	CHECK_STR(r.nameservers.v[0], "192.0.2.1");
	CHECK_STR(r.nameservers.v[1], "fe80::1%eth0");
	CHECK_STR(r.search.v[1], "b.test");
	CHECK_STR(r.options.v[0], "ndots:2");
	CHECK_STR(r.options.v[2], "rotate");
}

TEST("of search and domain lines the last one holds")
{
	struct resolv r = parse("search a.test b.test\ndomain c.test d.test\n");

	CHECK_INT(r.search.n, 1);
	CHECK_STR(r.search.v[0], "c.test");
	r = parse("domain c.test\nsearch a.test b.test");
	CHECK_INT(r.search.n, 2);
}

TEST("comments, keywords in other places, and lines without a value say nothing")
{
	struct resolv r =
	    parse(";nameserver 192.0.2.1\n#nameserver 192.0.2.2\n nameserver 192.0.2.3\nnameservers 192.0.2.4\nnameserver\nnameserver \nname\n\n");

	CHECK_INT(r.nameservers.n, 0);
	r = parse("nameserver 192.0.2.1#53\nnameserver 192.0.2.2 ; main\n");
	CHECK_INT(r.nameservers.n, 2);
	CHECK_STR(r.nameservers.v[0], "192.0.2.1");
	CHECK_STR(r.nameservers.v[1], "192.0.2.2");
}

TEST("lists of any length are read whole, and a word that is too long is cut")
{
	static char text[40000];
	size_t at = (size_t)sprintf(text, "search");
	struct resolv r;

	for (int i = 0; i < 1000; i++)
		at += (size_t)sprintf(text + at, " d%d.test", i);
	at += (size_t)sprintf(text + at, "\noptions ");
	memset(text + at, 'x', 5000);
	r = parse(text);
	CHECK_INT(r.search.n, 1000);
	CHECK_STR(r.search.v[999], "d999.test");
	CHECK_INT(strlen(r.options.v[0]), 1024);
}

TEST("an empty text, and one cut by a NUL, are read as far as they go")
{
	struct resolv r = parse("");

	CHECK(r.nameservers.n == 0 && r.search.n == 0 && r.options.n == 0);
	resolv_parse("nameserver 1.1.1.1\n\0nameserver 2.2.2.2\n", 39, &a, &r);
	CHECK_INT(r.nameservers.n, 1);
}

TEST("a file that isn't there is told by its errno")
{
	struct resolv r;

	CHECK_INT(resolv_read("/nonexistent/resolv.conf", &a, &r), ENOENT);
	CHECK_INT(r.nameservers.n, 0);
	arena_finish(&a);
}

int main(void)
{
	return test_main();
}
