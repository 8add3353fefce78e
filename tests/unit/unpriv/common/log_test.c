// LINK: unpriv/common/log.o
// The log: what a line holds, that no value can forge one, and where it is cut.  A line is caught in a pipe in place of standard error.
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "unpriv/common/log.h"

static char caught[8192];
static int kept, from;

static void catch_begin(void)
{
	int ends[2];
	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		abort();
	kept = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	from = ends[0];
}

// Everything that was logged since.
static const char *catch_end(void)
{
	ssize_t n = read(from, caught, sizeof(caught) - 1);
	caught[n > 0 ? n : 0] = '\0';
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(from);
	return caught;
}

// The pairs of one line, behind its head.
#define LINE(...) (catch_begin(), log_info("e", __VA_ARGS__), pairs_of(catch_end()))

static const char *pairs_of(const char *line)
{
	const char *at = strstr(line, " event=e ");
	return at ? at + strlen(" event=e ") : line;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t r;
	if (regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	bool found = regexec(&r, text, 0, NULL, 0) == 0;
	regfree(&r);
	return found;
}

TEST("a line is time, level, program, event and the pairs")
{
	log_init("unit", LEVEL_INFO);
	catch_begin();
	log_warn("socket closed", "fd=%d name=%s", 7, "x");
	catch_end();
	CHECK(matches(caught, "^time=20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z level=warn prog=unit "
	                      "event=\"socket closed\" fd=7 name=x\n$"));
}

TEST("a line without pairs ends behind its event")
{
	catch_begin();
	log_error("e", NULL);
	CHECK(matches(catch_end(), " level=error prog=unit event=e\n$"));
}

TEST("levels below the threshold are silent, and the threshold can be moved")
{
	catch_begin();
	log_debug("e", NULL);
	CHECK_STR(catch_end(), "");
	CHECK(!log_shows(LEVEL_DEBUG) && log_shows(LEVEL_INFO));
	log_set_level(LEVEL_DEBUG);
	catch_begin();
	log_debug("e", NULL);
	CHECK(strlen(catch_end()) > 0);
	log_set_level(LEVEL_ERROR);
	catch_begin();
	log_warn("e", NULL);
	log_info("e", NULL);
	CHECK_STR(catch_end(), "");
	log_set_level(LEVEL_INFO);
	CHECK_STR(log_level_name(LEVEL_ERROR), "error");
	CHECK_STR(log_level_name(LEVEL_DEBUG), "debug");
}

TEST("plain values stand as they are; what isn't plain is quoted")
{
	CHECK_STR(LINE("a=%s", "/run/x.sock:1,2"), "a=/run/x.sock:1,2\n");
	CHECK_STR(LINE("a=%s", ""), "a=\"\"\n");
	CHECK_STR(LINE("a=%s", "two words"), "a=\"two words\"\n");
	CHECK_STR(LINE("a=%s", "k=v"), "a=\"k=v\"\n");
	CHECK_STR(LINE("a=%s", "say \"x\" \\ y"), "a=\"say \\\"x\\\" \\\\ y\"\n");
}

TEST("no value can forge a pair, a line or a terminal's command")
{
	CHECK_STR(LINE("a=%s", "x\nlevel=error"), "a=\"x\\x0alevel=error\"\n");
	CHECK_STR(LINE("a=%s", "x\" b=\"y"), "a=\"x\\\" b=\\\"y\"\n");
	CHECK_STR(LINE("a=%s", "\033[2J\r\t\x7f\xff"), "a=\"\\x1b[2J\\x0d\\x09\\x7f\\xff\"\n");
	CHECK_STR(LINE("a=%s", "\xc3\xa9"), "a=\"\\xc3\\xa9\"\n");
	CHECK_STR(LINE("a=%s", "%s%n%d"), "a=%s%n%d\n");
}

TEST("an event is quoted by the same rules")
{
	catch_begin();
	log_info("a\nb", NULL);
	CHECK(strstr(catch_end(), " event=\"a\\x0ab\"\n") != NULL);
}

TEST("every conversion the header names is expanded at its full width")
{
	CHECK_STR(LINE("%d %d", -1, 2147483647), "-1 2147483647\n");
	CHECK_STR(LINE("%u %x", 4294967295U, 255U), "4294967295 0xff\n");
	CHECK_STR(LINE("%ld %lld", -9223372036854775807L - 1, 9223372036854775807LL), "-9223372036854775808 9223372036854775807\n");
	CHECK_STR(LINE("%lu %llu %zu", UINT64_MAX, (unsigned long long)UINT64_MAX, SIZE_MAX),
	          "18446744073709551615 18446744073709551615 18446744073709551615\n");
	CHECK_STR(LINE("%lx", UINT64_MAX), "0xffffffffffffffff\n");
	CHECK_STR(LINE("free=%d%%", 7), "free=7%\n");
}

TEST("a value that isn't there is a dash")
{
	const char *volatile none = NULL; // volatile: else the compiler knows better
	CHECK_STR(LINE("a=%s b=%d", none, 1), "a=- b=1\n");
}

TEST("a line is cut at 2000 bytes and still ends as a line")
{
	char text[5000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	catch_begin();
	log_info("e", "a=%s b=%s", text, text);
	CHECK_INT(strlen(catch_end()), 2001);
	CHECK(strchr(caught, '\n') == caught + 2000);
	memset(text, '\n', sizeof(text) - 1); // quoted, each byte is four
	catch_begin();
	log_info("e", "a=%s", text);
	CHECK_INT(strlen(catch_end()), 2001);
	CHECK(strchr(caught, '\n') == caught + 2000);
}

TEST("errno is as before, also where the log can't be written")
{
	catch_begin();
	errno = EXDEV;
	log_info("e", NULL);
	int after = errno;
	catch_end();
	CHECK_INT(after, EXDEV);
	catch_begin();
	close(STDERR_FILENO);
	log_info("e", NULL);
	after = errno;
	catch_end();
	CHECK_INT(after, EXDEV);
}

static void *chatter(void *arg)
{
	for (int i = 0; i < 20; i++)
		log_info("e", "who=%s n=%d", (const char *)arg, i);
	return NULL;
}

TEST("lines of two threads never mix")
{
	pthread_t one, two;
	int lines = 0;
	catch_begin();
	if (pthread_create(&one, NULL, chatter, "one") != 0 || pthread_create(&two, NULL, chatter, "two") != 0)
		abort();
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	catch_end();
	for (char *save, *line = strtok_r(caught, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++)
		CHECK(matches(line, "^time=[^ ]+ level=info prog=unit event=e who=(one|two) n=[0-9]+$"));
	CHECK_INT(lines, 40);
}

int main(void)
{
	return test_main();
}
