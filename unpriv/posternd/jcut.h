// Cuts the JSON messages of a connection to Open vSwitch apart as they arrive, however long they are: OVSDB's answers to selects row by row, a
// unixctl answer, which is one long string, piece by piece. What is cut out is left out of the message, so that neither a table of a million rows nor
// a dump of a million lines is ever held, or parsed at one go.
//
// Only strings and brackets are looked at here. Whether a part is JSON is for who parses it to find.
#ifndef POSTERN_POSTERND_JCUT_H
#define POSTERN_POSTERND_JCUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/mem.h"

#define JCUT_MESSAGE 262144  // most bytes of a message without its parts
#define JCUT_ROW     1048576 // most bytes of one row: a bridge's lists some 20,000 ports
#define JCUT_DEPTH   32

// Each answers false to have nothing more of the connection.
struct jcut_user {
	// A row of the answer to operation `op`, counted from 0: message.result[op].rows[…]. NULL: rows stay where they are.
	bool (*row)(void *arg, unsigned op, const char *text, size_t len);
	// A piece of message.result, where that is a string, its escapes resolved, as bytes of any kind. NULL: it stays where it is.
	bool (*piece)(void *arg, const char *bytes, size_t len);
	// A message's end: what is left of it.
	bool (*message)(void *arg, const char *text, size_t len);
	void *arg;
};

// Zeroed but for `user` it is at the beginning.
struct jcut {
	const struct jcut_user *user;
	struct text message, row;
	unsigned depth;
	char kind[JCUT_DEPTH + 1]; // '{' or '[', by depth from 1
	char key[4][8];            // of the member that is being read at depths 1 and 3; cut short: only short ones matter
	size_t key_len;            // of the key that is being read
	unsigned op;               // place in the result's list
	unsigned row_depth;        // where the row that is being read began; 0: none is
	bool in_string, escaped, wants_key, in_key, in_piece;
	unsigned hex; // digits of a \u still to come
	uint32_t code, high;
	char out[4096]; // of a piece
	size_t n_out;
};

// Takes the next bytes. False where they can't be a message, one part is too long, or the user has had enough; nothing may follow then.
bool jcut_feed(struct jcut *c, const char *bytes, size_t n);

void jcut_finish(struct jcut *c);

#endif
