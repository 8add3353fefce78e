// Buffers of one connection.  Input stays where it was received until it is used: that is the whole flow control (see relay.c).
#include "guest-init/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-init/text.h"

#define FEATURES FEATURE_STDIN_WINDOW

void conn_init(struct conn *c, int fd)
{
	struct msg m = {.id = MSG_hello};

	c->fd = fd;
	c->greeted = false;
	c->features = 0;
	c->in_start = c->in_end = 0;
	c->out_start = c->out_end = 0;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	m.hello.version = GUEST_PROTOCOL;
	m.hello.features = FEATURES;
	(void)conn_put(c, &m); // an empty buffer has room
}

void conn_end(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

enum conn_status conn_next(struct conn *c, struct msg *m)
{
	struct wire_error err;
	size_t used;

	switch (msg_read(c->in + c->in_start, c->in_end - c->in_start, FROM_HOST, m, &used, &err)) {
	case MP_SHORT: return CONN_MORE;
	case MP_BAD: return CONN_BAD;
	case MP_OK: break;
	}
	if ((m->id == MSG_hello) == c->greeted)
		return CONN_BAD;
	c->greeted = true;
	if (m->id == MSG_hello)
		c->features = m->hello.features & FEATURES;
	c->in_start += used;
	return CONN_MSG;
}

bool conn_fill(struct conn *c)
{
	ssize_t n;

	if (c->in_start > 0) {
		memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
		c->in_end -= c->in_start;
		c->in_start = 0;
	}
	if (c->in_end == sizeof(c->in))
		return true; // conn_next() finds a whole message in it, or that there can't be one
	n = read(c->fd, c->in + c->in_end, sizeof(c->in) - c->in_end);
	if (n > 0)
		c->in_end += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

bool conn_flush(struct conn *c)
{
	ssize_t n;

	if (conn_idle(c))
		return true;
	n = send(c->fd, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->out_start += (size_t)n;
	if (conn_idle(c))
		c->out_start = c->out_end = 0;
	return true;
}

bool conn_idle(const struct conn *c)
{
	return c->out_start == c->out_end;
}

bool conn_put(struct conn *c, const struct msg *m)
{
	struct mp_out o = {.buf = c->out, .cap = sizeof(c->out), .len = c->out_end};

	if (!msg_write(&o, m))
		return false;
	c->out_end = o.len;
	return true;
}

bool conn_put_error(struct conn *c, int err, const char *what)
{
	struct msg m = {.id = MSG_error};

	m.error.has_err = err != 0;
	m.error.err = (uint32_t)err;
	m.error.what = (struct mp_slice){.p = (const uint8_t *)what, .len = (uint32_t)strlen(what)};
	return conn_put(c, &m);
}

// Waits until `until` for something to move, and moves it.  False: gone, or too late.
static bool turn(struct conn *c, uint64_t until)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	uint64_t now = now_ms();

	if (now >= until)
		return false;
	if (!conn_idle(c))
		p.events |= POLLOUT;
	if (poll(&p, 1, (int)(until - now)) < 0)
		return errno == EINTR;
	if ((p.revents & POLLOUT) != 0 && !conn_flush(c))
		return false;
	return (p.revents & (POLLIN | POLLHUP | POLLERR)) == 0 || conn_fill(c);
}

bool conn_await(struct conn *c, struct msg *m, unsigned ms)
{
	uint64_t until = now_ms() + ms;
	enum conn_status st;

	while ((st = conn_next(c, m)) == CONN_MORE)
		if (!turn(c, until))
			return false;
	return st == CONN_MSG;
}

void conn_finish(struct conn *c, unsigned ms)
{
	uint64_t until = now_ms() + ms;
	struct msg m;

	do {
		enum conn_status st;

		while ((st = conn_next(c, &m)) == CONN_MSG)
			if (m.id == MSG_ack)
				return;
		if (st == CONN_BAD)
			c->in_start = c->in_end = 0;
	} while (turn(c, until));
}
