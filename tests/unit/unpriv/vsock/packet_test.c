// LINK: unpriv/vsock/packet.o
// The packet header against the bytes of virtio 1.2, 5.10.6.
#include "unpriv/vsock/packet.h"

#include "tests/lib/test.h"

static const uint8_t wire[PACKET_HEADER] = {
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,                         // src_cid
    0x02, 0,    0,    0,    0,    0,    0,    0,                            // dst_cid
    0x44, 0x33, 0x22, 0x11, 0x00, 0x04, 0,    0,                            // ports
    0x78, 0x56, 0x34, 0x12, 0x01, 0,    0x05, 0,                            // len, type, op
    0x03, 0,    0,    0,    0,    0,    0x04, 0,    0xff, 0xff, 0xff, 0xff, // flags, buf_alloc, fwd_cnt
};

TEST("a header's literal bytes decode into its fields")
{
	struct packet p;

	packet_decode(wire, &p);
	CHECK_INT(p.src_cid, 0x0102030405060708);
	CHECK_INT(p.dst_cid, 2);
	CHECK_INT(p.src_port, 0x11223344);
	CHECK_INT(p.dst_port, 1024);
	CHECK_INT(p.len, 0x12345678);
	CHECK_INT(p.type, TYPE_STREAM);
	CHECK_INT(p.op, OP_RW);
	CHECK_INT(p.flags, SHUT_ALL);
	CHECK_INT(p.buf_alloc, 262144);
	CHECK_INT(p.fwd_cnt, UINT32_MAX);
}

TEST("encoding gives the same bytes back")
{
	uint8_t out[PACKET_HEADER];
	struct packet p;

	packet_decode(wire, &p);
	memset(out, 0xaa, sizeof(out));
	packet_encode(&p, out);
	CHECK(memcmp(out, wire, sizeof(out)) == 0);
}

int main(void)
{
	return test_main();
}
