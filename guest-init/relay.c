// One poll loop, in which no direction ever waits for another:
//
//	input   is held, at most a window of it, until the command takes it; the host learns what was taken and sends no more than that,
//	        so its signals and its end are seen at once.  A host that knows no windows isn't read from while too much is held
//	output  is read from a pipe only when the connection has sent what it had, stdout and stderr by turns
//	gone    is seen by POLLRDHUP even while nothing is read: the host never half-closes (end of input is a message)
//
// So at most a window one way and one message the other are held, and back pressure is the socket's and the pipe's own.  When the command itself
// has ended, what it left in its pipes is delivered, but a grandchild that holds them open doesn't hold the exit: after 200 ms
// whatever is still open counts as truncated.
#include "guest-init/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest-init/text.h"

#define DRAIN_MS 200
#define GRACE_MS 1000 // from TERM to KILL
#define ACK_MS   10000
#define CHUNK    32768 // of output read at once: half of what a pipe holds

enum { P_CONN, P_SIG, P_IN, P_OUT, P_ERR, P_COUNT };

static bool host_gone(const struct relay *r)
{
	return r->conn->fd < 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// The host has left or broken the protocol: unless detached, the command's group ends with it.
static void lose_host(struct relay *r)
{
	conn_end(r->conn);
	r->left.len = 0;
	close_fd(&r->in);
	if (r->detach || r->ended != 0 || r->kill_at != 0)
		return;
	job_signal(r->job, SIGTERM);
	job_signal(r->job, SIGCONT);
	r->kill_at = now_ms() + GRACE_MS;
}

// To the command's group; a child that hasn't come as far as setsid(2) has none yet, and nobody else in it.
static void send_signal(const struct relay *r, int number)
{
	if (r->ended == 0 && kill(-r->pid, number) < 0 && errno == ESRCH)
		(void)kill(r->pid, number);
}

static void resize(const struct relay *r, const struct msg_resize *m)
{
	struct winsize ws = {.ws_row = (unsigned short)m->rows, .ws_col = (unsigned short)m->cols};

	if (r->tty && r->out[0] >= 0)
		(void)ioctl(r->out[0], TIOCSWINSZ, &ws);
}

static bool windowed(const struct relay *r)
{
	return (r->conn->features & FEATURE_STDIN_WINDOW) != 0;
}

// Holds a message's input.  False: the host has sent more than its window.
static bool hold(struct relay *r, const struct mp_slice *data)
{
	static uint8_t held[STDIN_WINDOW];

	if (data->len > sizeof(held) - r->left.len)
		return false;
	if (r->left.len > 0)
		memmove(held, r->left.p, r->left.len);
	memcpy(held + r->left.len, data->p, data->len);
	r->left = (struct mp_slice){.p = held, .len = r->left.len + data->len};
	return true;
}

// Tells the host what has been taken of its input, when that is much or all; where there is no room for it, later.
static void tell_taken(struct relay *r)
{
	struct msg m = {.id = MSG_stdin_taken};

	m.stdin_taken.bytes = r->taken;
	if (r->taken == 0 || host_gone(r) || !windowed(r) || (r->left.len > 0 && r->taken < STDIN_WINDOW / 4))
		return;
	if (!conn_put(r->conn, &m))
		return;
	r->taken = 0;
	if (!conn_flush(r->conn))
		lose_host(r);
}

// End of input: a pipe is closed; to a terminal it is a character (Ctrl-D, unless stty has said otherwise).
static void end_input(struct relay *r)
{
	struct termios t;

	if (r->tty && r->in >= 0 && tcgetattr(r->in, &t) == 0)
		(void)write_all(r->in, &t.c_cc[VEOF], 1);
	else
		close_fd(&r->in);
}

// Takes one message.  False: it has no place here.
static bool take(struct relay *r, const struct msg *m)
{
	if (m->id == MSG_stdin_data) {
		if (r->in >= 0)
			return hold(r, &m->stdin_data.data);
		r->taken += m->stdin_data.data.len; // nobody reads it any more
	} else if (m->id == MSG_stdin_eof) {
		r->eof_due = r->left.len > 0;
		if (!r->eof_due)
			end_input(r);
	} else if (m->id == MSG_signal) {
		send_signal(r, (int)m->signal.number);
	} else if (m->id == MSG_resize) {
		resize(r, &m->resize);
	} else {
		return m->id == MSG_ack;
	}
	return true;
}

// True when any message can be taken: always, but for a host without windows.
static bool may_take(const struct relay *r)
{
	return windowed(r) || r->left.len <= STDIN_WINDOW - GUEST_MAX_DATA;
}

// Takes all messages that are here and may be taken.
static void take_messages(struct relay *r)
{
	struct msg m;

	while (!host_gone(r) && may_take(r)) {
		enum conn_status st = conn_next(r->conn, &m);

		if (st == CONN_MORE)
			return;
		if (st == CONN_BAD || !take(r, &m))
			lose_host(r);
	}
}

// Nobody takes input any more: what is held and what follows is passed over.
static void drop_input(struct relay *r)
{
	r->taken += r->left.len;
	r->left.len = 0;
	close_fd(&r->in);
}

static void write_input(struct relay *r)
{
	ssize_t n = write(r->in, r->left.p, r->left.len);

	if (n > 0) {
		r->left.p += n;
		r->left.len -= (uint32_t)n;
		r->taken += (uint32_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		drop_input(r);
	}
	if (r->left.len == 0 && r->eof_due) {
		r->eof_due = false;
		end_input(r);
	}
}

// Reads output i and puts it on the connection, which is idle.
static void read_output(struct relay *r, unsigned i)
{
	static uint8_t chunk[CHUNK];
	struct msg m = {.id = i == 0 ? MSG_stdout_data : MSG_stderr_data};
	ssize_t n = read(r->out[i], chunk, sizeof(chunk));
	struct mp_slice data = {.p = chunk, .len = (uint32_t)n};

	r->turn = i;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { // end of file; a terminal says EIO when its last user is gone
		close_fd(&r->out[i]);
		return;
	}
	r->owed[i] -= (size_t)n < r->owed[i] ? (size_t)n : r->owed[i];
	if (i == 0)
		m.stdout_data.data = data;
	else
		m.stderr_data.data = data;
	(void)conn_put(r->conn, &m);
	if (!conn_flush(r->conn))
		lose_host(r);
}

// Looks whether the command has ended.
static void check_child(struct relay *r)
{
	struct signalfd_siginfo info;

	if (read(r->sigfd, &info, sizeof(info)) < 0)
		return;
	if (r->ended != 0 || waitpid(r->pid, &r->status, WNOHANG) != r->pid)
		return;
	r->ended = now_ms();
	r->drain_until = r->ended + DRAIN_MS;
	drop_input(r);
	for (unsigned i = 0; i < 2; i++) {
		int n = 0;

		if (r->out[i] >= 0 && ioctl(r->out[i], FIONREAD, &n) == 0)
			r->owed[i] = (size_t)n;
	}
}

// True when an output has been read to its end and nobody holds it any more, though its end of file hasn't been read yet.
static bool at_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLIN | POLLHUP)) == POLLHUP;
}

static void check_clock(struct relay *r)
{
	uint64_t now = now_ms();

	if (r->ended == 0 && r->kill_at == 0 && r->timeout_at != 0 && now >= r->timeout_at) {
		r->timed_out = true;
		job_signal(r->job, SIGTERM);
		job_signal(r->job, SIGCONT);
		r->kill_at = now + GRACE_MS;
	}
	if (r->ended == 0 && r->kill_at != 0 && now >= r->kill_at) {
		job_kill(r->job);
		r->kill_at = now + GRACE_MS;
	}
	for (unsigned i = 0; i < 2; i++)
		if (r->ended != 0 && r->out[i] >= 0 && r->owed[i] == 0 && now >= r->drain_until) {
			r->truncated |= !at_end(r->out[i]);
			close_fd(&r->out[i]);
		}
}

// Milliseconds until check_clock() has something to do; -1: never.
static int next_deadline(const struct relay *r)
{
	uint64_t due = r->timeout_at;
	uint64_t now = now_ms();

	if (r->ended != 0)
		due = r->owed[0] == 0 || r->owed[1] == 0 ? r->drain_until : 0;
	else if (r->kill_at != 0)
		due = r->kill_at;
	if (due == 0)
		return -1;
	if (due <= now)
		// Past the drain deadline only owed bytes are waited for, and poll tells when they can move.
		return r->ended != 0 ? -1 : 0;
	return due - now > 60000 ? 60000 : (int)(due - now);
}

static void fill_polls(const struct relay *r, struct pollfd p[P_COUNT])
{
	bool idle = !host_gone(r) && conn_idle(r->conn);
	short conn_events = POLLRDHUP;

	if (may_take(r))
		conn_events |= POLLIN;
	if (!idle)
		conn_events |= POLLOUT;
	p[P_CONN] = (struct pollfd){.fd = r->conn->fd, .events = conn_events};
	p[P_SIG] = (struct pollfd){.fd = r->sigfd, .events = POLLIN};
	p[P_IN] = (struct pollfd){.fd = r->left.len > 0 ? r->in : -1, .events = POLLOUT};
	p[P_OUT] = (struct pollfd){.fd = idle ? r->out[0] : -1, .events = POLLIN};
	p[P_ERR] = (struct pollfd){.fd = idle ? r->out[1] : -1, .events = POLLIN};
}

static void serve_conn(struct relay *r, short revents)
{
	bool ok = true;

	if ((revents & POLLOUT) != 0)
		ok = conn_flush(r->conn);
	if (ok && (revents & POLLIN) != 0)
		ok = conn_fill(r->conn);
	if (!ok || (revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0)
		lose_host(r);
}

static void step(struct relay *r)
{
	struct pollfd p[P_COUNT];

	fill_polls(r, p);
	if (poll(p, P_COUNT, next_deadline(r)) < 0)
		return;
	if (p[P_SIG].revents != 0)
		check_child(r);
	if (p[P_CONN].revents != 0)
		serve_conn(r, p[P_CONN].revents);
	if (p[P_IN].revents != 0 && r->left.len > 0)
		write_input(r);
	for (unsigned i = 0; i < 2; i++) {
		unsigned k = (r->turn + 1 + i) % 2;

		if (p[P_OUT + k].revents != 0 && r->out[k] >= 0 && !host_gone(r) && conn_idle(r->conn))
			read_output(r, k);
	}
	check_clock(r);
}

void relay_run(struct relay *r)
{
	while (r->ended == 0 || r->out[0] >= 0 || r->out[1] >= 0) {
		take_messages(r);
		tell_taken(r);
		if (host_gone(r)) {
			close_fd(&r->out[0]);
			close_fd(&r->out[1]);
		}
		if (r->ended != 0 && r->out[0] < 0 && r->out[1] < 0)
			break;
		step(r);
	}
}

static void fill_exit(const struct relay *r, struct msg *m)
{
	struct msg_exit *e = &m->exit;

	*m = (struct msg){.id = MSG_exit};
	e->has_signal = WIFSIGNALED(r->status);
	e->signal = e->has_signal ? (uint32_t)WTERMSIG(r->status) : 0;
	e->code = e->has_signal ? 128 + e->signal : (uint32_t)WEXITSTATUS(r->status);
	e->duration_ms = r->ended - r->began;
	e->has_oom = e->oom = job_oom(r->job);
	e->has_timed_out = e->timed_out = r->timed_out;
	e->has_truncated = e->truncated = r->truncated;
}

void relay_report(struct relay *r)
{
	struct msg m;

	fill_exit(r, &m);
	if (host_gone(r) || !conn_put(r->conn, &m))
		return;
	conn_finish(r->conn, ACK_MS);
	conn_end(r->conn); // before the wait for what the command has left running
}
