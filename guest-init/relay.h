// The life of one running command between its connection and its pipes or terminal.
#ifndef POSTERN_GUEST_INIT_RELAY_H
#define POSTERN_GUEST_INIT_RELAY_H

#include "guest-init/conn.h"
#include "guest-init/job.h"

struct relay {
	struct conn *conn; // its fd is -1 once the host is gone
	struct job *job;
	pid_t pid;
	int sigfd;  // readable after SIGCHLD
	int in;     // to the command; -1: closed, or it has none
	int out[2]; // from its stdout (or terminal) and stderr; -1: ended
	bool tty;
	bool detach;         // lives on when the host goes
	uint64_t began;      // ms of now_ms()
	uint64_t timeout_at; // when to end it; 0: never

	// Zero at the start:
	struct mp_slice left; // input received and not yet written; lies in relay.c
	bool eof_due;         // input ends behind it
	uint32_t taken;       // input written, or passed over, that the host hasn't been told of
	uint64_t ended;       // when the command itself ended; 0: it runs
	uint64_t kill_at;     // TERM has been sent, KILL is due then
	uint64_t drain_until; // when what still holds its output is given up
	size_t owed[2];       // bytes that lay in its pipes when it ended: they are delivered, however slow the host is
	unsigned turn;        // which output was read last
	int status;           // as waitpid gives it
	bool timed_out;
	bool truncated;
};

// Carries input, output, signals and sizes until the command has ended and its output is drained, or the host is gone.  The command
// is then reaped, or, when the host is gone and it isn't detached, TERM is on its way to its group.
void relay_run(struct relay *r);

// Tells the host the exit, waits for its ack, and closes.
void relay_report(struct relay *r);

#endif
