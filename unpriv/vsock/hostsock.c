// The host's side of hybrid vsock, as Firecracker's docs/vsock.md defines it.
//
// A client connects to the listening socket and writes "CONNECT <port>\n"; when the guest accepts it reads
// "OK <host port>\n", otherwise end of file. The line may come in pieces, and what follows it may come with it: the line
// is peeked at and only taken up to its newline, so everything behind stays in the socket, which is the buffer. A
// CONNECT before the guest's driver is up is kept until that is so, or the deadline passes.
//
// A guest that connects to port P of the host is connected to the Unix socket <name>_P. Connecting a Unix socket never
// waits when it is non-blocking: a full backlog is EAGAIN, and the guest is refused.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/vsock/mux_parts.h"

#define ACCEPT_BURST 128

static void accept_one(struct mux *m, int fd)
{
	struct conn *c = table_new(&m->table, fd, CONN_LINE);

	if (c == NULL) {
		close(fd); // 1023 connections already: end of file, as Firecracker
		return;
	}
	mux_arm(m, c, &m->asking, CONNECT_DEADLINE_MS);
	if (!mux_watch(m, c))
		mux_free(m, c);
}

void mux_accept(struct mux *m)
{
	m->accept_more = false;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(m->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			accept_one(m, fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return; // EAGAIN; or the machine is out of files, and the next client's edge tries again
	}
	m->accept_more = true;
}

// "CONNECT <port>" with the newline cut off. As Firecracker: any case, any run of blanks.
static bool parse_connect(const char *line, uint32_t *port)
{
	uint64_t v = 0;

	if (strncasecmp(line, "connect", 7) != 0)
		return false;
	line += 7;
	size_t blanks = strspn(line, " \t"), digits = strspn(line + blanks, "0123456789");
	if (blanks == 0 || digits == 0 || digits > 10)
		return false;
	line += blanks;
	for (size_t i = 0; i < digits; i++)
		v = v * 10 + (uint64_t)(line[i] - '0');
	line += digits;
	line += strspn(line, " \t\r");
	*port = (uint32_t)v;
	return *line == '\0' && v <= UINT32_MAX;
}

static void line_done(struct mux *m, struct conn *c)
{
	uint32_t port;

	c->line[c->line_len - 1] = '\0';
	if (strlen(c->line) != c->line_len - 1 || !parse_connect(c->line, &port)) {
		mux_free(m, c);
		return;
	}
	if (!table_bind(&m->table, c, table_pick_port(&m->table, port), port)) {
		mux_free(m, c);
		return;
	}
	c->state = CONN_ASKED;
	mux_say(m, c, PEND_REQUEST);
}

void host_read_line(struct mux *m, struct conn *c)
{
	while (c->line_len < CONNECT_LINE_MAX) {
		char *at = c->line + c->line_len;
		ssize_t n = recv(c->fd, at, CONNECT_LINE_MAX - c->line_len, MSG_PEEK | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			c->readable = false;
			return;
		}
		if (n <= 0)
			break;
		const char *newline = memchr(at, '\n', (size_t)n);
		size_t take = newline == NULL ? (size_t)n : (size_t)(newline - at) + 1;
		if (recv(c->fd, at, take, MSG_DONTWAIT) != (ssize_t)take)
			break;
		c->line_len += (uint32_t)take;
		if (newline != NULL) {
			line_done(m, c);
			return;
		}
	}
	mux_free(m, c); // gone, or no newline in 32 bytes
}

void host_answer(struct conn *c)
{
	char line[CONNECT_LINE_MAX];
	int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);
	struct iovec iov = {line, (size_t)n};

	// The first bytes in this direction of a fresh socket always fit. A client that left already shows in what follows.
	if (conn_send(c->fd, &iov, 1) < 0)
		c->hung_up = true;
}

int host_connect(const struct mux *m, uint32_t port)
{
	struct sockaddr_un to = m->name;
	size_t room = sizeof(to.sun_path) - m->name_len;

	if (m->name_len == 0)
		return -1;
	if (snprintf(to.sun_path + m->name_len, room, "_%u", port) >= (int)room)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}
