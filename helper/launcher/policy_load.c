// Reads the policy file, trusting nothing on the way to it.  See policy_file.h.
#include "helper/launcher/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/common/rootpath.h"

#define NOT_ALONE "it, or a directory above it, doesn't belong to root alone"

// Reads the whole of fd.  Returns what is wrong, or NULL with *len.
static const char *slurp(int fd, char *buf, size_t cap, size_t *len)
{
	struct stat st;
	ssize_t n = 1;

	*len = 0;
	if (fstat(fd, &st) != 0 || !rootpath_alone(&st))
		return NOT_ALONE;
	if (!S_ISREG(st.st_mode))
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
	// O_NONBLOCK: a FIFO there must not hold us up; it is refused as not regular.
	fd = rootpath_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT) {
		policy_default(p);
		return true;
	}
	if (fd < 0) {
		err->what = errno == EPERM                       ? NOT_ALONE
		            : errno == ELOOP || errno == ENOTDIR ? "it, or a directory above it, is a symlink"
		                                                 : "can't be opened";
		return false;
	}
	err->what = slurp(fd, text, sizeof(text), &len);
	close(fd);
	return err->what == NULL && policy_parse(p, text, len, err);
}
