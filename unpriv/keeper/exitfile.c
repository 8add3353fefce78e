// Written beside and renamed over, so that a reader sees all of it or nothing.
#include "unpriv/keeper/exitfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static bool write_all(int fd, const char *text, int length)
{
	if (write(fd, text, (size_t)length) == length && fsync(fd) == 0)
		return close(fd) == 0;
	int why = errno;
	close(fd);
	errno = why;
	return false;
}

bool exitfile_write(int dir, const struct vm *vm, const char *detail, int64_t at_unix_ms)
{
	char text[512];
	const char *temporary = EXITFILE_NAME ".new";
	int length =
	    snprintf(text, sizeof text, "{\"reason\":\"%s\",\"exit_code\":%d,\"signal\":%d,\"at_unix_ms\":%" PRId64 ",\"detail\":\"%.200s\"}\n",
	             vm_reason_name(vm->reason), vm->exit_code, vm->signal, at_unix_ms, detail);

	unlinkat(dir, temporary, 0);
	int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	return write_all(fd, text, length) && renameat(dir, temporary, dir, EXITFILE_NAME) == 0;
}
