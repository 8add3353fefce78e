// The vhost-user device: what QEMU sets up, and the turn that moves packets between rings and multiplexer.
#ifndef UNPRIV_VSOCK_DEVICE_H
#define UNPRIV_VSOCK_DEVICE_H

#include "unpriv/vsock/mux.h"
#include "unpriv/vsock/vumsg.h"

enum { QUEUE_RX, QUEUE_TX, QUEUES }; // as the guest names them; queue 2, events, stays in QEMU

// Tags of epoll events that aren't a connection's. A connection's low half is below TABLE_CONNS.
enum device_tag { TAG_QEMU = 0x7fff0000, TAG_LISTENER, TAG_KICK };

struct device {
	int qemu; // the front end's socket; the caller's
	struct vu_msg msg;
	struct memtable mem;
	struct ring ring[QUEUES];
	uint16_t stopped_at[QUEUES]; // what GET_VRING_BASE last said
	bool running;                // both rings are live
	const char *error;           // why device_messages failed
	struct mux mux;
};

// Descriptors stay the caller's.
void device_init(struct device *d, uint64_t cid, int qemu, int listener, int epoll);
void device_finish(struct device *d);

// Handles all messages that are there. 1: go on, 0: QEMU closed the socket, -1: it broke the protocol, see d->error.
int device_messages(struct device *d);

// Moves packets both ways until there is nothing to do, or a burst is done. True: call again without sleeping.
bool device_turn(struct device *d);

#endif
