// Host side of the guest wire: an incremental reader and a bounded writer over a connection to a guest's agent.
//
// The connection is a byte stream that carries msgpack values and nothing else (proto/guest.def), so a reader holds at most one
// unfinished value of 64 KiB, and a guest that sends a longer one is hung up on.  No event loop and no allocation in here: the owner
// of the descriptor, blocking or not, decides when to read and write.  How a command's connection goes:
//
//   host:  hello, exec{…}          stdin_data … stdin_eof     signal, resize …                  ack   close
//   guest: hello, started | error  stdout_data, stderr_data …                     exit{code …}         close
//
// End of input is the frame stdin_eof, never shutdown(2): half a close kills both directions on some VMMs.
#ifndef POSTERN_UNPRIV_COMMON_GUESTWIRE_H
#define POSTERN_UNPRIV_COMMON_GUESTWIRE_H

#include <sys/types.h>

#include "proto/guest.h"

// Room for one whole value behind the piece of another.
#define GUESTWIRE_BUF (2u * MP_MAX_VALUE)

struct guestwire_in {
	size_t start; // first byte not yet given out
	size_t end;   // one past the last byte received
	bool greeted; // the guest's hello has come
	uint8_t buf[GUESTWIRE_BUF];
};

struct guestwire_out {
	size_t start;       // first byte not yet sent
	size_t end;         // one past the last
	bool greeted;       // the guest's hello has been noted
	bool windowed;      // the guest says what it has taken of the input
	uint32_t under_way; // bytes of input that it hasn't taken
	uint8_t buf[GUESTWIRE_BUF];
};

enum guestwire_status {
	GUESTWIRE_MSG,  // *m holds a message
	GUESTWIRE_MORE, // nothing whole is here: read again
	GUESTWIRE_BAD,  // the guest broke the protocol: close, and log err
};

// Makes a reader empty.
void guestwire_in_init(struct guestwire_in *in);

// Makes a writer empty and puts the host's hello into it; secret is NULL, or 32 bytes.
void guestwire_out_init(struct guestwire_out *out, const uint8_t *secret);

// Reads once from fd.  Returns the bytes read, 0 at end of file, -1 with errno (EAGAIN: nothing there now; ENOBUFS: call
// guestwire_next() until it says MORE first).  Messages given out before are no longer valid.
ssize_t guestwire_fill(struct guestwire_in *in, int fd);

// Takes bytes that the caller has read itself.  Returns how many fitted; messages given out before are no longer valid.
size_t guestwire_feed(struct guestwire_in *in, const void *bytes, size_t len);

// Gives the next message; its slices borrow the reader until the next fill or feed.  The guest's hello is checked and given out like
// any other, and nothing is accepted before it.  What is no message of a guest is BAD, as is a guest older than the oldest we speak.
enum guestwire_status guestwire_next(struct guestwire_in *in, struct msg *m, struct wire_error *err);

// Appends a message.  Returns false where there is no room for it now (ENOBUFS in spirit: flush, then put it again).
bool guestwire_put(struct guestwire_out *out, const struct msg *m);

// Notes what a message from the guest says about input: its hello whether it knows windows, stdin_taken how much it has taken.
// False: it has taken more than it was given.
bool guestwire_note(struct guestwire_out *out, const struct msg *m);

// Bytes of input that the guest takes now: none before its hello has been noted, and SIZE_MAX where it knows no windows.
size_t guestwire_stdin_room(const struct guestwire_out *out);

// Appends input for the command, at most GUEST_MAX_DATA bytes a message.  Returns how many of the len bytes were taken: what there is room
// for in the writer, and at the guest.
size_t guestwire_put_stdin(struct guestwire_out *out, const void *bytes, size_t len);

// Bytes that wait to be sent.
size_t guestwire_pending(const struct guestwire_out *out);

// Writes once to fd.  Returns the bytes written (0: there were none), -1 with errno.
ssize_t guestwire_flush(struct guestwire_out *out, int fd);

// Packs strings into scratch and makes *list borrow them, for exec's argv and env.  v ends with NULL.  False: scratch is too small.
bool guestwire_list(struct mp_out *scratch, const char *const *v, struct wire_bytes_list *list);

// Makes *s borrow a C string.
void guestwire_text(const char *text, struct mp_slice *s);

#endif
