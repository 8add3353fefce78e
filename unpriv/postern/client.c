// One request in flight at a time; an answer with another id, or none, ends the connection.  See client.h.
#include "unpriv/postern/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/postern/rpc.sock"
#define ANSWER_MAX    (256u << 20) // bytes; no honest answer comes near

void client_init(struct client *c, int wake_fd)
{
	*c = (struct client){.fd = -1, .wake_fd = wake_fd};
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	client_init(c, c->wake_fd);
}

void reply_clear(struct reply *r)
{
	json_decref(r->result);
	json_decref(r->error);
	r->result = r->error = NULL;
}

int unix_connect(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, rc, e;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	do
		rc = connect(fd, (const struct sockaddr *)&sun, sizeof(sun));
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

static enum call_status refuse(struct reply *r, enum call_status status, const char *path, const char *why)
{
	r->status = status;
	snprintf(r->why, sizeof(r->why), "%.200s: %s", path, why);
	return status;
}

// With no socket named, the system's is asked first; a user's own daemon is tried where there is none.
static int connect_somewhere(const char *socket, char *path, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int fd, e;

	if (socket == NULL)
		socket = getenv("POSTERN_SOCKET");
	snprintf(path, size, "%s", socket != NULL ? socket : SYSTEM_SOCKET);
	fd = unix_connect(path);
	if (fd >= 0 || socket != NULL || runtime == NULL)
		return fd;
	e = errno;
	char own[sizeof(((struct sockaddr_un *)0)->sun_path)];
	if ((size_t)snprintf(own, sizeof(own), "%s/postern/rpc.sock", runtime) < sizeof(own)) {
		fd = unix_connect(own);
		if (fd >= 0)
			snprintf(path, size, "%s", own);
	}
	errno = e;
	return fd;
}

enum call_status client_connect(struct client *c, const char *socket, struct reply *r)
{
	char path[256];

	*r = (struct reply){.status = CALL_OK};
	c->fd = connect_somewhere(socket, path, sizeof(path));
	if (c->fd >= 0)
		return CALL_OK;
	if (errno == EACCES || errno == EPERM)
		return refuse(r, CALL_NOT_ALLOWED, path, "may not be used: join the group that owns the socket");
	if (errno == ENOENT || errno == ECONNREFUSED)
		return refuse(r, CALL_NO_DAEMON, path, "no daemon there: is posternd running?  (--socket or POSTERN_SOCKET name another)");
	return refuse(r, CALL_NO_DAEMON, path, strerror(errno));
}

static bool send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

// Waits until the socket can be read.  False: wake_fd came first.
static bool wait_readable(const struct client *c)
{
	struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->wake_fd, .events = POLLIN}};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return true; // read() will say what is wrong
	return p[1].revents == 0 || p[0].revents != 0;
}

static bool grow(struct client *c)
{
	size_t cap = c->cap == 0 ? 16384 : c->cap * 2;
	char *p = cap > ANSWER_MAX ? NULL : realloc(c->buf, cap);

	if (p == NULL)
		return false;
	c->buf = p;
	c->cap = cap;
	return true;
}

// Receives up to the next newline.  On CALL_OK *line is one line's length in c->buf, newline included.
static enum call_status read_line(struct client *c, size_t *line)
{
	size_t seen = 0;

	for (;;) {
		const char *nl = c->len > seen ? memchr(c->buf + seen, '\n', c->len - seen) : NULL;
		ssize_t n;

		if (nl != NULL) {
			*line = (size_t)(nl - c->buf) + 1;
			return CALL_OK;
		}
		seen = c->len;
		if (c->len == c->cap && !grow(c))
			return CALL_CUT;
		if (!wait_readable(c))
			return CALL_WOKEN;
		n = read(c->fd, c->buf + c->len, c->cap - c->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return CALL_CUT;
		c->len += (size_t)n;
	}
}

static enum call_status take_answer(struct client *c, struct reply *r)
{
	json_t *answer;
	size_t line;
	enum call_status s = read_line(c, &line);

	if (s != CALL_OK)
		return s;
	answer = json_loadb(c->buf, line, JSON_ALLOW_NUL, NULL);
	memmove(c->buf, c->buf + line, c->len - line);
	c->len -= line;
	r->result = json_incref(json_object_get(answer, "result"));
	r->error = json_incref(json_object_get(answer, "error"));
	s = json_integer_value(json_object_get(answer, "id")) == c->last_id || r->error != NULL ? CALL_OK : CALL_CUT;
	json_decref(answer);
	if (s == CALL_OK && (r->error != NULL || r->result == NULL))
		s = CALL_ERROR;
	return s;
}

void client_call(struct client *c, const char *socket, const char *method, json_t *params, struct reply *r)
{
	json_t *request = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", ++c->last_id, "method", method);
	char *text;

	*r = (struct reply){.status = CALL_OK};
	if (params != NULL)
		json_object_set_new(request, "params", params);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (c->fd < 0 && client_connect(c, socket, r) != CALL_OK)
		goto out;
	// A failed send is no answer yet: the daemon may have said why before it hung up.
	if (text != NULL && send_all(c->fd, text, strlen(text)))
		(void)send_all(c->fd, "\n", 1);
	r->status = take_answer(c, r);
	if (r->status == CALL_CUT)
		snprintf(r->why, sizeof(r->why), "the daemon hung up before it answered %.100s", method);
	if (r->status == CALL_CUT || r->status == CALL_WOKEN)
		client_close(c);
out:
	free(text);
}
