// A session with ovs-vswitchd over its unixctl socket, as ovs-appctl(8) has one: commands one after the other, answers of text, line by line.
#ifndef POSTERN_POSTERND_OVS_CTL_H
#define POSTERN_POSTERND_OVS_CTL_H

#include "unpriv/posternd/ovs_conn.h"

#define OVS_CTL_SESSIONS 16    // at a time; one more is answered with FAIL_BUSY
#define OVS_CTL_LINE     65536 // most bytes of a line
#define OVS_CTL_ARGS     4

struct ovs_ctl_ask {
	const char *command;
	const char *args[OVS_CTL_ARGS]; // NULL ends them
	// A line of the answer without its end, NUL-terminated and free of NULs, the caller's to cut up. May be NULL.
	void (*line)(void *arg, char *line);
	// Called once, later; e->refused where the command itself failed, and the detail is what it said. The session is free for the next command.
	void (*done)(void *arg, const struct ovs_end *e);
	void *arg;
};

struct ovs_ctl;

// Opens a session; whether it can be is the first command's answer.
struct ovs_ctl *ovs_ctl_open(void);

// Asks; one at a time. A session whose end wasn't ok, but for refused, answers each further command the same way.
void ovs_ctl_ask(struct ovs_ctl *s, const struct ovs_ctl_ask *ask);

void ovs_ctl_close(struct ovs_ctl *s); // takes NULL; may be called by `done`

// Drops every session; nobody is told.
void ovs_ctl_stop(void);

#endif
