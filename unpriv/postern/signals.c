// See signals.h.
#include "unpriv/postern/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t watched;

int signals_open(void)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	sigemptyset(&watched);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct sigaction now;

		if (wanted[i] == SIGHUP && sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			continue;
		(void)signal(wanted[i], SIG_DFL); // an ignored signal wouldn't reach the descriptor
		sigaddset(&watched, wanted[i]);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &watched, NULL) < 0)
		return -1;
	return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_watch_size(int fd)
{
	sigaddset(&watched, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &watched, NULL) == 0)
		(void)signalfd(fd, &watched, 0);
}

int signals_next(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}
