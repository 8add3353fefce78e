// Process 1 forks the agent and only reaps: it never waits for a command, so no exit code can be stolen.
#include "guest-init/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-init/agent.h"
#include "guest-init/shutdown.h"
#include "guest-init/text.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
#define STABLE_MS    10000 // an agent that lived this long starts again without a pause

struct agent {
	pid_t pid;         // 0 while none runs
	uint64_t began;    // ms of now_ms(), when it was last started
	uint64_t due;      // when to start the next
	uint64_t pause_ms; // before the next
	int listener;      // -1: no vsock so far
};

static sigset_t waited_for(void)
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	return set;
}

void supervise_init(void)
{
	sigset_t set = waited_for();

	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void start(struct agent *a, const struct config *c)
{
	a->began = now_ms();
	if (a->listener < 0)
		a->listener = agent_listen();
	a->pid = _Fork();
	if (a->pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		agent_main(a->listener, c);
	}
	if (a->pid < 0) {
		say("fork", NULL, errno);
		a->pid = 0;
		a->due = a->began + PAUSE_MAX_MS;
	}
}

static void reap(struct agent *a)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		uint64_t now = now_ms();

		if (pid != a->pid)
			continue;
		say("the agent died; starting another", NULL, 0);
		if (now - a->began >= STABLE_MS)
			a->pause_ms = 0;
		a->pid = 0;
		a->due = now + a->pause_ms;
		a->pause_ms = a->pause_ms == 0 ? PAUSE_MIN_MS : a->pause_ms * 2;
		if (a->pause_ms > PAUSE_MAX_MS)
			a->pause_ms = PAUSE_MAX_MS;
	}
}

static unsigned grace_of(const siginfo_t *info)
{
	bool given = info->si_code == SI_QUEUE && info->si_value.sival_int >= 0;

	return given ? (unsigned)info->si_value.sival_int : SHUTDOWN_GRACE_MS;
}

_Noreturn void supervise(const struct config *c)
{
	struct agent a = {.pid = 0, .listener = -1};
	sigset_t set = waited_for();

	for (;;) {
		struct timespec wait = {.tv_sec = 3600};
		siginfo_t info;
		uint64_t now = now_ms();

		if (a.pid == 0 && now >= a.due)
			start(&a, c);
		if (a.pid == 0) {
			uint64_t left = a.due > now ? a.due - now : 0;

			wait = (struct timespec){.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
		}
		switch (sigtimedwait(&set, &info, &wait)) {
		case SIGCHLD: reap(&a); break;
		case SIGTERM:
		case SIGINT: shutdown_guest(true, grace_of(&info));
		case SIGUSR1:
		case SIGUSR2:
		case SIGPWR: shutdown_guest(false, grace_of(&info));
		default: break; // the pause is over, or a signal of a debugger's
		}
	}
}
