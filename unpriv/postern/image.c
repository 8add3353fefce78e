// postern image: options, and the verbs that only handle files.  See image.h.
#include "unpriv/postern/image.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/wire.h"
#include "unpriv/postern/cli.h"
#include "unpriv/postern/policyline.h"
#include "unpriv/postern/report.h"

#define IMAGE_ROOT "/srv/postern/images" // as in policy.conf(5)
#define SUFFIX     ".ext4"

static const char usage[] = "Usage: postern image [OPTIONS] VERB …\n\n"
                            "Verbs:\n"
                            "  import NAME DIR|TAR  make an image from a directory or tar archive, with postern-init in it\n"
                            "  kernel DEB|DIR       make kernel and initramfs from a kernel package or its unpacked tree\n"
                            "  default [DEB]        make the default bundle: a busybox root and Debian's cloud kernel\n"
                            "  list                 list the images\n"
                            "  tag NAME NEW         give an image another name (a copy that shares its blocks where it can)\n"
                            "  remove NAME          remove an image\n\n"
                            "Options:\n"
                            "  --image-root DIR     default: image-root of /etc/postern/policy.conf, else " IMAGE_ROOT "\n"
                            "  --tenant T           whose images; default: default\n"
                            "  --name N             kernel: make N.kernel and N.initrd instead of the default bundle's\n"
                            "  --size MIB           import: size of the file system\n"
                            "  --init FILE          import, kernel: the postern-init to bake in\n"
                            "  --force              replace what is there\n";

bool image_file(const struct image_options *o, const char *name, const char *suffix, char out[FILES_PATH])
{
	if (!wire_relpath_ok(name) || strchr(name, '/') != NULL || name[0] == '.' || strlen(name) > 128) {
		cli_say("\"%s\" is no image name: 1 to 128 characters, no /, not starting with .", name);
		return false;
	}
	return (size_t)snprintf(out, FILES_PATH, "%s/%s%s", o->dir, name, suffix) < FILES_PATH;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool image_find_init(const struct image_options *o, char out[FILES_PATH])
{
	char self[FILES_PATH - 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (o->init != NULL) {
		snprintf(out, FILES_PATH, "%s", o->init);
	} else {
		self[n > 0 ? n : 0] = '\0';
		slash = strrchr(self, '/');
		snprintf(out, FILES_PATH, "%.*s/postern-init", slash != NULL ? (int)(slash - self) : 0, self);
		if (!exists(out))
			snprintf(out, FILES_PATH, "/usr/libexec/postern/postern-init");
	}
	if (exists(out))
		return true;
	cli_say("%s: not there; --init FILE names postern-init", out);
	return false;
}

static int list(const struct cli *cli, const struct image_options *o)
{
	json_t *images = json_array();
	struct dirent **entries;
	int n = scandir(o->dir, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[FILES_PATH];
		struct stat st;

		if (entries[i]->d_name[0] != '.' && file_join(path, o->dir, entries[i]->d_name) && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			json_array_append_new(images, json_pack("{s:s, s:I, s:I, s:I}", "name", entries[i]->d_name, "size", (json_int_t)st.st_size,
			                                        "stored", (json_int_t)st.st_blocks * 512, "modified_unix", (json_int_t)st.st_mtime));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (cli->json) {
		report_json(stdout, images);
	} else {
		size_t i;
		json_t *image;

		printf("%-32s %10s %10s  %s\n", "NAME", "SIZE", "STORED", "MODIFIED");
		json_array_foreach(images, i, image)
		{
			time_t when = (time_t)json_integer_value(json_object_get(image, "modified_unix"));
			char text[32] = "";

			strftime(text, sizeof(text), "%Y-%m-%d %H:%M", localtime(&when));
			printf("%-32s %8lld K %8lld K  %s\n", json_string_value(json_object_get(image, "name")),
			       (long long)json_integer_value(json_object_get(image, "size")) / 1024,
			       (long long)json_integer_value(json_object_get(image, "stored")) / 1024, text);
		}
	}
	json_decref(images);
	return CLI_OK;
}

static int tag(struct image_options *o, const char *name, const char *new)
{
	char from[FILES_PATH], to[FILES_PATH], made[FILES_PATH];

	if (!image_file(o, name, SUFFIX, from) || !image_file(o, new, SUFFIX, to))
		return CLI_USAGE;
	if (!file_join(made, o->work, "image") || !file_copy(from, made, 0444) || !file_place(made, to, 0444, o->force))
		return CLI_FAILED;
	return CLI_OK;
}

static int remove_image(struct image_options *o, const char *name)
{
	char path[FILES_PATH];

	if (!image_file(o, name, SUFFIX, path))
		return CLI_USAGE;
	if (unlink(path) == 0)
		return CLI_OK;
	cli_say("%s: %s", path, strerror(errno));
	return CLI_FAILED;
}

static bool prepare(struct image_options *o)
{
	static char root[FILES_PATH];

	if (o->root == NULL)
		o->root = policy_value("image-root", root, sizeof(root)) ? root : IMAGE_ROOT;
	if (!wire_relpath_ok(o->tenant) || strchr(o->tenant, '/') != NULL) {
		cli_say("--tenant: \"%s\" is no tenant", o->tenant);
		return false;
	}
	if (!file_join(o->dir, o->root, o->tenant) || !file_mkdirs(o->dir, 0755) || !file_join(o->work, o->dir, ".work-XXXXXX"))
		return false;
	if (mkdtemp(o->work) != NULL)
		return true;
	cli_say("%s: %s", o->dir, strerror(errno));
	return false;
}

// What tar unpacked may forbid its owner to delete it: as root of a user namespace rm can, where that is possible.
static void clear_work(const struct image_options *o)
{
	const char *const argv[] = {"rm", "-rf", "--", o->work, NULL};

	if (tool_run(argv, "coreutils", &(struct tool_how){.root = true, .quiet = true}) != 0)
		(void)tool_run(argv, "coreutils", &(struct tool_how){0});
}

static int image_option(struct cli *cli, struct image_options *o, int argc, char **argv, int *i)
{
	static const struct {
		const char *name;
		size_t off;
	} texts[] = {
	    {"--image-root", offsetof(struct image_options, root)},
	    {"--tenant", offsetof(struct image_options, tenant)},
	    {"--init", offsetof(struct image_options, init)},
	    {"--name", offsetof(struct image_options, name)},
	};
	const char *value;

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
		if (!cli_is(argv[*i], texts[k].name))
			continue;
		value = cli_value(argc, argv, i);
		memcpy((char *)o + texts[k].off, &value, sizeof(value));
		return value != NULL ? CLI_OK : CLI_USAGE;
	}
	if (cli_is(argv[*i], "--size")) {
		value = cli_value(argc, argv, i);
		o->size_mib = value != NULL ? atol(value) : 0;
		return o->size_mib > 0 ? CLI_OK : cli_usage("--size needs a number of MiB");
	}
	if (strcmp(argv[*i], "--force") == 0)
		o->force = true;
	else if (!cli_option(cli, argc, argv, i))
		return cli_usage("%s: no such option; `postern image --help` shows them", argv[*i]);
	return CLI_OK;
}

static int act(const struct cli *cli, struct image_options *o, const char *const *w, int n)
{
	if (n == 3 && strcmp(w[0], "import") == 0)
		return image_import(o, w[1], w[2]);
	if (n == 2 && strcmp(w[0], "kernel") == 0)
		return image_kernel(o, w[1]);
	if ((n == 1 || n == 2) && strcmp(w[0], "default") == 0)
		return image_default(o, n == 2 ? w[1] : NULL);
	if (n == 3 && strcmp(w[0], "tag") == 0)
		return tag(o, w[1], w[2]);
	if (n == 2 && strcmp(w[0], "remove") == 0)
		return remove_image(o, w[1]);
	if (n == 1 && strcmp(w[0], "list") == 0)
		return list(cli, o);
	fputs(usage, stderr);
	return CLI_USAGE;
}

int verb_image(struct cli *cli, int argc, char **argv)
{
	struct image_options o = {.tenant = "default"};
	const char *words[4] = {NULL};
	int n = 0, rc = CLI_OK;

	for (int i = 1; i < argc && rc == CLI_OK; i++) {
		if (argv[i][0] == '-')
			rc = image_option(cli, &o, argc, argv, &i);
		else if (n < 4)
			words[n++] = argv[i];
	}
	if (rc == CLI_OK && cli->help) {
		fputs(usage, stdout);
		cli->help = false;
		return CLI_OK;
	}
	if (rc != CLI_OK)
		return rc;
	if (n == 0 || n == 4) {
		fputs(usage, stderr);
		return CLI_USAGE;
	}
	if (!prepare(&o))
		return CLI_FAILED;
	rc = act(cli, &o, words, n);
	clear_work(&o);
	return rc;
}
