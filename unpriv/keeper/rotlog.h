// rotlog: a log file of bounded size. When it would pass its limit it becomes NAME.1 and a new one begins, so a guest or a VMM that writes without
// end takes twice the limit of disk and no more.
#ifndef POSTERN_UNPRIV_KEEPER_ROTLOG_H
#define POSTERN_UNPRIV_KEEPER_ROTLOG_H

#include <stdbool.h>
#include <stddef.h>

#define ROTLOG_LIMIT (1024u * 1024u) // bytes in one file
#define ROTLOG_MODE  0640            // the daemon's group reads, by the set-group-id bit of the run directory

struct rotlog {
	int dir; // borrowed
	const char *name;
	int fd;
	size_t size;
	size_t limit;
};

// rotlog_open opens or creates `name` below `dir` and goes on at its end. False with errno set; never follows a symlink.
bool rotlog_open(struct rotlog *log, int dir, const char *name, size_t limit);

// rotlog_write appends. What cannot be written (a full disk) is lost: a log never stops a VM.
void rotlog_write(struct rotlog *log, const char *bytes, size_t length);

// rotlog_say appends one line that the keeper itself has to say.
__attribute__((format(printf, 2, 3))) void rotlog_say(struct rotlog *log, const char *format, ...);

#endif
