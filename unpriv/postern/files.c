// See files.h.
#include "unpriv/postern/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpriv/postern/cli.h"

static bool fail(const char *path)
{
	cli_say("%s: %s", path, strerror(errno));
	return false;
}

bool file_join(char out[FILES_PATH], const char *dir, const char *name)
{
	if ((size_t)snprintf(out, FILES_PATH, "%s/%s", dir, name) < FILES_PATH)
		return true;
	cli_say("%s/%s: too long", dir, name);
	return false;
}

static bool read_all(int fd, uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

uint8_t *file_read(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)fail(path);
	} else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
		cli_say("%s: not a regular file of at most %zu bytes", path, max);
	} else {
		*len = (size_t)st.st_size;
		data = malloc(*len + 1);
		if (data == NULL || !read_all(fd, data, *len)) {
			(void)fail(path);
			free(data);
			data = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return data;
}

bool file_write(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	const char *p = data;
	bool ok = fd >= 0;

	while (ok && len > 0) {
		ssize_t n = write(fd, p, len);

		ok = n > 0 || (n < 0 && errno == EINTR);
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	ok = ok && fchmod(fd, mode) == 0 && fsync(fd) == 0;
	if (!ok)
		(void)fail(path);
	if (fd >= 0)
		close(fd);
	return ok;
}

// Shared where the file system can; holes stay holes only then.
static bool copy_bytes(int from, int to)
{
	ssize_t n;

	if (ioctl(to, FICLONE, from) == 0)
		return true;
	do
		n = sendfile(to, from, NULL, 64u << 20);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

bool file_copy(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	bool ok = in >= 0;

	if (!ok)
		return fail(from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	ok = out >= 0 && copy_bytes(in, out) && fchmod(out, mode) == 0 && fsync(out) == 0;
	if (!ok)
		(void)fail(to);
	if (out >= 0)
		close(out);
	close(in);
	return ok;
}

bool file_place(const char *from, const char *to, mode_t mode, bool replace)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	if (!ok)
		return fail(from);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EEXIST)
		return fail(to);
	cli_say("%s is there already; --force replaces it", to);
	return false;
}

bool file_mkdirs(const char *path, mode_t mode)
{
	char dir[FILES_PATH];

	if ((size_t)snprintf(dir, sizeof(dir), "%s", path) >= sizeof(dir))
		return fail(path);
	for (char *p = dir + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(dir, mode) < 0 && errno != EEXIST)
			return fail(dir);
		*p = c;
		if (c == '\0')
			return true;
	}
}
