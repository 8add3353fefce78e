// One poll loop, and nothing in it waits for anything else:
//
//   in_fd --read--> out buffer --send--> sock          as long as the buffer and the guest have room; end of file becomes a frame
//   sock --recv--> in buffer --write--> out_fd, err_fd  a frame that can't be written yet is kept in place, and the socket isn't read on
//   signal_fd --> signal and resize frames
//
// so a reader of ours that is slow stops the guest's output but not our input, and the other way round.  Descriptors 0 to 2 belong to
// the caller as well, so their flags are left alone: poll says when a read or a short write doesn't block (a pipe that polls writable
// has room for PIPE_BUF bytes, see pipe(7)).
#include "unpriv/postern/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpriv/common/guestwire.h"
#include "unpriv/postern/signals.h"
#include "unpriv/postern/tty.h"

#define ACK_WAIT_MS  2000
#define FRAME_ROOM   (GUEST_MAX_DATA + 1024u) // a full frame, and signals and sizes behind it
#define GIVE_UP_INTS 3

struct session {
	const struct session_ask *ask;
	struct session_end *end;
	int sock, signal_fd;
	int in_fd; // -1 once its end has been sent
	bool started, done;
	bool deaf[2]; // nobody reads out_fd, err_fd any more
	unsigned ints;
	int sink;             // where `left` goes: 0 out_fd, 1 err_fd
	struct mp_slice left; // of a data frame, not yet written; borrows `in`
	struct guestwire_in in;
	struct guestwire_out out;
};

__attribute__((format(printf, 2, 3))) static void fail(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->end->why, sizeof(s->end->why), fmt, ap);
	va_end(ap);
	s->done = true;
}

static bool packed(struct mp_out *scratch, char *const *v, struct wire_bytes_list *list)
{
	return guestwire_list(scratch, (const char *const *)v, list) && list->n <= 1024;
}

// The request, behind the hello that the writer begins with.
static void put_exec(struct session *s)
{
	static uint8_t bytes[MP_MAX_VALUE];
	const struct session_ask *ask = s->ask;
	struct mp_out scratch = {.buf = bytes, .cap = sizeof(bytes)};
	struct msg m = {.id = MSG_exec};

	m.exec.has_env = ask->env[0] != NULL;
	m.exec.has_cwd = ask->cwd != NULL;
	m.exec.has_user = ask->user != NULL;
	m.exec.has_want_stdin = m.exec.want_stdin = ask->in_fd >= 0;
	m.exec.has_tty_rows = m.exec.has_tty_cols = ask->tty;
	tty_size(STDIN_FILENO, &m.exec.tty_rows, &m.exec.tty_cols);
	if (m.exec.has_cwd)
		guestwire_text(ask->cwd, &m.exec.cwd);
	if (m.exec.has_user)
		guestwire_text(ask->user, &m.exec.user);
	if (!packed(&scratch, ask->argv, &m.exec.argv) || !packed(&scratch, ask->env, &m.exec.env) || scratch.len > MP_MAX_VALUE - 8192 ||
	    !guestwire_put(&s->out, &m))
		fail(s, "the command with its environment is too long: 56 KiB, 1024 words and 1024 variables are possible");
}

static void put(struct session *s, const struct msg *m)
{
	// Only a guest that reads nothing for long, which one with windows doesn't do, fills the buffer; a signal or size then is lost, like one to a
	// stopped process.
	(void)guestwire_put(&s->out, m);
}

static void put_signal(struct session *s, int number)
{
	struct msg m = {.id = MSG_signal};

	m.signal.number = (uint32_t)number;
	put(s, &m);
}

static void take_signal(struct session *s)
{
	struct msg m = {.id = MSG_resize};
	int number = signals_next(s->signal_fd);

	if (number == 0)
		return;
	if (number == SIGINT && ++s->ints >= GIVE_UP_INTS) {
		fail(s, "interrupted");
		return;
	}
	if (number != SIGWINCH) {
		put_signal(s, number);
	} else if (s->ask->tty) {
		tty_size(STDIN_FILENO, &m.resize.rows, &m.resize.cols);
		put(s, &m);
	}
}

static bool has_room(const struct session *s)
{
	return sizeof(s->out.buf) - guestwire_pending(&s->out) >= FRAME_ROOM && guestwire_stdin_room(&s->out) > 0;
}

static void take_input(struct session *s)
{
	static uint8_t bytes[GUEST_MAX_DATA];
	size_t room = guestwire_stdin_room(&s->out);
	ssize_t n = read(s->in_fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		(void)guestwire_put_stdin(&s->out, bytes, (size_t)n);
		return;
	}
	put(s, &(struct msg){.id = MSG_stdin_eof});
	s->in_fd = -1;
}

// Writes what can be written of the frame at hand.  Nobody reading is told to the command the way a pipe would.
static void give_output(struct session *s)
{
	int fd = s->sink == 0 ? s->ask->out_fd : s->ask->err_fd;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	struct stat st;
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	while (s->left.len > 0 && !s->deaf[s->sink]) {
		size_t len = s->left.len > PIPE_BUF && !file ? PIPE_BUF : s->left.len;
		ssize_t n;

		if (!file && poll(&p, 1, 0) == 0)
			return;
		n = write(fd, s->left.p, len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n < 0) {
			s->deaf[s->sink] = true;
			put_signal(s, SIGPIPE);
			break;
		}
		s->left.p += n;
		s->left.len -= (uint32_t)n;
	}
	s->left.len = 0;
}

static void take_exit(struct session *s, const struct msg_exit *m)
{
	s->end->ended = true;
	s->end->code = (int)m->code;
	s->end->truncated = m->has_truncated && m->truncated;
	s->done = true;
}

static void take_message(struct session *s, const struct msg *m)
{
	if (!guestwire_note(&s->out, m)) {
		fail(s, "the agent broke the protocol: it took more input than it was given");
	} else if (m->id == MSG_started) {
		s->started = true;
	} else if (m->id == MSG_stdout_data || m->id == MSG_stderr_data) {
		s->sink = m->id == MSG_stderr_data;
		s->left = s->sink == 0 ? m->stdout_data.data : m->stderr_data.data;
		give_output(s);
	} else if (m->id == MSG_exit) {
		take_exit(s, &m->exit);
	} else if (m->id == MSG_error) {
		fail(s, "%.*s%s%s", (int)m->error.what.len, (const char *)m->error.what.p, m->error.has_err ? ": " : "",
		     m->error.has_err ? strerror((int)m->error.err) : "");
	}
	// The hello and stdin_taken need no answer.
}

static void take_messages(struct session *s)
{
	struct wire_error err;
	struct msg m;

	while (!s->done && s->left.len == 0) {
		switch (guestwire_next(&s->in, &m, &err)) {
		case GUESTWIRE_MSG: take_message(s, &m); break;
		case GUESTWIRE_MORE: return;
		case GUESTWIRE_BAD: fail(s, "the agent broke the protocol: %s", err.what); return;
		}
	}
}

static void receive(struct session *s)
{
	ssize_t n = guestwire_fill(&s->in, s->sock);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		fail(s, "the connection to the guest was closed");
	else if (n < 0 && errno != EAGAIN && errno != ENOBUFS)
		fail(s, "the connection to the guest: %s", strerror(errno));
	else
		take_messages(s);
}

static void transmit(struct session *s)
{
	// A broken connection is told by reading: the agent's last words may still be there.
	if (guestwire_flush(&s->out, s->sock) < 0 && errno != EAGAIN)
		s->out.start = s->out.end = 0;
}

static void step(struct session *s)
{
	bool held = s->left.len > 0;
	struct pollfd p[4] = {
	    {.fd = s->sock, .events = (short)((held ? 0 : POLLIN) | (guestwire_pending(&s->out) > 0 ? POLLOUT : 0))},
	    {.fd = s->started && has_room(s) ? s->in_fd : -1, .events = POLLIN},
	    {.fd = !held          ? -1
	           : s->sink == 0 ? s->ask->out_fd
	                          : s->ask->err_fd,
	     .events = POLLOUT},
	    {.fd = s->signal_fd, .events = POLLIN},
	};

	// While a frame is held, nobody looks at the socket's end: its other end can't be answered yet anyway.
	if (p[0].events == 0)
		p[0].fd = -1;
	if (poll(p, 4, -1) < 0)
		return;
	if (p[3].revents != 0)
		take_signal(s);
	if (p[2].revents != 0) {
		give_output(s);
		take_messages(s);
	}
	if (p[1].revents != 0)
		take_input(s);
	if ((p[0].revents & POLLOUT) != 0)
		transmit(s);
	if (!s->done && s->left.len == 0 && (p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		receive(s);
}

// The guest closes only after our ack; one that no longer reads is left to itself after a while.
static void acknowledge(struct session *s)
{
	struct pollfd p = {.fd = s->sock, .events = POLLOUT};
	bool put_in = guestwire_put(&s->out, &(struct msg){.id = MSG_ack});

	while (guestwire_pending(&s->out) > 0 && poll(&p, 1, ACK_WAIT_MS) > 0) {
		if (guestwire_flush(&s->out, s->sock) < 0 && errno != EAGAIN)
			break;
		put_in = put_in || guestwire_put(&s->out, &(struct msg){.id = MSG_ack});
	}
}

void session_run(int sock, int signal_fd, const struct session_ask *ask, struct session_end *end)
{
	struct session *s = calloc(1, sizeof(*s));

	*end = (struct session_end){0};
	if (s == NULL) {
		snprintf(end->why, sizeof(end->why), "out of memory");
		close(sock);
		return;
	}
	*s = (struct session){.ask = ask, .end = end, .sock = sock, .signal_fd = signal_fd, .in_fd = ask->in_fd};
	(void)fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
	guestwire_in_init(&s->in);
	guestwire_out_init(&s->out, NULL);
	put_exec(s);
	while (!s->done)
		step(s);
	if (end->ended)
		acknowledge(s);
	close(sock);
	free(s);
}
