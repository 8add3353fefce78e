// vhost-user messages as they come over QEMU's socket: framing, descriptors and replies.
// Source of ids, layouts and flags: QEMU's docs/interop/vhost-user.rst.
#ifndef UNPRIV_VSOCK_VUMSG_H
#define UNPRIV_VSOCK_VUMSG_H

#include <stddef.h>
#include <stdint.h>

#include "unpriv/vsock/memtable.h"

#define VU_FDS_MAX     MEM_REGIONS_MAX
#define VU_PAYLOAD_MAX (8U + MEM_REGIONS_MAX * sizeof(struct mem_wire)) // SET_MEM_TABLE is the longest

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_GET_CONFIG = 24,
	VU_REQUESTS = 25,
};

struct vu_header {
	uint32_t request, flags, size;
};

struct vu_state { // SET_VRING_NUM, _BASE, _ENABLE, GET_VRING_BASE
	uint32_t index, num;
};

struct vu_addr { // SET_VRING_ADDR: addresses in the front end
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vu_mem { // SET_MEM_TABLE, followed by count of struct mem_wire
	uint32_t count, padding;
};

struct vu_config { // GET_CONFIG, followed by size bytes
	uint32_t offset, size, flags;
};

// A message being received. The caller keeps it between calls, zeroed before the first.
struct vu_msg {
	struct vu_header header;
	uint8_t payload[VU_PAYLOAD_MAX] __attribute__((aligned(8)));
	size_t have; // bytes received so far, of header and payload
	int fd[VU_FDS_MAX];
	unsigned fds;
};

enum vu_recv {
	VU_AGAIN,    // nothing more for now
	VU_MESSAGE,  // *msg is complete
	VU_CLOSED,   // end of file between two messages
	VU_PROTOCOL, // end of file inside one, a wrong version, too long, too many descriptors, a socket error
};

// Receives without blocking, in as many pieces as it takes. Descriptors come close-on-exec and belong to *msg.
enum vu_recv vumsg_recv(int sock, struct vu_msg *msg);

// Takes the single descriptor of *msg, or -1.
int vumsg_take_fd(struct vu_msg *msg);

// Makes *msg ready for the next one; closes descriptors that nobody took.
void vumsg_clear(struct vu_msg *msg);

// Replies to *msg with size bytes. 0, or -1 when the socket doesn't take it at once (QEMU always waits for a reply).
int vumsg_reply(int sock, const struct vu_msg *msg, const void *payload, uint32_t size);

#endif
