// A client's connection: bytes in, bytes out, who is at the other end. What the bytes mean is the
// framing's matter (http.c, line.c), chosen by the first byte.
//
// Input is read into one buffer shared by all connections; only what is left of an unfinished message
// is kept, so an idle connection costs no buffer. Output is written at once after input has been
// handled, and waits for the socket only when that is full.
#ifndef POSTERN_POSTERND_CONN_H
#define POSTERN_POSTERND_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "unpriv/posternd/access.h"
#include "unpriv/posternd/mem.h"

struct conn;
struct exchange;
struct event;

struct framing {
	const char *name;
	// Takes whole messages from in[0..len), returns the number of bytes used up. Stops when conn_is_full.
	size_t (*input)(struct conn *c, char *in, size_t len);
	// An exchange of this connection has its whole answer.
	void (*done)(struct exchange *x);
	// Says why this connection is being closed: too many of them, or a message that took too long.
	void (*refuse)(struct conn *c, const char *why);
	// Everything has been sent: an answer that goes on adds what there is more of it, and says whether that is anything.
	bool (*refill)(struct conn *c);
};

// Open -> Draining: an error ended the conversation; what is queued is written, input is thrown away.
// Draining -> closed when the peer closes or after LINGER_SECS, so that it can read the answer first.
enum conn_state { CONN_OPEN, CONN_DRAINING };

struct conn {
	int fd;
	uint64_t serial; // how many connections there were before it, and one
	enum conn_state state;
	bool refused;                  // over the limit of its uid: told so at its first byte
	bool peer_done;                // it has shut down its writing side: close once all is answered
	bool deaf;                     // no further message is understood: closed once all before is answered
	bool held;                     // whole messages wait in `in`, because the connection was full
	bool writing, reading;         // which events are armed
	bool handling;                 // inside input(): output is written afterwards
	const struct framing *framing; // NULL before the first byte
	struct peer peer;
	struct caller caller; // of the peer itself; see conn_caller
	struct text in;       // an unfinished message
	size_t seen;          // the framing's: bytes of `in` searched so far
	size_t want;          // the framing's: bytes `in` must hold before a look is worth while
	struct text out;
	size_t sent; // bytes of `out` already written
	struct event *read_event, *write_event;
	uint64_t message_since_ns;                 // when the unfinished message began; 0 = none
	uint64_t active_ns;                        // last progress of any kind
	unsigned pending;                          // exchanges in the list
	TAILQ_HEAD(exchanges, exchange) exchanges; // in the order they came
	TAILQ_ENTRY(conn) link;
};

// Takes over a connected socket. `refused` as above.
void conn_create(int fd, const struct peer *peer, bool refused);

// True when no more messages should be taken: too many unanswered, or too much unread output.
bool conn_is_full(const struct conn *c);

// Output has been added to c->out: writes it, or lets the running input handler do so. May destroy c
// unless called from within input().
void conn_flush(struct conn *c);

// No more input is understood; once all that is pending is answered and written, the writing side is
// shut, and what the client still sends is thrown away for a moment.
void conn_deafen(struct conn *c);

// Who the peer is by the access list in force.
void conn_caller(struct conn *c, struct caller *out);

// The serial of the last connection that was made.
uint64_t conn_last_serial(void);

// Number of connections, in all and of one uid.
unsigned conn_count(void);
unsigned conn_count_of(uid_t uid);

// Closes every connection, for an orderly end.
void conns_finish(void);

// Starts the sweep that ends slow and idle connections.
bool conns_init(void);

#endif
