// postern image import: a directory or tar archive becomes an ext4 file, without privilege and without a mount.
//
// mke2fs copies the tree; debugfs then adds postern-init and the mount points, so that the caller's directory stays as it is.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/image.h"

#define MIB (1ull << 20)

// nftw() gives its callback no argument.
static struct {
	uint64_t bytes, inodes;
} sum;

static int count(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	sum.inodes++;
	if (type == FTW_F || type == FTW_D)
		sum.bytes += ((uint64_t)st->st_size + 4095) / 4096 * 4096;
	return 0;
}

// A tenth more than the content and its inodes, and room for the journal.
static uint64_t size_for(const char *tree)
{
	sum.bytes = sum.inodes = 0;
	(void)nftw(tree, count, 32, FTW_PHYS);
	return (sum.bytes + sum.inodes * 512) / 10 * 11 / MIB + 24;
}

static bool unpack(const struct image_options *o, const char *archive, const char *tree, bool root)
{
	const char *owner = geteuid() == 0 ? "--same-owner" : "--no-same-owner";
	// Device nodes need privilege, and the guest has its own /dev.
	const char *const argv[] = {"tar", "-C", tree, "--numeric-owner", owner, "-p", "--exclude=dev/*", "--exclude=./dev/*", "-xf", archive, NULL};

	(void)o;
	if (mkdir(tree, 0755) == 0 && tool_run(argv, "tar", &(struct tool_how){.root = root}) == 0)
		return true;
	cli_say("%s: can't be unpacked", archive);
	return false;
}

static bool make_ext4(const struct image_options *o, const char *tree, const char *image, bool root)
{
	uint64_t mib = o->size_mib > 0 ? (uint64_t)o->size_mib : size_for(tree);
	char size[32], inodes[32];
	const char *const argv[] = {"mke2fs", "-q",   "-t", "ext4", "-F",  "-b", "4096", "-m", "0", "-E", "root_owner=0:0,lazy_itable_init=1",
	                            "-N",     inodes, "-d", tree,   image, size, NULL};

	if (o->size_mib > 0)
		(void)size_for(tree);
	snprintf(size, sizeof(size), "%lluM", (unsigned long long)mib);
	snprintf(inodes, sizeof(inodes), "%llu", (unsigned long long)sum.inodes + sum.inodes / 4 + 512);
	if (tool_run(argv, "e2fsprogs", &(struct tool_how){.root = root}) == 0)
		return true;
	cli_say("the file system can't be made; is it too small?  --size MIB says how large");
	return false;
}

// debugfs takes commands from a file and reports nothing by its exit code, so what it was to make is read back.
static bool has_init(const struct image_options *o, const char *image)
{
	char out[FILES_PATH];
	const char *const argv[] = {"debugfs", "-R", "stat /postern-init", image, NULL};
	uint8_t *text;
	size_t len;
	bool ok;

	if (!file_join(out, o->work, "stat") || tool_run(argv, "e2fsprogs", &(struct tool_how){.out_file = out, .quiet = true}) != 0)
		return false;
	text = file_read(out, 65536, &len);
	ok = text != NULL && memmem(text, len, "Type: regular", 13) != NULL && memmem(text, len, "Mode:  0755", 11) != NULL;
	free(text);
	return ok;
}

static bool add_init(const struct image_options *o, const char *image)
{
	static const char commands[] = "rm /postern-init\n"
	                               "mkdir /dev\nmkdir /proc\nmkdir /sys\nmkdir /run\nmkdir /tmp\n"
	                               "write postern-init /postern-init\n"
	                               "sif /postern-init mode 0100755\nsif /postern-init uid 0\nsif /postern-init gid 0\n";
	char init[FILES_PATH], copy[FILES_PATH], script[FILES_PATH];
	const char *const argv[] = {"debugfs", "-w", "-f", script, image, NULL};

	if (!image_find_init(o, init) || !file_join(copy, o->work, "postern-init") || !file_join(script, o->work, "commands"))
		return false;
	if (!file_copy(init, copy, 0755) || !file_write(script, commands, sizeof(commands) - 1, 0600))
		return false;
	if (tool_run(argv, "e2fsprogs", &(struct tool_how){.cwd = o->work, .quiet = true}) == 0 && has_init(o, image))
		return true;
	cli_say("postern-init can't be put into the image; is it full?  --size MIB says how large it is to be");
	return false;
}

int image_import(struct image_options *o, const char *name, const char *source)
{
	char to[FILES_PATH], tree[FILES_PATH], image[FILES_PATH], from[FILES_PATH];
	struct stat st;
	bool root;

	if (!image_file(o, name, ".ext4", to))
		return CLI_USAGE;
	if (realpath(source, from) == NULL || stat(from, &st) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
		return cli_usage("%s: no directory and no archive", source);
	if (!file_join(tree, o->work, "tree") || !file_join(image, o->work, "image"))
		return CLI_FAILED;
	root = tool_can_be_root();
	if (!root)
		cli_say("no user namespaces here: files in the image will belong to uid %u instead of root", geteuid());
	if (S_ISREG(st.st_mode) && !unpack(o, from, tree, root))
		return CLI_FAILED;
	if (!make_ext4(o, S_ISREG(st.st_mode) ? tree : from, image, root) || !add_init(o, image) || !file_place(image, to, 0444, o->force))
		return CLI_FAILED;
	cli_say("made %s", to);
	return CLI_OK;
}
