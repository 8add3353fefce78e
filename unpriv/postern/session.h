// One command in a guest, from the first frame to its exit code: standard input, output, error, signals and window size, relayed over a
// connection that speaks the guest wire.
#ifndef POSTERN_UNPRIV_POSTERN_SESSION_H
#define POSTERN_UNPRIV_POSTERN_SESSION_H

#include <stdbool.h>
#include <stddef.h>

struct session_ask {
	char *const *argv; // program and arguments, ended by NULL
	char *const *env;  // NAME=value, ended by NULL
	const char *cwd;   // NULL: the agent's choice
	const char *user;  // NULL: root
	bool tty;          // on a pseudo-terminal, of the size of the terminal on fd 0
	int in_fd;         // standard input, or -1 for none
	int out_fd, err_fd;
};

struct session_end {
	bool ended;     // the command has ended, and code says how; otherwise why says what went wrong
	int code;       // as a shell would say it
	bool truncated; // something still held its output when it was cut off
	char why[320];
};

// Relays until the command has ended, the connection breaks, or three SIGINTs have come from signal_fd (signals.h).  Takes over
// sock, a connected stream socket.
void session_run(int sock, int signal_fd, const struct session_ask *ask, struct session_end *end);

#endif
