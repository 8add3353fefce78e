// LINK:
//
// The generator: what it refuses.  (What it makes of the shipped tables is judged by tests/attack/filters_test.c.)  Compiles it with a table
// of the test's own, as the Makefile does for each process.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"

static char dir[] = "/tmp/mkfilter-test.XXXXXX", output[4096];

static int run(const char *command)
{
	FILE *f = popen(command, "r");
	size_t n = f == NULL ? 0 : fread(output, 1, sizeof(output) - 1, f);
	int status = f == NULL ? -1 : pclose(f);

	output[n] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Builds the generator with rows as its table.  Returns the compiler's exit code, or 1000 and the generator's.
static int make(const char *rows)
{
	char path[64], command[512];
	FILE *f;
	int status;

	snprintf(path, sizeof(path), "%s/t.def", dir);
	f = fopen(path, "w");
	if (f == NULL || fputs(rows, f) < 0 || fclose(f) != 0)
		return -1;
	snprintf(command, sizeof(command),
	         "${CC:-cc} -std=gnu11 -D_GNU_SOURCE -I. -DFILTER_NAME='\"t\"' -DFILTER_DEF='\"%s/t.def\"' helper/filters/mkfilter.c -o %s/mk "
	         "-lseccomp 2>&1",
	         dir, dir);
	status = run(command);
	if (status != 0)
		return status;
	snprintf(command, sizeof(command), "%s/mk 2>&1", dir);
	return 1000 + run(command);
}

static bool refuses(const char *rows, const char *what)
{
	return make(rows) == 1001 && strstr(output, what) != NULL;
}

TEST("equality and masked equality are taken, and numbers that libseccomp has no name for")
{
	CHECK_INT(make("ALLOW(exit_group, \"ends\")\n"
	               "ALLOW_ARG(ioctl, 1, FULL, TUNSETIFF, \"tap\")\n"
	               "ALLOW_ARG2(mmap, 2, FULL, PROT_READ, 3, LOW32, MAP_PRIVATE, \"maps\")\n"
	               "{\"mseal\", 462, 0, {{0, 0, 0}, {0, 0, 0}}, \"newer than libseccomp\", 0},\n"),
	          1000);
	CHECK(strstr(output, "static const struct sock_filter filter_t[] = {") != NULL);
	CHECK(strstr(output, "0x000001ce") != NULL);
	CHECK(strstr(output, "filter_t_len = ") != NULL);
}

TEST("there is no other comparison: a row that asks for one doesn't compile")
{
	CHECK(make("ALLOW_GE(write, 0, 3, \"no\")\n") < 1000);
	CHECK(make("ALLOW_LT(write, 0, 3, \"no\")\n") < 1000);
	CHECK(make("ALLOW_ARG(write, 0, SCMP_CMP_GE, FULL, 3, \"no\")\n") < 1000);
}

TEST("a call that doesn't exist doesn't compile")
{
	CHECK(make("ALLOW(open_sesame, \"no\")\n") < 1000);
}

TEST("a row without a reason is refused")
{
	CHECK(refuses("ALLOW(write, \"\")\n", "for a reason"));
}

TEST("a row that could never match, or always does, is refused")
{
	CHECK(refuses("ALLOW_ARG(ioctl, 1, 0xff, 0x100, \"no\")\n", "never matches"));
	CHECK(refuses("ALLOW_ARG(ioctl, 1, 0, 0, \"no\")\n", "empty mask"));
}

TEST("an argument that a call can't have, or one tested twice in a row, is refused")
{
	CHECK(refuses("ALLOW_ARG(ioctl, 6, FULL, 1, \"no\")\n", "arguments 0 to 5"));
	CHECK(refuses("ALLOW_ARG2(ioctl, 1, FULL, 1, 1, FULL, 2, \"no\")\n", "two tests"));
}

TEST("a row beside one that allows everything, and the same row twice, are refused")
{
	CHECK(refuses("ALLOW(ioctl, \"any\")\nALLOW_ARG(ioctl, 1, FULL, 1, \"one\")\n", "adds nothing"));
	CHECK(refuses("ALLOW_ARG(ioctl, 1, FULL, 1, \"one\")\nALLOW_ARG(ioctl, 1, FULL, 1, \"two\")\n", "the same row twice"));
}

int main(void)
{
	char command[64];
	int status;

	if (mkdtemp(dir) == NULL)
		return 1;
	status = test_main();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) == 0 ? status : 1;
}
