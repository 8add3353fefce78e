// console: the VM's serial line, shared. Everybody who connects to /run/console.sock sees what the guest writes, beginning with the last few KiB; the
// one who has been connected longest is the writer, whose bytes go to the guest. Everything is bounded: viewers, what is queued for each, what waits
// for the guest.
#ifndef POSTERN_UNPRIV_KEEPER_CONSOLE_H
#define POSTERN_UNPRIV_KEEPER_CONSOLE_H

#include <poll.h>
#include <stdbool.h>

#include "unpriv/keeper/ring.h"

#define CONSOLE_VIEWERS    8
#define CONSOLE_QUEUE      (64 * 1024) // bytes a viewer may lag behind before it is dropped
#define CONSOLE_SCROLLBACK (8 * 1024)
#define CONSOLE_INPUT      4096
#define CONSOLE_POLL_FDS   (CONSOLE_VIEWERS + 2)

struct viewer {
	int fd;              // -1: free
	unsigned long since; // order of arrival
	struct ring out;
	char out_bytes[CONSOLE_QUEUE];
};

struct console {
	int listen_fd;
	int serial_fd; // -1 after the VMM hung up
	unsigned long arrivals;
	struct viewer viewers[CONSOLE_VIEWERS];
	struct ring scrollback, input;
	char scrollback_bytes[CONSOLE_SCROLLBACK], input_bytes[CONSOLE_INPUT];
};

// console_init takes over a listening socket and a connected one to the VMM's serial port, both non-blocking.
void console_init(struct console *con, int listen_fd, int serial_fd);

// console_poll fills up to CONSOLE_POLL_FDS entries and answers how many.
nfds_t console_poll(const struct console *con, struct pollfd *fds);

// console_step does what the entries of console_poll say is ready. Answers how many bytes from the guest it put in `out`, at most `size`.
size_t console_step(struct console *con, const struct pollfd *fds, nfds_t count, char *out, size_t size);

#endif
