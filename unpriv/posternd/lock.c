// The lock is flock on <state-dir>/lock: the kernel drops it with the process, so nothing goes stale.
// The pid inside is for people. See lock.h.
#include "unpriv/posternd/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "unpriv/common/log.h"

static void log_holder(int fd, const char *path)
{
	char pid[16] = "?";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
	if (n > 0)
		pid[strcspn(pid, "\n")] = '\0';
	log_error("another posternd uses this state directory", "lock=%s pid=%s", path, pid);
}

static bool write_pid(int fd)
{
	char pid[16];
	int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	return ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) == n;
}

bool lock_take(const char *state_dir)
{
	char path[4096];
	if (snprintf(path, sizeof path, "%s/lock", state_dir) >= (int)sizeof path) {
		log_error("state directory's path is too long", NULL);
		return false;
	}
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_error("can't open the lock file", "lock=%s error=%s", path, strerror(errno));
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_holder(fd, path);
		close(fd);
		return false;
	}
	return write_pid(fd); // the descriptor stays open: it is the lock
}
