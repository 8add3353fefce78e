// A connection to Open vSwitch: opened by the helper where the policy allows it, read in slices of 16 KiB between which the loop serves others, cut
// into messages and parts by jcut. Open vSwitch is the host's, but what it says may come from a database that anybody wrote: it is bounded and
// parsed as anything else from outside.
#ifndef POSTERN_POSTERND_OVS_CONN_H
#define POSTERN_POSTERND_OVS_CONN_H

#include "proto/helper.h"
#include "unpriv/posternd/jcut.h"
#include "unpriv/posternd/request.h"

#define OVS_DEADLINE_S 15 // for one answer, from its question to its end

// How a question, or a connection, ended.
struct ovs_end {
	bool ok;
	bool refused;        // Open vSwitch itself said no: `detail` is what it said
	struct failure fail; // where it isn't ok; its texts live until the callback returns
};

struct ovs_user {
	struct jcut_user cut;
	void (*ready)(void *arg);                            // it is connected
	void (*ended)(void *arg, const struct ovs_end *why); // it is gone; not called after ovs_conn_close()
	void *arg;                                           // the same as cut's
};

struct ovs_conn;

// Starts to connect; *u is borrowed until the end.
struct ovs_conn *ovs_conn_open(enum ovs_door door, const struct ovs_user *u);

// Sends a whole message; of a question the deadline begins.
void ovs_conn_ask(struct ovs_conn *c, const char *text, size_t len);
void ovs_conn_tell(struct ovs_conn *c, const char *text, size_t len);

// The answer is there: no deadline runs until the next question.
void ovs_conn_rest(struct ovs_conn *c);

// May be called by the callbacks too; takes NULL.
void ovs_conn_close(struct ovs_conn *c);

// Answers a request with a failure.
void ovs_fail(struct request *rq, const struct ovs_end *e);

#endif
