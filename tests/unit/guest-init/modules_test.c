// LINK: guest-init/text.o
//
// The parts of module loading that read depmod's files; nothing is loaded here.
#include "guest-init/modules.c"
#include "tests/lib/test.h"

TEST("modalias patterns match as fnmatch matches them")
{
	static const char virtio[] = "virtio:d00000013v00001AF4";

	CHECK(glob("virtio:d00000013v*", virtio));
	CHECK(!glob("virtio:d00000014v*", virtio));
	CHECK(glob("pci:v00001AF4d*sv*sd*bc*sc*i*", "pci:v00001AF4d00001053sv00001AF4sd00001100bc07sc80i00"));
	CHECK(!glob("pci:v00001AF4d*sv*sd*bc06sc*i*", "pci:v00001AF4d00001053sv00001AF4sd00001100bc07sc80i00"));
	CHECK(glob("a[bc]d", "abd") && glob("a[bc]d", "acd") && !glob("a[bc]d", "aed"));
	CHECK(glob("*", "") && glob("**", "x") && glob("?", "x") && !glob("?", "") && glob("", "") && !glob("", "x") && !glob("x", ""));
	CHECK(glob("*ab", "aab") && glob("*aab", "aaab") && !glob("*ab", "aba"));
	CHECK(!glob("a[", "ab"));
}

TEST("a module's name finds its file, whatever it is compressed with, and - is _")
{
	static const char path[] = "kernel/drivers/char/hw_random/virtio-rng.ko.xz";

	CHECK(names_module(path, strlen(path), "virtio_rng"));
	CHECK(names_module(path, strlen(path), "virtio-rng"));
	CHECK(!names_module(path, strlen(path), "virtio"));
	CHECK(!names_module(path, strlen(path), "virtio_rng2"));
	CHECK(!names_module(path, strlen(path), "rng"));
	CHECK(names_module("ext4.ko", 7, "ext4"));
	CHECK(!names_module("ext4", 4, "ext4"));
}

TEST("lines are split without their ends, blank ones left out, and no more than there is room for")
{
	char text[] = "one\n\ntwo\nthree";
	char more[] = "a\nb\nc\n";
	char *lines[3];

	CHECK_INT(split_lines(text, lines, 3), 3);
	CHECK_STR(lines[0], "one");
	CHECK_STR(lines[1], "two");
	CHECK_STR(lines[2], "three");
	CHECK_INT(split_lines(more, lines, 2), 2);
}

TEST("a file's lines are walked to its end, with or without a newline there")
{
	static const char text[] = "one\ntwo";
	const char *p = text;
	const char *line;
	size_t len;

	CHECK(next_line(&p, text + 7, &line, &len) && len == 3 && memcmp(line, "one", 3) == 0);
	CHECK(next_line(&p, text + 7, &line, &len) && len == 3 && memcmp(line, "two", 3) == 0);
	CHECK(!next_line(&p, text + 7, &line, &len));
}

int main(void)
{
	return test_main();
}
