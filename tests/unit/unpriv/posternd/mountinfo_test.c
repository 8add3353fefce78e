// LINK: unpriv/posternd/mountinfo.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
#include "unpriv/posternd/mountinfo.h"

#include "tests/lib/test.h"

static struct arena a;
static struct mountinfos m;

static void parse(const char *text)
{
	arena_reset(&a);
	mountinfo_parse(text, strlen(text), &a, &m);
}

TEST("a line's fields are read, with several optional ones")
{
	parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n");
	CHECK_INT(m.n, 1);
	CHECK_INT(m.v[0].id, 36);
	CHECK_INT(m.v[0].parent, 35);
	CHECK_STR(m.v[0].device, "98:0");
	CHECK_STR(m.v[0].root, "/mnt1");
	CHECK_STR(m.v[0].target, "/mnt2");
	CHECK_INT(m.v[0].options.n, 2);
	CHECK_STR(m.v[0].options.v[1], "noatime");
	CHECK_INT(m.v[0].tags.n, 2);
	CHECK_STR(m.v[0].tags.v[1], "shared:7");
	CHECK_STR(m.v[0].fstype, "ext3");
	CHECK_STR(m.v[0].source, "/dev/root");
	CHECK_STR(m.v[0].super.v[1], "errors=continue");
}

TEST("octal escapes become the bytes they stand for, and a backslash that is none stays")
{
	parse("1 2 0:1 / /srv/a\\040b\\011c\\012d\\134e\\9 rw - tmpfs with\\040space rw\n");
	CHECK_STR(m.v[0].target, "/srv/a b\tc\nd\\e\\9");
	CHECK_STR(m.v[0].source, "with space");
	CHECK_INT(m.v[0].tags.n, 0);
}

TEST("an escape that is cut off by the end of its field is left alone")
{
	parse("1 2 0:1 / /a\\04 rw - tmpfs none rw\n");
	CHECK_STR(m.v[0].target, "/a\\04");
}

TEST("lines that are no mountinfo are left out and the others are read")
{
	parse("nonsense\n1 2 0:1 / /x rw shared:1\n\n");
	CHECK_INT(m.n, 0);
	parse("1 2 0:1 / /x rw - tmpfs\n3 4 0:2 / /y ro - proc proc ro\n5 6 0:3 / /z rw - sysfs sysfs");
	CHECK_INT(m.n, 2);
	CHECK_STR(m.v[0].target, "/y");
	CHECK_INT(m.v[1].super.n, 0);
}

TEST("of two mounts at one place the later is the one that is seen")
{
	parse("1 0 0:1 / /x rw - tmpfs below rw\n2 1 0:2 / /x rw - tmpfs above rw\n");
	CHECK_STR(mountinfo_at(&m, "/x")->source, "above");
	CHECK(mountinfo_at(&m, "/y") == NULL);
}

TEST("this process's own mounts can be read, and / is one of them")
{
	arena_reset(&a);
	CHECK_INT(mountinfo_read(&a, &m), 0);
	CHECK(mountinfo_at(&m, "/") != NULL);
	arena_finish(&a);
}

int main(void)
{
	return test_main();
}
