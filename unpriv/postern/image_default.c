// postern image default: what `postern run -- CMD` boots.  The root is busybox with a name for each of its applets.
#include <elf.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/image.h"

#define BUSYBOX_MAX (16u << 20) // bytes
#define META        "linux-image-cloud-amd64"

// A dynamic program names its interpreter in a PT_INTERP part; a static one has none.
static bool is_static(const uint8_t *file, size_t len)
{
	Elf64_Ehdr head;

	if (len < sizeof(head) || memcmp(file, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&head, file, sizeof(head));
	for (size_t i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr part;

		if (head.e_phoff > len || len - head.e_phoff < (i + 1) * sizeof(part))
			return false;
		memcpy(&part, file + head.e_phoff + i * sizeof(part), sizeof(part));
		if (part.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static bool add_busybox(const char *root)
{
	char from[FILES_PATH], to[FILES_PATH];
	uint8_t *file;
	size_t len = 0;
	bool ok;

	if (!tool_find("busybox", from) || !file_join(to, root, "bin/busybox")) {
		cli_say("busybox is missing: install the package busybox-static");
		return false;
	}
	file = file_read(from, BUSYBOX_MAX, &len);
	ok = file != NULL && is_static(file, len);
	if (file != NULL && !ok)
		cli_say("%s is linked dynamically: install the package busybox-static", from);
	ok = ok && file_write(to, file, len, 0755);
	free(file);
	return ok;
}

static bool add_applets(const struct image_options *o, const char *root)
{
	static const char *const argv[] = {"busybox", "--list", NULL};
	char out[FILES_PATH], path[FILES_PATH];
	char *text, *rest, *applet;
	size_t len;
	bool ok = true;

	if (!file_join(out, o->work, "applets") || tool_run(argv, "busybox-static", &(struct tool_how){.out_file = out}) != 0)
		return false;
	text = (char *)file_read(out, 1u << 20, &len);
	if (text == NULL)
		return false;
	text[len] = '\0'; // file_read() leaves room for it
	for (rest = text; ok && (applet = strsep(&rest, "\n")) != NULL;) {
		if (*applet == '\0' || strcmp(applet, "busybox") == 0 || strchr(applet, '/') != NULL)
			continue;
		ok = (size_t)snprintf(path, sizeof(path), "%s/bin/%s", root, applet) < sizeof(path) && symlink("busybox", path) == 0;
		if (!ok)
			cli_say("%s: %s", path, strerror(errno));
	}
	free(text);
	return ok;
}

static bool make_root(const struct image_options *o, const char *root)
{
	static const char *const dirs[] = {"bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "tmp", "var/tmp"};
	static const struct {
		const char *name, *text;
	} files[] = {
	    {"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
	    {"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
	    {"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
	    {"etc/profile", "export PATH=/bin:/usr/bin:/sbin:/usr/sbin\n"},
	    {"etc/os-release", "ID=postern\nNAME=\"postern default root\"\n"},
	};
	static const char *const links[] = {"sbin", "usr"};
	char path[FILES_PATH];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (!file_join(path, root, dirs[i]) || !file_mkdirs(path, 0755))
			return false;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!file_join(path, root, files[i].name) || !file_write(path, files[i].text, strlen(files[i].text), 0644))
			return false;
	// /sbin and /usr/bin are /bin, as programs expect their paths.
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (!file_join(path, root, links[i]) || symlink(i == 0 ? "bin" : ".", path) < 0)
			return false;
	return add_busybox(root) && add_applets(o, root);
}

// The package that the meta package depends on: its name is the first "Depends: " of apt-cache.
static bool current_package(const struct image_options *o, char name[128])
{
	static const char *const argv[] = {"apt-cache", "depends", META, NULL};
	char out[FILES_PATH];
	char *text, *p;
	size_t len;
	bool ok;

	if (!file_join(out, o->work, "depends") || tool_run(argv, "apt", &(struct tool_how){.out_file = out}) != 0)
		return false;
	text = (char *)file_read(out, 65536, &len);
	if (text == NULL)
		return false;
	text[len] = '\0';
	p = strstr(text, "Depends: linux-image-");
	ok = p != NULL && sscanf(p, "Depends: %127s", name) == 1;
	if (!ok)
		cli_say("apt knows no " META "; run apt-get update, or name a kernel package: postern image default DEB");
	free(text);
	return ok;
}

static bool download(const struct image_options *o, char deb[FILES_PATH])
{
	char package[128], pattern[FILES_PATH];
	const char *const argv[] = {"apt-get", "-q", "-o", "Acquire::Retries=3", "-o", "APT::Sandbox::User=root", "download", package, NULL};
	glob_t found = {0};
	bool ok;

	if (!current_package(o, package) || tool_run(argv, "apt", &(struct tool_how){.cwd = o->work}) != 0)
		return false;
	ok = file_join(pattern, o->work, "linux-image-*.deb") && glob(pattern, 0, NULL, &found) == 0;
	if (ok)
		snprintf(deb, FILES_PATH, "%s", found.gl_pathv[0]);
	globfree(&found);
	return ok;
}

int image_default(struct image_options *o, const char *package)
{
	char root[FILES_PATH], deb[FILES_PATH];
	int rc;

	if (package == NULL && !download(o, deb)) {
		cli_say("the kernel can't be downloaded; name a package: postern image default DEB");
		return CLI_FAILED;
	}
	o->name = NULL;
	rc = image_kernel(o, package != NULL ? package : deb);
	if (rc != CLI_OK)
		return rc;
	if (!file_join(root, o->work, "root") || !make_root(o, root))
		return CLI_FAILED;
	return image_import(o, "root", root);
}
