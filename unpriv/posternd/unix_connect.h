// Connecting to a granted socket: an O_PATH descriptor, reached through /proc/self/fd alone, for its name lies in a directory of the VM's.
#ifndef POSTERN_POSTERND_UNIX_CONNECT_H
#define POSTERN_POSTERND_UNIX_CONNECT_H

#include <stdbool.h>

// A non-blocking stream socket connected to it, or -1 with errno (EAGAIN: its backlog is full just now).
int unix_connect_fd(int o_path);

#endif
