// What the multiplexer's four files call of each other: mux.c (lives and deaths), from_guest.c, to_guest.c, hostsock.c.
#ifndef UNPRIV_VSOCK_MUX_PARTS_H
#define UNPRIV_VSOCK_MUX_PARTS_H

#include "unpriv/vsock/mux.h"

// ---- mux.c ----

// Puts c into the ready list, with PEND_* bits to say; 0 when bytes may be waiting. Out of the list again.
void mux_say(struct mux *m, struct conn *c, unsigned pending);
void mux_unready(struct mux *m, struct conn *c);

// Puts c into a list of deadlines, delay_ms from now, instead of the one it is in. Out of it again.
void mux_arm(struct mux *m, struct conn *c, struct conn_list *list, uint64_t delay_ms);
void mux_disarm(struct conn *c);

// Ends c: without a word to the guest, or with RST.
void mux_free(struct mux *m, struct conn *c);
void mux_kill(struct mux *m, struct conn *c);

// Owes the guest a RST for a pair of ports.
void mux_reset_pair(struct mux *m, uint32_t host_port, uint32_t guest_port, uint16_t type);

// The guest is gone: ends c as soon as the host has taken what is kept for it, which may be now.
void mux_drain(struct mux *m, struct conn *c);

// The host is gone: tells the guest, and waits for its RST.
void mux_linger(struct mux *m, struct conn *c);

// Bytes to the host, new ones behind those kept, or only those kept. Both may end c.
void mux_to_host(struct mux *m, struct conn *c, struct iovec *iov, unsigned count, size_t len);
void mux_flush(struct mux *m, struct conn *c);

// Adds c's descriptor to epoll. False: the kernel has no memory for it.
bool mux_watch(struct mux *m, struct conn *c);

// ---- hostsock.c ----

// Reads on in the CONNECT line of a CONN_LINE connection; may end it.
void host_read_line(struct mux *m, struct conn *c);

// Writes "OK <host port>\n".
void host_answer(struct conn *c);

// A connected non-blocking socket for a guest-initiated connection, the caller's; -1 when nobody listens or too many wait.
int host_connect(const struct mux *m, uint32_t port);

#endif
