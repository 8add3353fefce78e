// Commands to Open vSwitch's switch about each of its bridges, or of its datapaths, in the order of their names, or about one of them alone.
#ifndef POSTERN_POSTERND_OVS_EACH_H
#define POSTERN_POSTERND_OVS_EACH_H

#include "unpriv/posternd/lowest.h"
#include "unpriv/posternd/ovs_ctl.h"

#define OVS_EACH_MAX 4096 // bridges or datapaths; more are a failure

struct ovs_each_command {
	const char *command;
	const char *before, *behind; // arguments beside the name, or NULL
	bool optional;               // that it is refused is no failure: this datapath can't
	bool alone;                  // of the only one there is, the name is left out
};

struct ovs_each {
	struct request *rq; // failures are answered
	const char *list;   // command that prints the names, one a line
	const char *only;   // the one that is asked about; NULL: all of them
	const char *noun;   // "bridge", "datapath"
	const struct ovs_each_command *commands;
	unsigned n_commands; // asked of each, in this order
	// A line of the answer to the command with this number.
	void (*line)(void *arg, const char *name, unsigned command, char *line);
	// Before each is begun: false where it and those behind it in the order needn't be. May be NULL.
	bool (*wanted)(void *arg, const char *name);
	struct lowest *page; // cleared where it fails; may be NULL
	// Called once, later, where nothing failed.
	void (*done)(void *arg);
	void *arg;
};

// Starts it; copies *e, whose texts live as long as the request.
void ovs_each(const struct ovs_each *e);

// Writes the end of a key: what tells texts from others, in 32 hex digits, and the NUL. The key sorts by what stands before it.
void ovs_key_end(char *at, const char *a, const char *b, const char *c);

// The beginning of a key: a name, cut where it is long, and a colon. Returns its end.
#define OVS_KEY_NAME 24
char *ovs_key_name(char *at, const char *name);

// A copy of a line, which is cut up where it is read: good until the next one.
char *ovs_copy(const char *line);

// Keeps a line with the name it is of, if a page wants the key; ovs_kept_* read it back.
void ovs_keep(struct lowest *page, const char *key, const char *name, const char *line);
char *ovs_kept_name(struct low *x);
char *ovs_kept_line(struct low *x);

#endif
