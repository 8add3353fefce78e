// A synchronous JSON-RPC client over posternd's Unix socket, one message a line each way.
#ifndef POSTERN_UNPRIV_POSTERN_CLIENT_H
#define POSTERN_UNPRIV_POSTERN_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct client {
	int fd;      // -1: not connected
	int wake_fd; // readable = give up waiting (a signalfd); -1: none
	json_int_t last_id;
	char *buf; // what has been received and not yet given out
	size_t len, cap;
};

enum call_status {
	CALL_OK,
	CALL_ERROR,       // the daemon answered an error
	CALL_NO_DAEMON,   // it can't be reached
	CALL_CUT,         // it went away before its answer: what was asked may have happened
	CALL_NOT_ALLOWED, // the socket may not be used
	CALL_WOKEN,       // wake_fd became readable first; the connection is closed, what was asked may still happen
};

struct reply {
	enum call_status status;
	json_t *result; // CALL_OK
	json_t *error;  // CALL_ERROR: the error object, or NULL when it wasn't one
	char why[320];  // CALL_NO_DAEMON, CALL_CUT, CALL_NOT_ALLOWED: one sentence
};

// Makes a client that isn't connected yet.
void client_init(struct client *c, int wake_fd);

// Connects: to `socket`, else $POSTERN_SOCKET, else /run/postern/rpc.sock, else $XDG_RUNTIME_DIR/postern/rpc.sock.
enum call_status client_connect(struct client *c, const char *socket, struct reply *r);

// Calls a method, connected or not, and waits for its answer.  Takes params over (an object, an array, or NULL for none).
// Free the reply with reply_clear().
void client_call(struct client *c, const char *socket, const char *method, json_t *params, struct reply *r);

void client_close(struct client *c);
void reply_clear(struct reply *r);

// Connects to a Unix socket.  Returns the descriptor, or -1 with errno.
int unix_connect(const char *path);

#endif
