// See modules.h.  Dependencies are read from the modules themselves (.modinfo, "depends=a,b"): packages don't hold modules.dep, depmod
// makes it when they are installed.
#include "unpriv/postern/modules.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/files.h"

#define MODULE_MAX (64u << 20) // bytes
#define FILES_MAX  8192
#define CHOSEN_MAX 64 // postern-init reads no more

// Buses, disk, network and vsock by virtio; what the VM was told in private; ext4, whose checksum the kernel would otherwise ask a modprobe for.
static const char *const wanted[] = {"virtio_pci",  "virtio_mmio",    "virtio_blk",   "virtio_net", "vsock", "vmw_vsock_virtio_transport",
                                     "qemu_fw_cfg", "crc32c_generic", "crc32c_intel", "ext4"};

// nftw() gives its callback no argument.
static struct {
	char *path[FILES_MAX];
	size_t n;
} found;

struct chosen {
	struct cpio *c;
	const char *work;
	char names[CHOSEN_MAX][64];
	size_t n;
	FILE *list;
};

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_F && strstr(path, ".ko") != NULL && found.n < FILES_MAX)
		found.path[found.n++] = strdup(path);
	return 0;
}

// A module is called by _ where its file may say -.
static void module_name(const char *path, char name[64])
{
	const char *base = strrchr(path, '/');
	size_t n = 0;

	base = base != NULL ? base + 1 : path;
	for (; base[n] != '\0' && base[n] != '.' && n < 63; n++)
		name[n] = base[n] == '-' ? '_' : base[n];
	name[n] = '\0';
}

static const char *find(const char *name)
{
	char have[64];

	for (size_t i = 0; i < found.n; i++) {
		module_name(found.path[i], have);
		if (strcmp(have, name) == 0)
			return found.path[i];
	}
	return NULL;
}

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static uint8_t *read_module(const struct chosen *ch, const char *path, size_t *len)
{
	const char *tool = ends_with(path, ".xz") ? "xz" : ends_with(path, ".zst") ? "zstd" : ends_with(path, ".gz") ? "gzip" : NULL;
	const char *const argv[] = {tool, "-dc", NULL};
	char plain[FILES_PATH];

	if (tool == NULL)
		return file_read(path, MODULE_MAX, len);
	if (!file_join(plain, ch->work, "module.ko") || tool_run(argv, tool, &(struct tool_how){.in_file = path, .out_file = plain}) != 0)
		return NULL;
	return file_read(plain, MODULE_MAX, len);
}

static bool choose(struct chosen *ch, const char *name);

static bool choose_depends(struct chosen *ch, const uint8_t *module, size_t len)
{
	static const char key[] = "\0depends=";
	const char *p = memmem(module, len, key, sizeof(key) - 1);
	char names[1024];
	char *rest = names, *name;

	if (p == NULL)
		return true;
	p += sizeof(key) - 1;
	snprintf(names, sizeof(names), "%.*s", (int)strnlen(p, (size_t)((const char *)module + len - p)), p);
	while ((name = strsep(&rest, ",")) != NULL) {
		for (char *c = name; *c != '\0'; c++)
			*c = *c == '-' ? '_' : *c;
		if (*name != '\0' && !choose(ch, name))
			return false;
	}
	return true;
}

// Adds a module behind those that it needs.
static bool choose(struct chosen *ch, const char *name)
{
	const char *path = find(name);
	char entry[96];
	uint8_t *module;
	size_t len;
	bool ok;

	for (size_t i = 0; i < ch->n; i++)
		if (strcmp(ch->names[i], name) == 0)
			return true;
	if (path == NULL)
		return true;
	if (ch->n == CHOSEN_MAX) {
		cli_say("more than %d modules", CHOSEN_MAX);
		return false;
	}
	snprintf(ch->names[ch->n++], sizeof(ch->names[0]), "%s", name);
	module = read_module(ch, path, &len);
	ok = module != NULL && choose_depends(ch, module, len);
	if (ok) {
		snprintf(entry, sizeof(entry), "modules/%.63s.ko", name);
		cpio_add(ch->c, entry, S_IFREG | 0444, module, len);
		fprintf(ch->list, "%s.ko\n", name);
	}
	free(module);
	return ok;
}

int modules_add(struct cpio *c, const char *dir, const char *work)
{
	struct chosen *ch = calloc(1, sizeof(*ch));
	char *text = NULL;
	size_t len = 0;
	bool ok = ch != NULL && nftw(dir, note_file, 32, FTW_PHYS) == 0 && (ch->list = open_memstream(&text, &len)) != NULL;
	int n = -1;

	if (ok) {
		ch->c = c;
		ch->work = work;
		cpio_add(c, "modules", S_IFDIR | 0755, NULL, 0);
		for (size_t i = 0; ok && i < sizeof(wanted) / sizeof(wanted[0]); i++)
			ok = choose(ch, wanted[i]);
		fclose(ch->list);
		cpio_add(c, "modules/list", S_IFREG | 0444, text, len);
		n = ok ? (int)ch->n : -1;
	} else {
		cli_say("%s: its modules can't be listed", dir);
	}
	for (size_t i = 0; i < found.n; i++)
		free(found.path[i]);
	found.n = 0;
	free(text);
	free(ch);
	return n;
}
