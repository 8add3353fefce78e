// Nobody waits for anybody: the guest's output is read as fast as it comes and offered to each viewer's queue; the viewer whose queue is full is
// dropped, for a slow one must not slow the guest. In the other direction the guest may be slow: the writer is read only while the input queue has
// room, so the pressure is the writer's. Input of viewers who are not the writer is read and thrown away, so that their hang-up is noticed.
#include "unpriv/keeper/console.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

void console_init(struct console *con, int listen_fd, int serial_fd)
{
	con->listen_fd = listen_fd;
	con->serial_fd = serial_fd;
	con->arrivals = 0;
	ring_init(&con->scrollback, con->scrollback_bytes, sizeof con->scrollback_bytes);
	ring_init(&con->input, con->input_bytes, sizeof con->input_bytes);
	for (int i = 0; i < CONSOLE_VIEWERS; i++)
		con->viewers[i].fd = -1;
}

static void drop(struct viewer *viewer)
{
	close(viewer->fd);
	viewer->fd = -1;
}

// The writer is the oldest viewer; when it leaves, the next oldest inherits.
static const struct viewer *writer(const struct console *con)
{
	const struct viewer *oldest = NULL;
	for (int i = 0; i < CONSOLE_VIEWERS; i++) {
		const struct viewer *viewer = &con->viewers[i];
		if (viewer->fd >= 0 && (!oldest || viewer->since < oldest->since))
			oldest = viewer;
	}
	return oldest;
}

static struct viewer *free_viewer(struct console *con)
{
	for (int i = 0; i < CONSOLE_VIEWERS; i++)
		if (con->viewers[i].fd < 0)
			return &con->viewers[i];
	return NULL;
}

static void accept_viewer(struct console *con)
{
	int fd = accept4(con->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct viewer *viewer = free_viewer(con);
	if (fd < 0)
		return;
	if (!viewer) {
		close(fd);
		return;
	}
	viewer->fd = fd;
	viewer->since = con->arrivals++;
	ring_init(&viewer->out, viewer->out_bytes, sizeof viewer->out_bytes);
	ring_copy(&viewer->out, &con->scrollback);
}

// The writer is not read while the guest has yet to take what it wrote before.
static bool wants_input(const struct console *con, const struct viewer *viewer)
{
	return viewer != writer(con) || ring_room(&con->input) > 0;
}

static void read_viewer(struct console *con, struct viewer *viewer)
{
	char bytes[CONSOLE_INPUT];
	bool is_writer = viewer == writer(con);
	size_t room = is_writer ? ring_room(&con->input) : sizeof bytes;
	ssize_t got = room ? read(viewer->fd, bytes, room) : -1;

	if (got > 0 && is_writer)
		ring_put(&con->input, bytes, (size_t)got);
	else if (got == 0 || (got < 0 && room && errno != EAGAIN && errno != EINTR))
		drop(viewer);
}

static void flush_viewer(struct viewer *viewer)
{
	if (ring_write_out(&viewer->out, viewer->fd) < 0 && errno != EAGAIN && errno != EINTR)
		drop(viewer);
}

static void offer(struct console *con, const char *bytes, size_t length)
{
	ring_keep_last(&con->scrollback, bytes, length);
	for (int i = 0; i < CONSOLE_VIEWERS; i++) {
		struct viewer *viewer = &con->viewers[i];
		if (viewer->fd >= 0 && !ring_put(&viewer->out, bytes, length))
			drop(viewer);
	}
}

static size_t read_serial(struct console *con, char *out, size_t size)
{
	ssize_t got = read(con->serial_fd, out, size);
	if (got > 0) {
		offer(con, out, (size_t)got);
		return (size_t)got;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(con->serial_fd);
		con->serial_fd = -1;
	}
	return 0;
}

nfds_t console_poll(const struct console *con, struct pollfd *fds)
{
	nfds_t count = 0;
	short serial_events = con->input.used ? POLLIN | POLLOUT : POLLIN;

	fds[count++] = (struct pollfd){.fd = con->listen_fd, .events = POLLIN};
	fds[count++] = (struct pollfd){.fd = con->serial_fd, .events = serial_events};
	for (int i = 0; i < CONSOLE_VIEWERS; i++) {
		const struct viewer *viewer = &con->viewers[i];
		short events = 0;
		if (viewer->fd >= 0 && wants_input(con, viewer))
			events = POLLIN;
		if (viewer->fd >= 0 && viewer->out.used)
			events = (short)(events | POLLOUT);
		// a viewer of whom nothing is wanted is left out, else its hang-up would wake the loop for ever
		fds[count++] = (struct pollfd){.fd = events ? viewer->fd : -1, .events = events};
	}
	return count;
}

size_t console_step(struct console *con, const struct pollfd *fds, nfds_t count, char *out, size_t size)
{
	size_t got = 0;

	for (nfds_t i = 2; i < count; i++) {
		struct viewer *viewer = &con->viewers[i - 2];
		if (viewer->fd >= 0 && fds[i].revents & POLLOUT)
			flush_viewer(viewer);
		if (viewer->fd >= 0 && fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			read_viewer(con, viewer);
	}
	if (con->serial_fd >= 0 && fds[1].revents & POLLOUT)
		(void)ring_write_out(&con->input, con->serial_fd); // a failure shows as the serial line's end of file
	if (con->serial_fd >= 0 && fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		got = read_serial(con, out, size);
	if (fds[0].revents & POLLIN)
		accept_viewer(con); // last: `fds` speaks of the viewers there were
	return got;
}
