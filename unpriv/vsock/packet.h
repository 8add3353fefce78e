// The 44-byte virtio-vsock packet header (virtio 1.2, 5.10.6), as bytes and as a struct.
#ifndef UNPRIV_VSOCK_PACKET_H
#define UNPRIV_VSOCK_PACKET_H

#include <stdint.h>

#define PACKET_HEADER   44U
#define PACKET_DATA_MAX 65536U // VIRTIO_VSOCK_MAX_PKT_BUF_SIZE of Linux's include/linux/virtio_vsock.h
#define CID_HOST        2U
#define CID_GUEST_MIN   3U
#define CID_GUEST_MAX   0xfffffffeU

enum packet_type { TYPE_STREAM = 1 };

enum packet_op {
	OP_REQUEST = 1,
	OP_RESPONSE = 2,
	OP_RST = 3,
	OP_SHUTDOWN = 4,
	OP_RW = 5,
	OP_CREDIT_UPDATE = 6,
	OP_CREDIT_REQUEST = 7,
};

enum packet_shutdown {
	SHUT_NO_RECEIVE = 1, // the sender of the packet won't receive any more
	SHUT_NO_SEND = 2,    // the sender of the packet won't send any more
	SHUT_ALL = 3,
};

struct packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len; // bytes of payload
	uint16_t type, op;
	uint32_t flags; // enum packet_shutdown, with OP_SHUTDOWN
	uint32_t buf_alloc, fwd_cnt;
};

void packet_decode(const uint8_t bytes[PACKET_HEADER], struct packet *p);
void packet_encode(const struct packet *p, uint8_t bytes[PACKET_HEADER]);

#endif
