// One message of a client, a single call or a batch, from its text to its answer. It outlives its
// connection when a handler is still at work, and goes back to a free list when it is done with,
// arena, buffer and all, so that a usual request allocates next to nothing.
#ifndef POSTERN_POSTERND_EXCHANGE_H
#define POSTERN_POSTERND_EXCHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "unpriv/posternd/access.h"
#include "unpriv/posternd/mem.h"

struct conn;
struct sse;

struct exchange {
	struct conn *conn;          // NULL once the client has gone
	TAILQ_ENTRY(exchange) link; // in conn->exchanges
	struct exchange *next_spare;
	struct caller caller; // whoever sent it: the connection's peer and what the message itself proves
	bool credential;      // the message brought a credential, good or not
	uint32_t uid;         // of the peer

	json_t *tree; // what parameters borrow their texts from, or NULL
	struct arena arena;
	struct text out;  // the answer; empty = none (notifications)
	unsigned waiting; // calls not answered yet, plus one while calls are being started
	bool batch;

	bool complete;              // the answer is whole
	bool keep_alive, head_only; // HTTP: what follows the answer; it was a HEAD
	bool allow_post;            // HTTP: a 405 says that POST would do, not GET
	bool http10;                // HTTP: the request was in HTTP/1.0
	int status;                 // HTTP: 0 = by the answer, 200 or 204
	const char *type;           // HTTP: Content-Type
	struct sse *stream;         // HTTP: an answer that goes on for as long as the client stays, or NULL
	bool streaming;             // HTTP: its head has been written
};

// A new exchange at the end of the connection's list.
struct exchange *exchange_create(struct conn *c);

// The answer is whole: hands it to the framing, or drops it when the client has gone. x may be gone afterwards.
void exchange_complete(struct exchange *x);

// The framing has taken the answer: takes x out of its connection's list and recycles it.
void exchange_release(struct exchange *x);

// The connection goes: what is complete is recycled, the others go on without it.
void exchanges_abandon(struct conn *c);

// Frees the free list.
void exchanges_finish(void);

#endif
