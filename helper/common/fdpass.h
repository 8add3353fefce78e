// Packets with descriptors over a SOCK_SEQPACKET Unix socket.
//
// One packet is one message.  Descriptors arrive close-on-exec, and a packet that isn't whole, or carries more of them than asked for, or
// anything else than descriptors, is never half accepted: everything that came with it is closed before the error is returned.
#ifndef HELPER_COMMON_FDPASS_H
#define HELPER_COMMON_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#define FDPASS_MAX 4u // descriptors in one packet

// Receives one packet of at most cap bytes into buf and its descriptors into fds[FDPASS_MAX]; the caller owns them.
// Returns its length in bytes, 0 when the peer has closed, or -1 with errno: EPROTO for a packet that breaks the rules above (an empty
// one too), EAGAIN where flags has MSG_DONTWAIT and nothing is there, else as recvmsg(2).
ssize_t fdpass_recv(int sock, void *buf, size_t cap, int *fds, unsigned *nfds, int flags);

// Sends one packet of len bytes (at least 1) with nfds descriptors (at most FDPASS_MAX), which stay the caller's.
// Returns 0, or -1 with errno as sendmsg(2): EAGAIN where flags has MSG_DONTWAIT and the peer doesn't read.  Never raises SIGPIPE.
int fdpass_send(int sock, const void *buf, size_t len, const int *fds, unsigned nfds, int flags);

// Closes fds[0..n) and sets each to -1; entries below 0 are passed over.
void fdpass_close(int *fds, unsigned n);

#endif
