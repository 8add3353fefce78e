// LINK: unpriv/postern/bzimage.o
// Kernel files, whole and damaged.
#include <elf.h>
#include <stdlib.h>

#include "tests/lib/test.h"
#include "unpriv/postern/bzimage.h"

#define SIZE 4096u

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

// A bzImage with a payload of `len` bytes at 0x100 behind its setup sectors.
static void make(uint8_t image[SIZE], const char *magic, size_t magic_len, uint32_t len)
{
	memset(image, 0, SIZE);
	image[0x1f1] = 4;
	memcpy(image + 0x202, "HdrS\x0f\x02", 6);
	put32(image + 0x248, 0x100);
	put32(image + 0x24c, len);
	memcpy(image + 5 * 512 + 0x100, magic, magic_len);
}

TEST("the payload is found where the header says, without the length behind it")
{
	uint8_t image[SIZE];
	struct payload p;

	make(image, "\x02\x21\x4c\x18", 4, 1000);
	CHECK(bzimage_payload(image, SIZE, &p));
	CHECK_INT(p.off, 5 * 512 + 0x100);
	CHECK_INT(p.len, 996);
	CHECK_STR(p.tool, "lz4");
	make(image, "\x1f\x8b", 2, 1000);
	CHECK(bzimage_payload(image, SIZE, &p));
	CHECK_INT(p.len, 1000);
}

TEST("a setup of 0 sectors means 4")
{
	uint8_t image[SIZE];
	struct payload p;

	make(image, "\x1f\x8b", 2, 1000);
	image[0x1f1] = 0;
	CHECK(bzimage_payload(image, SIZE, &p));
	CHECK_INT(p.off, 5 * 512 + 0x100);
}

TEST("headers that lie about the payload are refused")
{
	uint8_t image[SIZE];
	struct payload p;

	make(image, "\x1f\x8b", 2, SIZE);
	CHECK(!bzimage_payload(image, SIZE, &p));
	make(image, "\x1f\x8b", 2, UINT32_MAX);
	CHECK(!bzimage_payload(image, SIZE, &p));
	put32(image + 0x248, UINT32_MAX);
	CHECK(!bzimage_payload(image, SIZE, &p));
	make(image, "\x1f\x8b", 2, 1000);
	put32(image + 0x248, SIZE);
	CHECK(!bzimage_payload(image, SIZE, &p));
	make(image, "\x1f\x8b", 2, 8);
	CHECK(!bzimage_payload(image, SIZE, &p));
	make(image, "??", 2, 1000);
	CHECK(!bzimage_payload(image, SIZE, &p));
	make(image, "\x1f\x8b", 2, 1000);
	image[0x206] = 7;
	CHECK(!bzimage_payload(image, SIZE, &p));
}

TEST("every cut of a bzImage is refused or gives a payload inside it")
{
	uint8_t image[SIZE];

	make(image,
	     "\xfd"
	     "7zXZ",
	     5, 900);
	for (size_t n = 0; n <= SIZE; n++) {
		uint8_t *cut = malloc(n + 1); // so that a sanitizer sees a read behind its end
		struct payload p;

		memcpy(cut, image, n);
		CHECK(!bzimage_payload(cut, n, &p) || (p.off < n && p.len <= n - p.off));
		free(cut);
	}
}

// An ELF file with one note segment.
static size_t make_elf(uint8_t file[256], uint32_t type, const char name[4])
{
	Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64}, .e_phoff = sizeof(head), .e_phnum = 1};
	Elf64_Phdr part = {.p_type = PT_NOTE, .p_offset = sizeof(head) + sizeof(part), .p_filesz = 48};
	uint8_t *note = file + part.p_offset;

	memset(file, 0, 256);
	memcpy(file, &head, sizeof(head));
	memcpy(file + sizeof(head), &part, sizeof(part));
	put32(note, 4);
	put32(note + 4, 8);
	put32(note + 8, 1);
	memcpy(note + 12, "GNU", 4);
	put32(note + 24, 4);
	put32(note + 28, 8);
	put32(note + 32, type);
	memcpy(note + 36, name, 4);
	return part.p_offset + part.p_filesz;
}

TEST("the PVH entry is found among notes, and not taken from somebody else's")
{
	uint8_t file[256];
	size_t len = make_elf(file, 18, "Xen");

	CHECK(vmlinux_has_pvh(file, len));
	len = make_elf(file, 17, "Xen");
	CHECK(!vmlinux_has_pvh(file, len));
	len = make_elf(file, 18, "GNU");
	CHECK(!vmlinux_has_pvh(file, len));
	CHECK(!vmlinux_has_pvh((const uint8_t *)"MZ", 2));
}

TEST("an ELF file that is cut or lies is read without harm")
{
	uint8_t file[256];
	size_t len = make_elf(file, 18, "Xen");

	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, file, n);
		CHECK(!vmlinux_has_pvh(cut, n));
		free(cut);
	}
	for (size_t i = 0; i < len; i++) {
		uint8_t was = file[i];

		file[i] = 0xff;
		(void)vmlinux_has_pvh(file, len);
		file[i] = was;
	}
	CHECK(vmlinux_has_pvh(file, len));
}

int main(void)
{
	return test_main();
}
