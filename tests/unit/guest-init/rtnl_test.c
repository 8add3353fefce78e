// LINK: guest-init/rtnl.o guest-init/text.o
#include "guest-init/rtnl.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "guest-init/text.h"
#include "tests/lib/test.h"

TEST("addresses are read as inet_pton reads them")
{
	static const char *const texts[] = {
	    "10.0.0.2",
	    "0.0.0.0",
	    "255.255.255.255",
	    "256.0.0.1",
	    "1.2.3",
	    "1.2.3.4.5",
	    "01.2.3.4",
	    "1.2.3.",
	    ".1.2.3",
	    "1..2.3",
	    "1.2.3.4 ",
	    "a.b.c.d",
	    "::",
	    "::1",
	    "1::",
	    "fd00::2",
	    "fe80::1:2:3:4",
	    "1:2:3:4:5:6:7:8",
	    "1:2:3:4:5:6:7::",
	    "::2:3:4:5:6:7:8",
	    "1:2:3:4:5:6:7",
	    "1:2:3:4:5:6:7:8:9",
	    "1::2::3",
	    ":::",
	    ":1",
	    "1:",
	    "1:2:",
	    "::12345",
	    "g::",
	    "1:2:3:4::5:6:7:8",
	    "ABCD::EF01",
	    "2001:db8::ff00:42:8329",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ip ip;
		unsigned char want[16] = {0};
		int family = strchr(texts[i], ':') != NULL ? AF_INET6 : AF_INET;
		bool ok = inet_pton(family, texts[i], want) == 1;

		if (ip_parse(texts[i], &ip) != ok)
			FAIL("%s: %s", texts[i], ok ? "refused" : "taken");
		if (ok && (ip.family != family || ip.prefix != ip.len * 8 || memcmp(ip.addr, want, ip.len) != 0))
			FAIL("%s is read as something else", texts[i]);
	}
}

TEST("a prefix length is read within its family's range")
{
	struct ip ip;

	CHECK(ip_parse("10.0.0.2/24", &ip) && ip.prefix == 24);
	CHECK(ip_parse("10.0.0.2/0", &ip) && ip.prefix == 0);
	CHECK(ip_parse("10.0.0.2/32", &ip) && ip.prefix == 32);
	CHECK(ip_parse("fd00::2/128", &ip) && ip.prefix == 128);
	CHECK(!ip_parse("10.0.0.2/33", &ip));
	CHECK(!ip_parse("fd00::2/129", &ip));
	CHECK(!ip_parse("10.0.0.2/", &ip));
	CHECK(!ip_parse("10.0.0.2/-1", &ip));
	CHECK(!ip_parse("10.0.0.2/24/8", &ip));
	CHECK(!ip_parse("/24", &ip));
	CHECK(!ip_parse("", &ip));
}

TEST("numbers are digits alone, up to their limit")
{
	uint64_t n;

	CHECK(text_number("0", 10, &n) && n == 0);
	CHECK(text_number("10", 10, &n) && n == 10);
	CHECK(text_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
	CHECK(!text_number("18446744073709551616", UINT64_MAX, &n));
	CHECK(!text_number("11", 10, &n));
	CHECK(!text_number("9", 5, &n));
	CHECK(!text_number("", 10, &n));
	CHECK(!text_number("1x", 10, &n));
	CHECK(!text_number("-1", 10, &n));
	CHECK(!text_number(" 1", 10, &n));
}

TEST("text that doesn't fit is cut, said so, and ended with NUL")
{
	char buf[6];
	struct text t = text_over(buf, sizeof(buf));

	text_add(&t, "abc");
	text_add_num(&t, 12);
	CHECK(!t.cut);
	CHECK_STR(buf, "abc12");
	text_add(&t, "d");
	CHECK(t.cut);
	CHECK_STR(buf, "abc12");
	CHECK(!text_join(buf, sizeof(buf), "abc", "def", NULL));
	CHECK(text_join(buf, sizeof(buf), "abc", NULL, "de"));
	CHECK_STR(buf, "abcde");
}

int main(void)
{
	return test_main();
}
