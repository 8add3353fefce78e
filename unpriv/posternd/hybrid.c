// Waiting (a retry is timed) -> Asked (CONNECT sent, OK awaited) -> given away, or back to Waiting, or given up.
#include "unpriv/posternd/hybrid.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/unix_connect.h"

#define LINE_MAX_ 32 // "OK 4294967295\n" and some

struct hybrid {
	struct event_base *base;
	int o_path, fd;
	uint32_t port;
	struct event *readable, *retry, *deadline;
	char line[LINE_MAX_];
	size_t len;
	const char *why;
	hybrid_cb *done;
	void *arg;
};

static void forget_socket(struct hybrid *h)
{
	if (h->readable != NULL)
		event_free(h->readable);
	h->readable = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	h->len = 0;
}

void hybrid_cancel(struct hybrid *h)
{
	if (h == NULL)
		return;
	forget_socket(h);
	event_free(h->retry);
	event_free(h->deadline);
	close(h->o_path);
	free(h);
}

static void finish(struct hybrid *h, int fd)
{
	hybrid_cb *done = h->done;
	void *arg = h->arg;
	const char *why = h->why;

	if (fd >= 0)
		h->fd = -1;
	hybrid_cancel(h);
	done(arg, fd, fd >= 0 ? NULL : why);
}

static void try_again(struct hybrid *h, const char *why)
{
	struct timeval soon = {.tv_usec = HYBRID_RETRY_MS * 1000};

	forget_socket(h);
	h->why = why;
	event_add(h->retry, &soon);
}

// Reads one byte: 1 = the line is whole, 0 = more to come, -1 = hopeless.
static int read_byte(struct hybrid *h)
{
	ssize_t n = read(h->fd, h->line + h->len, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != 1 || h->len + 1 >= sizeof(h->line))
		return -1;
	return h->line[h->len++] == '\n' ? 1 : read_byte(h);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct hybrid *h = arg;
	int rc = read_byte(h);

	(void)what;
	if (rc == 0)
		return;
	if (rc < 0 || strncmp(h->line, "OK ", 3) != 0) {
		try_again(h, "nobody listens in the guest");
		return;
	}
	event_free(h->readable);
	h->readable = NULL;
	finish(h, (int)fd);
}

static void ask(struct hybrid *h)
{
	char line[LINE_MAX_];
	int n = snprintf(line, sizeof(line), "CONNECT %u\n", h->port);

	h->fd = unix_connect_fd(h->o_path);
	if (h->fd < 0 || send(h->fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
		try_again(h, "the VM's vsock socket doesn't take connections");
		return;
	}
	h->why = "the guest doesn't answer";
	h->readable = event_new(h->base, h->fd, EV_READ | EV_PERSIST, on_readable, h);
	if (h->readable == NULL || event_add(h->readable, NULL) != 0)
		try_again(h, "no memory");
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask(arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg, -1);
}

struct hybrid *hybrid_connect(struct event_base *base, int o_path, uint32_t port, int64_t deadline_ms, hybrid_cb *done, void *arg)
{
	struct hybrid *h = xcalloc(1, sizeof(*h));
	struct timeval at_once = {0}, late = {.tv_sec = deadline_ms / 1000, .tv_usec = deadline_ms % 1000 * 1000};

	*h = (struct hybrid){.base = base, .fd = -1, .port = port, .done = done, .arg = arg, .why = "there was no time to connect"};
	h->o_path = fcntl(o_path, F_DUPFD_CLOEXEC, 3);
	if (h->o_path < 0) {
		free(h);
		return NULL;
	}
	h->retry = event_new(base, -1, 0, on_retry, h);
	h->deadline = event_new(base, -1, 0, on_deadline, h);
	event_add(h->retry, &at_once);
	event_add(h->deadline, &late);
	return h;
}
