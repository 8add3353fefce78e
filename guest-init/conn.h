// One connection to the host: a bounded stream of messages over a non-blocking descriptor.
#ifndef POSTERN_GUEST_INIT_CONN_H
#define POSTERN_GUEST_INIT_CONN_H

#include "proto/guest.h"

struct conn {
	int fd;            // -1 once the host is gone
	bool greeted;      // the host's hello has come
	uint32_t features; // that both sides have
	size_t in_start;   // first byte not yet given out
	size_t in_end;     // one past the last received
	size_t out_start;  // first byte not yet sent
	size_t out_end;    // one past the last
	uint8_t in[MP_MAX_VALUE];
	uint8_t out[MP_MAX_VALUE];
};

enum conn_status {
	CONN_MSG,  // a message is here
	CONN_MORE, // nothing whole is
	CONN_BAD,  // the host broke the protocol
};

// Takes over fd, makes it non-blocking, and puts our hello.
void conn_init(struct conn *c, int fd);

// Closes it.
void conn_end(struct conn *c);

// Gives the next message; its slices borrow c until the next conn_fill().
enum conn_status conn_next(struct conn *c, struct msg *m);

// Reads once.  False: the host is gone.
bool conn_fill(struct conn *c);

// Writes once what waits to be sent.  False: the host is gone.
bool conn_flush(struct conn *c);

// True when nothing waits to be sent: then any message fits.
bool conn_idle(const struct conn *c);

// Puts a message; false when it doesn't fit now.
bool conn_put(struct conn *c, const struct msg *m);

// Puts an error: an errno or 0, and a sentence of at most 256 bytes.
bool conn_put_error(struct conn *c, int err, const char *what);

// Waits at most ms for the next message, sending meanwhile what waits to be sent.  False: gone, wrong, or too late.
bool conn_await(struct conn *c, struct msg *m, unsigned ms);

// Sends what waits to be sent and waits at most ms for the host's ack, or its going: a guest that closed first could lose its last
// words (Firecracker drops what it has buffered).  Whatever else comes is passed over.
void conn_finish(struct conn *c, unsigned ms);

#endif
