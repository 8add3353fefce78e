// LINK: guest-init/text.o
//
// How the shutdown reads its mounts; nothing is unmounted here.
#include "guest-init/shutdown.c"
#include "tests/lib/test.h"

TEST("mount points are taken out of mountinfo, escapes undone")
{
	char text[] = "21 26 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
	              "22 26 8:1 /a /mnt/with\\040blank\\134 rw - ext4 /dev/vda rw\n";
	char *p = text;

	CHECK_STR(mount_point(&p), "/sys");
	CHECK_STR(mount_point(&p), "/mnt/with blank\\");
	CHECK(mount_point(&p) == NULL);
}

TEST("a line that the buffer has cut off is no mount point")
{
	char text[] = "21 26 0:20 / /sys rw\n22 26 0:2";
	char *p = text;

	CHECK_STR(mount_point(&p), "/sys");
	CHECK(mount_point(&p) == NULL);
}

TEST("only whole octal escapes are undone")
{
	char s[] = "a\\04b\\9\\477\\";

	unescape(s);
	CHECK_STR(s, "a\\04b\\9\\477\\");
}

int main(void)
{
	return test_main();
}
