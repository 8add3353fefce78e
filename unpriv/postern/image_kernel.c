// postern image kernel: a Debian kernel package becomes a kernel that starts by PVH and an initramfs with the modules it needs.
//
// Unpacking the bzImage here saves each boot the guest's own unpacking: 0.3 s under emulation.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unpriv/postern/bzimage.h"
#include "unpriv/postern/cli.h"
#include "unpriv/postern/cpio.h"
#include "unpriv/postern/image.h"
#include "unpriv/postern/modules.h"

#define KERNEL_MAX (512u << 20) // bytes
#define INIT_MAX   (16u << 20)

// The newest entry of dir whose name begins with prefix.
static bool newest(const char *dir, const char *prefix, char out[FILES_PATH])
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char best[256] = "";

	if (d == NULL)
		return false;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0 && strverscmp(e->d_name, best) > 0)
			snprintf(best, sizeof(best), "%s", e->d_name);
	closedir(d);
	return best[0] != '\0' && file_join(out, dir, best);
}

// Unpacks a package; a directory is taken as it is.
static bool tree_of(const struct image_options *o, const char *source, char tree[FILES_PATH])
{
	const char *const argv[] = {"dpkg-deb", "-x", source, tree, NULL};
	struct stat st;

	if (stat(source, &st) == 0 && S_ISDIR(st.st_mode))
		return (size_t)snprintf(tree, FILES_PATH, "%s", source) < FILES_PATH;
	if (file_join(tree, o->work, "kernel-tree") && tool_run(argv, "dpkg", &(struct tool_how){0}) == 0)
		return true;
	cli_say("%s: no directory and no Debian package", source);
	return false;
}

// Writes the kernel to `to`: unpacked when that gives a kernel with a PVH entry, as it is otherwise (it boots, only slower).
static bool make_kernel(const struct image_options *o, const char *vmlinuz, const char *to)
{
	char packed[FILES_PATH], plain[FILES_PATH];
	struct payload p;
	size_t len, plain_len;
	uint8_t *image = file_read(vmlinuz, KERNEL_MAX, &len), *kernel = NULL;
	bool ok = image != NULL;

	if (ok && bzimage_payload(image, len, &p) && file_join(packed, o->work, "packed") && file_join(plain, o->work, "vmlinux")) {
		const char *const argv[] = {p.tool, "-dc", NULL};

		ok = file_write(packed, image + p.off, p.len, 0600) &&
		     tool_run(argv, p.package, &(struct tool_how){.in_file = packed, .out_file = plain}) == 0;
		kernel = ok ? file_read(plain, KERNEL_MAX, &plain_len) : NULL;
		ok = kernel != NULL;
	}
	if (kernel != NULL && vmlinux_has_pvh(kernel, plain_len))
		ok = file_write(to, kernel, plain_len, 0444);
	else if (ok)
		ok = file_write(to, image, len, 0444);
	free(kernel);
	free(image);
	return ok;
}

static bool make_initrd(const struct image_options *o, const char *modules, const char *to)
{
	char init_path[FILES_PATH];
	struct cpio c = {0};
	uint8_t *init;
	size_t len;
	int n;
	bool ok;

	if (!image_find_init(o, init_path))
		return false;
	init = file_read(init_path, INIT_MAX, &len);
	c.out = init != NULL ? fopen(to, "wxe") : NULL;
	if (c.out == NULL) {
		free(init);
		return false;
	}
	cpio_add(&c, "dev", S_IFDIR | 0755, NULL, 0);
	cpio_add(&c, "init", S_IFREG | 0755, init, len);
	free(init);
	n = modules_add(&c, modules, o->work);
	cpio_end(&c);
	ok = !ferror(c.out);
	ok = fclose(c.out) == 0 && ok;
	if (ok && n == 0)
		cli_say("%s: none of the wanted modules are there; has this kernel all of it built in?", modules);
	return ok && n >= 0;
}

int image_kernel(struct image_options *o, const char *source)
{
	char tree[FILES_PATH], boot[FILES_PATH], lib[FILES_PATH], vmlinuz[FILES_PATH], modules[FILES_PATH];
	char kernel[FILES_PATH], initrd[FILES_PATH], to_kernel[FILES_PATH], to_initrd[FILES_PATH];
	const char *name = o->name;

	if (!image_file(o, name != NULL ? name : "kernel", name != NULL ? ".kernel" : "", to_kernel) ||
	    !image_file(o, name != NULL ? name : "initrd", name != NULL ? ".initrd" : "", to_initrd))
		return CLI_USAGE;
	if (!tree_of(o, source, tree) || !file_join(boot, tree, "boot") || !file_join(lib, tree, "lib/modules"))
		return CLI_FAILED;
	if (!newest(boot, "vmlinuz-", vmlinuz) || !newest(lib, strrchr(vmlinuz, '/') + sizeof("/vmlinuz-") - 1, modules)) {
		cli_say("%s: no boot/vmlinuz-VERSION with lib/modules/VERSION in there", source);
		return CLI_FAILED;
	}
	if (!file_join(kernel, o->work, "kernel") || !file_join(initrd, o->work, "initrd"))
		return CLI_FAILED;
	if (!make_kernel(o, vmlinuz, kernel) || !make_initrd(o, modules, initrd) || !file_place(kernel, to_kernel, 0444, o->force) ||
	    !file_place(initrd, to_initrd, 0444, o->force))
		return CLI_FAILED;
	cli_say("made %s and %s", to_kernel, to_initrd);
	return CLI_OK;
}
