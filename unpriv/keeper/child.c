// The child's fds are moved twice: first all of them above every target number, then to their places, so that the order in which they came does not
// matter.
#include "unpriv/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int place_fds(const int fds[], size_t nfds, int output)
{
	const int above = CHILD_FIRST_FD + CHILD_MAX_FDS;
	int moved[CHILD_MAX_FDS];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = fcntl(output, F_DUPFD_CLOEXEC, above);

	if (null < 0 || out < 0)
		return -1;
	for (size_t i = 0; i < nfds; i++)
		if ((moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, above)) < 0)
			return -1;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		return -1;
	for (size_t i = 0; i < nfds; i++)
		if (dup2(moved[i], CHILD_FIRST_FD + (int)i) < 0)
			return -1;
	return close_range(CHILD_FIRST_FD + (unsigned)nfds, ~0u, 0);
}

// The keeper ignores SIGPIPE and blocks what it reads from its signalfd; both would survive the exec.
static int reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : sigprocmask(SIG_SETMASK, &none, NULL);
}

static void say_why(const char *path)
{
	const char *parts[] = {"postern-keeper: can't start ", path, ": ", strerrordesc_np(errno), "\n"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i] && write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			return;
}

pid_t child_start(const char *path, char *const argv[], const int fds[], size_t nfds, int output)
{
	char *const environment[] = {NULL};

	if (nfds > CHILD_MAX_FDS) {
		errno = EINVAL;
		return -1;
	}
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (place_fds(fds, nfds, output) == 0 && reset_signals() == 0)
		execve(path, argv, environment);
	say_why(path);
	_exit(127);
}
