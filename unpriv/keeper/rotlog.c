// The VMM shares the keeper's uid, so a VMM that was taken over can do what it likes with these files. What bounds it is the size of its disk limits,
// not this code; what this code bounds is the honest VMM with a hostile guest.
#include "unpriv/keeper/rotlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool rotlog_open(struct rotlog *log, int dir, const char *name, size_t limit)
{
	struct stat st;

	*log = (struct rotlog){.dir = dir, .name = name, .limit = limit, .fd = -1};
	log->fd = openat(dir, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, ROTLOG_MODE);
	if (log->fd < 0)
		return false;
	if (fstat(log->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(log->fd);
		log->fd = -1;
		errno = EINVAL;
		return false;
	}
	log->size = (size_t)st.st_size;
	return true;
}

static void rotate(struct rotlog *log)
{
	char old[64];
	size_t limit = log->limit;

	snprintf(old, sizeof old, "%s.1", log->name);
	close(log->fd);
	renameat(log->dir, log->name, log->dir, old);
	rotlog_open(log, log->dir, log->name, limit);
}

void rotlog_write(struct rotlog *log, const char *bytes, size_t length)
{
	if (log->fd >= 0 && log->size > 0 && log->size + length > log->limit)
		rotate(log);
	while (length && log->fd >= 0) {
		ssize_t wrote = write(log->fd, bytes, length);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return;
		bytes += wrote;
		length -= (size_t)wrote;
		log->size += (size_t)wrote;
	}
}

void rotlog_say(struct rotlog *log, const char *format, ...)
{
	char line[256] = "postern-keeper: ";
	const size_t prefix = 16;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(line + prefix, sizeof line - prefix - 1, format, args);
	va_end(args);
	if (length < 0)
		return;
	size_t end = prefix + (size_t)length;
	if (end > sizeof line - 2)
		end = sizeof line - 2;
	line[end++] = '\n';
	rotlog_write(log, line, end);
}
