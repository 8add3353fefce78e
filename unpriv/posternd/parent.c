// The parent holds no secret and reads nothing but single bytes from its worker: it forks, waits and
// passes descriptors. It has neither no_new_privs nor a filter, because a setuid exec needs that.
//
//   worker   posternd itself, executed again, so that each life has an address space of its own.
//   helper   where init listens for us (HELPER_SOCKET), connected to; else /usr/libexec's setuid program,
//            executed with one end of a socket pair as fd 3. Either way the worker gets the other end.
//
// What ends is started again after a delay that doubles from 100 ms to 10 s. What had said that it serves
// is started after 100 ms all the same, ten times in a row and once more with each second that passes, or
// when it served for a second. A worker's end closes its socket, which ends the helper; a helper that saw
// a malformed packet (exit 3) takes the worker with it, for one of them is broken or taken over, and then
// nothing but a second of service counts.
#include "unpriv/posternd/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/control.h"

#define HELPER_PROGRAM "/usr/libexec/postern/postern-helper"
#define HELPER_SOCKET  "/run/postern-helper/helper.sock"
enum { DELAY_FIRST_MS = 100, DELAY_MOST_MS = 10000, SERVICE_MS = 1000, PATIENCE_MOST = 10, STOP_MS = 5000, HELPER_FD = 3, EXIT_MALFORMED = 3 };

// One of the two that are kept alive.
struct side {
	const char *name;
	pid_t pid;        // 0 = no process of ours
	bool up;          // started, or connected to
	bool serves;      // said so
	int64_t due_ms;   // not started again before
	int64_t since_ms; // when it was started last
	int64_t delay_ms; // before the next start
	int64_t patience; // ends after service that are forgiven; one more each second
	int64_t grown_ms; // when patience grew last
};

static struct side worker = {.name = "worker", .delay_ms = DELAY_FIRST_MS};
static struct side helper = {.name = "helper", .delay_ms = DELAY_FIRST_MS};
static int control = -1; // to the worker
static bool was_ready;   // some worker has served
static bool stopping;
static int exit_code;

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void mark_up(struct side *s, pid_t pid)
{
	s->pid = pid;
	s->up = true;
	s->serves = false;
	s->since_ms = now_ms();
}

static bool forgiven(struct side *s, bool suspect, int64_t now)
{
	int64_t seconds = (now - s->grown_ms) / 1000;
	s->grown_ms += seconds * 1000;
	s->patience = s->patience + seconds > PATIENCE_MOST ? PATIENCE_MOST : s->patience + seconds;
	if (!s->up || !s->serves)
		return false;
	if (now - s->since_ms > SERVICE_MS)
		return true;
	if (suspect || s->patience == 0)
		return false;
	s->patience--;
	return true;
}

static void mark_down(struct side *s, bool suspect)
{
	int64_t now = now_ms();
	if (forgiven(s, suspect, now))
		s->delay_ms = DELAY_FIRST_MS;
	s->up = false;
	s->due_ms = now + s->delay_ms;
	s->delay_ms = s->delay_ms * 2 > DELAY_MOST_MS ? DELAY_MOST_MS : s->delay_ms * 2;
}

// In a new child: descriptor `fd` becomes 3, and nothing but 0 to 3 stays; signals as they were born.
static bool prepare_child(int fd)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// dup2 of a descriptor to itself would leave it close-on-exec.
	int copy = fd == HELPER_FD ? dup(fd) : fd;
	return copy >= 0 && dup2(copy, HELPER_FD) == HELPER_FD && close_range(HELPER_FD + 1, ~0U, 0) == 0;
}

static void start_worker(char **argv)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		mark_down(&worker, false);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (prepare_child(pair[1]))
			execv("/proc/self/exe", argv);
		log_error("can't execute the worker", "error=%s", strerror(errno));
		_exit(1);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		mark_down(&worker, false);
		return;
	}
	control = pair[0];
	mark_up(&worker, pid);
}

static void hand_over(int fd, pid_t pid)
{
	bool sent = control_send(control, CONTROL_HELPER, fd);
	close(fd);
	mark_up(&helper, pid);
	// A worker that takes nothing is at its end; then this socket's end ends the helper.
	if (!sent)
		log_warn("the worker takes no helper", NULL);
}

static bool init_listens(void)
{
	struct stat st;
	return stat(HELPER_SOCKET, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void connect_helper(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = HELPER_SOCKET};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0) {
		hand_over(fd, 0);
		return;
	}
	log_warn("can't connect to the helper", "socket=%s error=%s", HELPER_SOCKET, strerror(errno));
	if (fd >= 0)
		close(fd);
	mark_down(&helper, false);
}

static void exec_helper(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		mark_down(&helper, false);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		char *const argv[] = {(char[]){"postern-helper"}, NULL}, *const envp[] = {NULL};
		if (prepare_child(pair[1]))
			execve(HELPER_PROGRAM, argv, envp);
		_exit(127);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		mark_down(&helper, false);
		return;
	}
	hand_over(pair[0], pid);
}

static void start_helper(void)
{
	static bool told;
	if (init_listens()) {
		connect_helper();
		return;
	}
	if (access(HELPER_PROGRAM, X_OK) == 0) {
		told = false;
		exec_helper();
		return;
	}
	if (!told)
		log_warn("there is no helper: only what needs no privilege works", "program=%s error=%s", HELPER_PROGRAM, strerror(errno));
	told = true;
	mark_down(&helper, false);
}

static void log_end(const struct side *s, int status)
{
	if (WIFSIGNALED(status))
		log_error("process died", "side=%s pid=%d signal=%d", s->name, s->pid, WTERMSIG(status));
	else if (!stopping || WEXITSTATUS(status))
		log_warn("process ended", "side=%s pid=%d exit=%d", s->name, s->pid, WEXITSTATUS(status));
}

static void worker_ended(int status)
{
	close(control);
	control = -1;
	worker.pid = 0;
	mark_down(&worker, false);
	// It had the only socket: the helper, process of ours or not, is on its way out.
	if (helper.up && helper.pid == 0)
		mark_down(&helper, false);
	if (!was_ready) {
		stopping = true;
		exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
}

static void helper_ended(int status)
{
	bool malformed = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_MALFORMED;
	helper.pid = 0;
	mark_down(&helper, malformed);
	if (malformed && worker.pid) {
		log_error("the helper saw a malformed packet: the worker is started again too", NULL);
		kill(worker.pid, SIGTERM);
	}
}

static void reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct side *s = pid == worker.pid ? &worker : &helper;
		log_end(s, status);
		if (s == &worker)
			worker_ended(status);
		else
			helper_ended(status);
	}
}

static void on_signal(int signals)
{
	struct signalfd_siginfo info;
	if (read(signals, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGCHLD) {
		reap();
	} else if (info.ssi_signo == SIGHUP) {
		if (worker.pid)
			kill(worker.pid, SIGHUP);
	} else {
		stopping = true;
		if (worker.pid)
			kill(worker.pid, SIGTERM);
	}
}

// The worker's sandbox knows the file that was there when it started; whoever changes it puts another in its place.
static void hand_resolv_conf(void)
{
	int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (!control_send(control, CONTROL_RESOLV, fd))
		log_warn("can't answer the worker", "error=%s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void on_control(void)
{
	int fd;
	int got = control_receive(control, &fd);
	if (fd >= 0)
		close(fd); // the worker has nothing to pass to us
	if (got == CONTROL_READY)
		was_ready = worker.serves = true;
	if (got == CONTROL_MET)
		helper.serves = true;
	if (got == CONTROL_RESOLV)
		hand_resolv_conf();
	// A helper of our own shows its end by SIGCHLD.
	if (got == CONTROL_GONE && helper.up && helper.pid == 0)
		mark_down(&helper, false);
}

// Starts what is due; returns how long to wait for the next, -1 = for ever.
static int start_due(char **argv)
{
	int64_t now = now_ms();
	if (!worker.up && now >= worker.due_ms)
		start_worker(argv);
	if (worker.up && !helper.up && helper.pid == 0 && now >= helper.due_ms)
		start_helper();
	int64_t due = !worker.up ? worker.due_ms : !helper.up && helper.pid == 0 ? helper.due_ms : -1;
	return due < 0 ? -1 : due > now ? (int)(due - now) : 0;
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void turn(int signals, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = control, .events = POLLIN}};
	if (poll(fds, 2, timeout_ms) <= 0)
		return;
	if (fds[1].revents & POLLIN)
		on_control();
	if (fds[0].revents)
		on_signal(signals);
}

// Worker and helper have STOP_MS to end; the helper isn't ours to kill, and ends with its socket.
static void wait_for_end(int signals)
{
	int64_t until = now_ms() + STOP_MS;
	while ((worker.pid || helper.pid) && now_ms() < until)
		turn(signals, (int)(until - now_ms()));
	if (worker.pid)
		kill(worker.pid, SIGKILL);
}

int parent_run(char **argv)
{
	int signals = open_signals();
	if (signals < 0) {
		log_error("can't start", "step=signals error=%s", strerror(errno));
		return 1;
	}
	while (!stopping)
		turn(signals, start_due(argv));
	wait_for_end(signals);
	return exit_code;
}
