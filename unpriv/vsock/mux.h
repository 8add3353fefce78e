// The multiplexer: all connections between the host's Unix sockets and one guest. It knows packets and sockets, but
// neither rings nor QEMU.
#ifndef UNPRIV_VSOCK_MUX_H
#define UNPRIV_VSOCK_MUX_H

#include <sys/un.h>

#include "unpriv/vsock/ring.h"
#include "unpriv/vsock/table.h"

#define CONNECT_DEADLINE_MS 5000U // accept to RESPONSE; also while the guest's driver isn't up yet
#define LINGER_MS           8000U // our SHUTDOWN to the guest's RST: VSOCK_CLOSE_TIMEOUT of Linux's net/vmw_vsock
#define RST_QUEUE           2048U

// A reset owed to the guest for a pair of ports that has no connection (any more).
struct reset {
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct mux {
	struct table table;
	uint64_t cid;
	int epoll, listener;
	struct sockaddr_un name; // where the host connects; guest-initiated connections go to <name>_<port>
	size_t name_len;         // of name.sun_path; 0: the listener has no path, guests can't connect out
	bool accept_more;        // the listener has more clients than one turn takes
	uint64_t now_ms;
	struct conn_list ready;     // something may be there for the guest
	struct conn_list asking;    // CONN_LINE and CONN_ASKED, by deadline
	struct conn_list lingering; // CONN_LINGER, by deadline
	struct reset reset[RST_QUEUE];
	unsigned reset_head, reset_count;
};

// Both descriptors stay the caller's. epoll gets each connection with the tag mux_tag() makes, edge-triggered.
void mux_init(struct mux *m, uint64_t cid, int epoll, int listener);
void mux_finish(struct mux *m);

// Now, in milliseconds of any clock that doesn't go back: ends what is past its deadline.
void mux_tick(struct mux *m, uint64_t now_ms);
// Milliseconds until mux_tick has work, 0 to be called again at once, -1 for never.
int mux_timeout(const struct mux *m);

// The listener is readable, or mux.accept_more.
void mux_accept(struct mux *m);
// An epoll event for a connection; stale ones are ignored.
void mux_event(struct mux *m, uint64_t tag, uint32_t events);
uint64_t mux_tag(const struct mux *m, const struct conn *c);

// One packet from the guest; payload holds p->len bytes when `whole`, which is changed. A packet that isn't whole, or
// is addressed wrongly, costs the guest its connection or nothing.
void mux_from_guest(struct mux *m, const struct packet *p, struct iovec *payload, unsigned count, bool whole);

// Fills *c, of more than PACKET_HEADER bytes, with the next packet for the guest. Bytes written; 0: nothing to say.
size_t mux_to_guest(struct mux *m, const struct chain *c);
// True when mux_to_guest may have something to say.
bool mux_has_more(const struct mux *m);

// The guest's driver starts anew: it knows no connection. What it has yet to answer is asked again.
void mux_guest_reset(struct mux *m);

#endif
