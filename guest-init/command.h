// A command ready to start: its words, environment, user and directory, copied out of the request.
#ifndef POSTERN_GUEST_INIT_COMMAND_H
#define POSTERN_GUEST_INIT_COMMAND_H

#include "guest-init/config.h"
#include "guest-init/users.h"
#include "proto/guest.h"

#define COMMAND_WORDS 1024 // as guest.def limits argv and env

struct command {
	char *argv[COMMAND_WORDS + 1];
	char *env[COMMAND_WORDS + CONFIG_ENV + 8];
	size_t nenv;
	const char *cwd; // NULL: the user's home if one was given, else /
	const char *tag; // or NULL
	bool as_user;    // change to user; otherwise stay what the agent is
	struct user user;
	size_t used; // bytes of text
	char text[MP_MAX_VALUE + 1024];
};

// Copies an exec request.  Returns NULL, or a sentence on what can't be done with it.
const char *command_prepare(struct command *cmd, const struct msg_exec *req, const struct config *c);

// Descriptors the command gets as its 0, 1 and 2; with tty they are all its terminal.
struct command_io {
	int fds[3];
	bool tty;
	bool orphan;  // detached: outlives the agent's process for it
	pid_t parent; // that process
	int unplaced; // errno that kept the child out of its cgroup, or 0
};

// Becomes the command: session, group, terminal, user, directory, execve.  In a fresh child; what fails is told on its descriptor 2,
// and the exit code is 127 where there's no such program, else 126.
_Noreturn void command_run(const struct command *cmd, const struct command_io *io);

#endif
