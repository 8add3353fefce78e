// See bzimage.h.
#include "unpriv/postern/bzimage.h"

#include <elf.h>
#include <string.h>

#define HDRS           0x53726448u // "HdrS"
#define NOTE_PVH_ENTRY 18u         // XEN_ELFNOTE_PHYS32_ENTRY, xen/include/public/elfnote.h

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const struct packing {
	const char *magic;
	size_t len;
	size_t tail; // bytes of the unpacked length behind it; gzip has its own at the end and needs it
	const char *tool, *package;
} packings[] = {
    {"\x02\x21\x4c\x18", 4, 4, "lz4", "lz4"},
    {"\x1f\x8b", 2, 0, "gzip", "gzip"},
    {"\x28\xb5\x2f\xfd", 4, 4, "zstd", "zstd"},
    {"\xfd"
     "7zXZ",
     5, 4, "xz", "xz-utils"},
};

bool bzimage_payload(const uint8_t *image, size_t len, struct payload *p)
{
	size_t setup;

	if (len < 0x250 || le32(image + 0x202) != HDRS || image[0x206] + image[0x207] * 256 < 0x208)
		return false;
	setup = (size_t)(image[0x1f1] == 0 ? 4 : image[0x1f1]) + 1;
	p->off = setup * 512 + le32(image + 0x248);
	p->len = le32(image + 0x24c);
	if (p->off >= len || p->len > len - p->off || p->len < 16)
		return false;
	for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		if (memcmp(image + p->off, packings[i].magic, packings[i].len) != 0)
			continue;
		p->len -= packings[i].tail;
		p->tool = packings[i].tool;
		p->package = packings[i].package;
		return true;
	}
	return false;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static bool notes_have_pvh(const uint8_t *p, size_t len)
{
	while (len >= 12) {
		size_t name = align4(le32(p)), desc = align4(le32(p + 4));

		if (name > len - 12 || desc > len - 12 - name)
			return false;
		if (le32(p + 8) == NOTE_PVH_ENTRY && le32(p) == 4 && memcmp(p + 12, "Xen", 4) == 0)
			return true;
		p += 12 + name + desc;
		len -= 12 + name + desc;
	}
	return false;
}

bool vmlinux_has_pvh(const uint8_t *file, size_t len)
{
	Elf64_Ehdr head;

	if (len < sizeof(head) || memcmp(file, ELFMAG, SELFMAG) != 0 || file[EI_CLASS] != ELFCLASS64)
		return false;
	memcpy(&head, file, sizeof(head));
	for (size_t i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr part;

		if (head.e_phoff > len || len - head.e_phoff < (i + 1) * sizeof(part))
			return false;
		memcpy(&part, file + head.e_phoff + i * sizeof(part), sizeof(part));
		if (part.p_type == PT_NOTE && part.p_offset < len && part.p_filesz <= len - part.p_offset &&
		    notes_have_pvh(file + part.p_offset, part.p_filesz))
			return true;
	}
	return false;
}
