// child: start one program of the jail.
#ifndef POSTERN_UNPRIV_KEEPER_CHILD_H
#define POSTERN_UNPRIV_KEEPER_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#define CHILD_FIRST_FD 3
#define CHILD_MAX_FDS  8

// child_start forks and executes `path` with `argv` and an empty environment. It gets fds[0], fds[1], … as 3, 4, …, /dev/null as standard input,
// `output` as standard output and error, and nothing else. Its signals are reset. Answers the pid, or -1 with errno set; a failing exec shows as exit
// code 127.
pid_t child_start(const char *path, char *const argv[], const int fds[], size_t nfds, int output);

#endif
