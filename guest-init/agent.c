// The accept loop.  See agent.h.
#include "guest-init/agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-init/conn.h"
#include "guest-init/text.h"

struct agent {
	int listener;
	int sigfd;
	agent_admits *admits;
	struct serve_env *env;
	unsigned conns; // processes alive
};

// The counter all processes share; only a process that is killed outright leaves it too high, and then no longer than others run.
static uint32_t *shared_counter(void)
{
	void *p = mmap(NULL, sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	return p;
}

static void set_up(struct agent *a)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN); // a command that closes its stdin is no reason to die
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	a->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	a->env->running = shared_counter();
	(void)file_write("/proc/self/oom_score_adj", "-1000"); // the guest's last hope when memory is short
}

static void reap(struct agent *a)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(a->sigfd, &info, sizeof(info));
	while (n > 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		a->conns--;
	if (a->conns == 0)
		__atomic_store_n(a->env->running, 0, __ATOMIC_RELAXED);
}

static void refuse(int fd)
{
	static const char full[] = "too many connections";
	static struct conn c;

	conn_init(&c, fd);
	(void)conn_put_error(&c, EAGAIN, full);
	(void)conn_flush(&c);
	conn_end(&c);
}

static void accept_one(struct agent *a)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd;
	pid_t pid;

	memset(&peer, 0, sizeof(peer));
	fd = accept4(a->listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK)
			_exit(1);
		return;
	}
	if (!a->admits(&peer)) {
		close(fd);
		return;
	}
	pid = a->conns < AGENT_CONNS ? _Fork() : -1;
	if (pid == 0) {
		close(a->listener);
		close(a->sigfd);
		serve(fd, a->env);
		_exit(0);
	}
	if (pid < 0) {
		refuse(fd);
		return;
	}
	a->conns++;
	close(fd);
}

_Noreturn void agent_run(int listener, agent_admits *admits, struct serve_env *env)
{
	struct agent a = {.listener = listener, .admits = admits, .env = env};

	set_up(&a);
	for (;;) {
		struct pollfd p[2] = {{.fd = listener, .events = POLLIN}, {.fd = a.sigfd, .events = POLLIN}};

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents != 0)
			reap(&a);
		if (p[0].revents != 0)
			accept_one(&a);
	}
}
