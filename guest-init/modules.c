// Module loading without libkmod: finit_module(2), the kernel's own dependency errors, and depmod's text files.
#include "guest-init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest-init/text.h"

#define LIST       "/modules/list"
#define LIST_MAX   64  // modules in a list
#define PATH_CAP   512 // of a module
#define COMPRESSED 4   // MODULE_INIT_COMPRESSED_FILE of linux/module.h
#define BUS_PASSES 4   // a bus found by a driver has devices of its own: pci, virtio, net

// Loads one file.  Returns 0 (also when it is loaded already), or an errno: ENOENT can mean the file or a symbol it needs.
static int load_file(const char *path)
{
	size_t len = strlen(path);
	int flags = len > 3 && strcmp(path + len - 3, ".ko") == 0 ? 0 : COMPRESSED;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, "", flags) < 0 && errno != EEXIST)
		err = errno;
	close(fd);
	return err;
}

// Splits text into lines in place.  Returns how many of at most `most` it found; blank lines are left out.
static size_t split_lines(char *text, char **lines, size_t most)
{
	size_t n = 0;

	for (char *p = text; n < most && *p != '\0';) {
		size_t len = strcspn(p, "\n");
		bool last = p[len] == '\0';

		p[len] = '\0';
		if (len > 0)
			lines[n++] = p;
		p += len + (last ? 0 : 1);
	}
	return n;
}

void modules_from_list(void)
{
	static char text[8192];
	char *lines[LIST_MAX];
	char path[PATH_CAP];
	int errs[LIST_MAX];
	size_t n;
	bool progress = true;

	if (file_read(LIST, text, sizeof(text)) < 0)
		return;
	n = split_lines(text, lines, LIST_MAX);
	memset(errs, 0xff, sizeof(errs)); // not tried yet: any number but 0
	while (progress) {
		progress = false;
		for (size_t i = 0; i < n; i++) {
			if (errs[i] == 0)
				continue;
			errs[i] = text_join(path, sizeof(path), "/modules/", lines[i], NULL) ? load_file(path) : ENAMETOOLONG;
			progress |= errs[i] == 0;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (errs[i] != 0)
			say("module", lines[i], errs[i]);
}

// ---- modalias ---------------------------------------------------------------------------------------------------------------------

struct depmod {
	char dir[PATH_CAP]; // /lib/modules/<release>/
	const char *alias;  // modules.alias, mapped
	size_t alias_len;
	const char *dep; // modules.dep, mapped
	size_t dep_len;
	unsigned loaded; // new modules in this pass
};

static const char *map_file(const char *dir, const char *name, size_t *len)
{
	char path[PATH_CAP];
	struct stat st;
	const char *p = NULL;
	int fd;

	*len = 0;
	if (!text_join(path, sizeof(path), dir, name, NULL) || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (at != MAP_FAILED) {
			p = at;
			*len = (size_t)st.st_size;
		}
	}
	close(fd);
	return p;
}

// Takes the next line off *p; false at the end.
static bool next_line(const char **p, const char *end, const char **line, size_t *len)
{
	const char *nl;

	if (*p >= end)
		return false;
	*line = *p;
	nl = memchr(*p, '\n', (size_t)(end - *p));
	*len = (size_t)((nl != NULL ? nl : end) - *p);
	*p = nl != NULL ? nl + 1 : end;
	return true;
}

// Compares a module's name with the file name in path[0..len): '-' and '_' are the same there, and extensions don't count.
static bool names_module(const char *path, size_t len, const char *name)
{
	const char *slash = memrchr(path, '/', len);
	const char *p = slash != NULL ? slash + 1 : path;

	for (; *name != '\0'; name++, p++)
		if (p == path + len || (*p != *name && !((*p == '-' || *p == '_') && (*name == '-' || *name == '_'))))
			return false;
	return p < path + len && *p == '.';
}

static void load_relative(struct depmod *d, const char *rel, size_t len)
{
	char path[PATH_CAP];
	struct text t = text_over(path, sizeof(path));
	int err;

	text_add(&t, d->dir);
	text_add_n(&t, rel, len);
	if (t.cut)
		return;
	err = load_file(path);
	if (err != 0)
		say("module", path, err);
	else
		d->loaded++;
}

// Loads a line of modules.dep, "file: dep dep dep": what stands last is needed first.
static void load_with_deps(struct depmod *d, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *end = line + len;

	if (colon == NULL)
		return;
	while (end > colon + 1) {
		const char *space = memrchr(colon, ' ', (size_t)(end - colon));

		if (space == NULL)
			break;
		if (end > space + 1)
			load_relative(d, space + 1, (size_t)(end - space - 1));
		end = space;
	}
	load_relative(d, line, (size_t)(colon - line));
}

static void load_module(struct depmod *d, const char *name)
{
	char path[PATH_CAP];
	const char *p = d->dep;
	const char *line;
	size_t len;

	if (!text_join(path, sizeof(path), "/sys/module/", name, NULL) || access(path, F_OK) == 0)
		return;
	while (next_line(&p, d->dep + d->dep_len, &line, &len)) {
		const char *colon = memchr(line, ':', len);

		if (colon != NULL && names_module(line, (size_t)(colon - line), name)) {
			load_with_deps(d, line, len);
			return;
		}
	}
}

// Matches a pattern of *, ?, [sets] and plain characters, which is all that aliases use, against all of s.
static bool glob(const char *p, const char *s)
{
	const char *star = NULL; // where to go on when what follows the last * doesn't fit here
	const char *from = s;

	while (*s != '\0' || *p == '*') {
		const char *end = *p == '[' ? strchr(p, ']') : NULL;
		bool fits = *p == '?' || (*p == *s && *p != '\0');

		if (*p == '*') {
			star = ++p;
			from = s;
			continue;
		}
		if (end != NULL)
			fits = *s != '\0' && memchr(p + 1, *s, (size_t)(end - p - 1)) != NULL;
		if (fits) {
			p = end != NULL ? end + 1 : p + 1;
			s++;
		} else if (star == NULL) {
			return false;
		} else {
			p = star;
			s = ++from;
		}
	}
	return *p == '\0';
}

// Tries one device's modalias against every "alias <pattern> <module>" line.
static void load_alias(struct depmod *d, const char *modalias)
{
	const char *p = d->alias;
	const char *line;
	size_t len;

	while (next_line(&p, d->alias + d->alias_len, &line, &len)) {
		char row[PATH_CAP];
		char *name;

		// Matching every line would cost seconds under emulation: the bus name before the colon decides first.
		if (len < 12 || len >= sizeof(row) || memcmp(line, "alias ", 6) != 0 || memcmp(line + 6, modalias, 3) != 0)
			continue;
		memcpy(row, line + 6, len - 6);
		row[len - 6] = '\0';
		name = strrchr(row, ' ');
		if (name == NULL)
			continue;
		*name++ = '\0';
		if (glob(row, modalias))
			load_module(d, name);
	}
}

static void take_device(void *ctx, int dir, const char *name)
{
	char path[PATH_CAP];
	char modalias[256];
	ssize_t n;
	int fd;

	if (!text_join(path, sizeof(path), name, "/modalias", NULL) || (fd = openat(dir, path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	n = read(fd, modalias, sizeof(modalias));
	close(fd);
	if (n > 4) {
		modalias[n - 1] = '\0'; // its newline
		load_alias(ctx, modalias);
	}
}

static void take_bus(void *ctx, int dir, const char *name)
{
	char path[PATH_CAP];
	int fd;

	if (text_join(path, sizeof(path), name, "/devices", NULL) && (fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0)
		dir_each(fd, take_device, ctx);
}

static void walk_buses(struct depmod *d)
{
	int fd = open("/sys/bus", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		dir_each(fd, take_bus, d);
}

void modules_by_alias(void)
{
	struct utsname u;
	struct depmod d = {.alias = NULL};

	if (uname(&u) < 0 || !text_join(d.dir, sizeof(d.dir), "/lib/modules/", u.release, "/"))
		return;
	d.alias = map_file(d.dir, "modules.alias", &d.alias_len);
	d.dep = map_file(d.dir, "modules.dep", &d.dep_len);
	for (unsigned pass = 0; d.alias != NULL && d.dep != NULL && pass < BUS_PASSES; pass++) {
		d.loaded = 0;
		walk_buses(&d);
		if (d.loaded == 0)
			break;
	}
	if (d.alias != NULL)
		(void)munmap((void *)(uintptr_t)d.alias, d.alias_len);
	if (d.dep != NULL)
		(void)munmap((void *)(uintptr_t)d.dep, d.dep_len);
}
