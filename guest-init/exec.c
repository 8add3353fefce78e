// Makes pipes or a terminal, the group and the child; relay.c does the rest.
#include "guest-init/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "guest-init/command.h"
#include "guest-init/relay.h"
#include "guest-init/text.h"

#define ACK_MS            5000 // to take a refusal
#define LEFTOVER_GRACE_MS 1000 // for what a command leaves running behind its exit

// All ends of a command's descriptors: theirs[] are the command's 0, 1, 2, ours[] the other ends or -1.
struct ends {
	int theirs[3];
	int ours[3];
};

static void close_all(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

// Opens a pseudo-terminal of the given size.  All our ends are copies of its master, so that each is closed on its own.
static int open_terminal(struct ends *e, uint32_t rows, uint32_t cols)
{
	struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	int unlock = 0;
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int slave = -1;

	if (master < 0)
		return errno;
	e->ours[0] = master;
	if (ioctl(master, TIOCSPTLCK, &unlock) == 0)
		slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return errno;
	e->theirs[0] = slave;
	(void)ioctl(master, TIOCSWINSZ, &ws);
	e->ours[1] = fcntl(master, F_DUPFD_CLOEXEC, 3);
	e->theirs[1] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	e->theirs[2] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	return e->ours[1] < 0 || e->theirs[1] < 0 || e->theirs[2] < 0 ? errno : 0;
}

// Opens a pipe whose end for us doesn't block; the command's end is an open file of its own and does.
static int open_pipe(struct ends *e, int i)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return errno;
	e->theirs[i] = i == 0 ? p[0] : p[1];
	e->ours[i] = i == 0 ? p[1] : p[0];
	(void)fcntl(e->ours[i], F_SETFL, O_NONBLOCK);
	return 0;
}

static int open_null(struct ends *e, int i)
{
	e->theirs[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return e->theirs[i] < 0 ? errno : 0;
}

static int open_ends(struct ends *e, const struct msg_exec *req)
{
	int err = 0;

	if (req->has_tty_rows)
		return open_terminal(e, req->tty_rows, req->tty_cols);
	for (int i = 0; i < 3 && err == 0; i++)
		err = req->detach || (i == 0 && !req->want_stdin) ? open_null(e, i) : open_pipe(e, i);
	return err;
}

// A signalfd for SIGCHLD, blocked from before the fork, so that no end goes unseen.
static int watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void refuse(struct conn *c, int err, const char *what)
{
	(void)conn_put_error(c, err, what);
	conn_finish(c, ACK_MS);
}

static pid_t start(const struct command *cmd, struct job *g, const struct ends *e, bool tty, bool orphan)
{
	struct command_io io = {.fds = {e->theirs[0], e->theirs[1], e->theirs[2]}, .tty = tty, .orphan = orphan, .parent = getpid()};
	pid_t pid = job_fork(g, &io.unplaced);

	if (pid == 0)
		command_run(cmd, &io);
	return pid;
}

static void follow(struct relay *r)
{
	struct msg m = {.id = MSG_started};

	m.started.pid = (uint32_t)r->pid;
	(void)conn_put(r->conn, &m);
	relay_run(r);
	relay_report(r);
}

void exec_serve(struct conn *c, const struct msg *m, const struct config *config)
{
	static struct command cmd;
	const struct msg_exec *req = &m->exec;
	struct relay r = {.conn = c, .tty = req->has_tty_rows, .detach = req->detach};
	struct job g;
	struct ends e = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
	const char *why = req->detach && (req->has_tty_rows || req->want_stdin) ? "detached: neither stdin nor terminal" : NULL;
	int err;

	if (why == NULL)
		why = command_prepare(&cmd, req, config);
	if (why != NULL) {
		refuse(c, EINVAL, why);
		return;
	}
	err = job_make(&g, cmd.tag, req->memory_mib, req->pids);
	if (err != 0) {
		refuse(c, err, "limits can't be set: no such cgroup controller here");
		job_end(&g, 0);
		return;
	}
	r.job = &g;
	r.sigfd = watch_children();
	r.began = now_ms();
	r.timeout_at = req->has_timeout_ms ? r.began + req->timeout_ms : 0;
	err = r.sigfd < 0 ? errno : open_ends(&e, req);
	r.pid = err == 0 ? start(&cmd, &g, &e, r.tty, r.detach) : -1;
	if (err == 0 && r.pid < 0)
		err = errno;
	close_all(e.theirs);
	if (err != 0) {
		close_all(e.ours);
		refuse(c, err, "the command can't be started");
	} else {
		r.in = e.ours[0];
		r.out[0] = e.ours[1];
		r.out[1] = e.ours[2];
		follow(&r);
	}
	job_end(&g, r.detach ? 0 : LEFTOVER_GRACE_MS);
}
