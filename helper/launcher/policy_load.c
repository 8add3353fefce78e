// Reads the policy file, trusting nothing on the way to it.  See policy_file.h.
#include "helper/launcher/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool roots_alone(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Goes one component down.  Returns the new descriptor, or -1 with errno or *what; dir is closed in any case.
static int step(int dir, const char *name, size_t len, int flags, const char **what)
{
	char part[POLICY_PATH];
	struct stat st;
	int fd;

	if (len == 0 || len >= sizeof(part)) {
		close(dir);
		errno = EINVAL;
		return -1;
	}
	memcpy(part, name, len);
	part[len] = '\0';
	fd = openat(dir, part, flags | O_NOFOLLOW | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && roots_alone(&st))
		return fd;
	*what = "it, or a directory above it, doesn't belong to root alone";
	close(fd);
	return -1;
}

// Opens path component by component.  Returns -1 with errno or *what.
static int walk(const char *path, const char **what)
{
	struct stat st;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, &st) != 0 || !roots_alone(&st)))
		*what = "the root directory doesn't belong to root alone";
	while (fd >= 0 && *what == NULL && *path == '/') {
		size_t len = strcspn(++path, "/");
		bool last = path[len] == '\0';

		// O_NONBLOCK: a FIFO there must not hold us up; it is refused as not regular.
		fd = step(fd, path, len, last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY, what);
		path += len;
	}
	return *what == NULL ? fd : -1;
}

// Reads the whole of fd.  Returns what is wrong, or NULL with *len.
static const char *slurp(int fd, char *buf, size_t cap, size_t *len)
{
	struct stat st;
	ssize_t n = 1;

	*len = 0;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_size > (off_t)POLICY_FILE_MAX)
		return "longer than 64 KiB";
	while (*len < cap && n > 0) {
		n = read(fd, buf + *len, cap - *len);
		if (n < 0)
			return "can't be read";
		*len += (size_t)n;
	}
	return *len > POLICY_FILE_MAX ? "longer than 64 KiB" : NULL;
}

bool policy_load(struct policy *p, const char *path, struct policy_error *err)
{
	static char text[POLICY_FILE_MAX + 1];
	size_t len;
	int fd;

	*err = (struct policy_error){0, NULL};
	fd = walk(path, &err->what);
	if (fd < 0 && err->what == NULL && errno == ENOENT) {
		policy_default(p);
		return true;
	}
	if (fd < 0) {
		if (err->what == NULL)
			err->what = errno == ELOOP || errno == ENOTDIR ? "it, or a directory above it, is a symlink" : "can't be opened";
		return false;
	}
	err->what = slurp(fd, text, sizeof(text), &len);
	close(fd);
	return err->what == NULL && policy_parse(p, text, len, err);
}
