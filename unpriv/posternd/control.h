// The worker's line to its parent: one byte a packet, descriptors by SCM_RIGHTS.
#ifndef POSTERN_POSTERND_CONTROL_H
#define POSTERN_POSTERND_CONTROL_H

#include <stdbool.h>

enum {
	CONTROL_FD = 3,       // in the worker
	CONTROL_HELPER = 'H', // parent to worker, with a descriptor: a socket to a new helper
	CONTROL_READY = 'R',  // worker to parent: it serves
	CONTROL_MET = 'M',    // worker to parent: the helper has said hello
	CONTROL_GONE = 'D',   // worker to parent: the helper's socket is at its end
	CONTROL_RESOLV = 'N', // worker to parent: open /etc/resolv.conf; and back, with the descriptor if it can be opened
};

// Sends a packet, with a descriptor unless fd is -1. False if the other end is gone.
bool control_send(int control, char what, int fd);

// Receives a packet; *fd is the descriptor that came with it, or -1. 0 = the other end is gone, -1 = nothing there.
int control_receive(int control, int *fd);

#endif
