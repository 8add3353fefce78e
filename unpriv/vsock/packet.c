// The packet header, little-endian and packed on the wire. It is decoded from a private copy only: the guest can change
// its own between a check and a use.

#include "unpriv/vsock/packet.h"

#include <endian.h>
#include <string.h>

static uint64_t get64(const uint8_t *b)
{
	uint64_t v;

	memcpy(&v, b, sizeof(v));
	return le64toh(v);
}

static uint32_t get32(const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, sizeof(v));
	return le32toh(v);
}

static uint16_t get16(const uint8_t *b)
{
	uint16_t v;

	memcpy(&v, b, sizeof(v));
	return le16toh(v);
}

static void put64(uint8_t *b, uint64_t v)
{
	v = htole64(v);
	memcpy(b, &v, sizeof(v));
}

static void put32(uint8_t *b, uint32_t v)
{
	v = htole32(v);
	memcpy(b, &v, sizeof(v));
}

static void put16(uint8_t *b, uint16_t v)
{
	v = htole16(v);
	memcpy(b, &v, sizeof(v));
}

void packet_decode(const uint8_t bytes[PACKET_HEADER], struct packet *p)
{
	*p = (struct packet){.src_cid = get64(bytes),
	                     .dst_cid = get64(bytes + 8),
	                     .src_port = get32(bytes + 16),
	                     .dst_port = get32(bytes + 20),
	                     .len = get32(bytes + 24),
	                     .type = get16(bytes + 28),
	                     .op = get16(bytes + 30),
	                     .flags = get32(bytes + 32),
	                     .buf_alloc = get32(bytes + 36),
	                     .fwd_cnt = get32(bytes + 40)};
}

void packet_encode(const struct packet *p, uint8_t bytes[PACKET_HEADER])
{
	put64(bytes, p->src_cid);
	put64(bytes + 8, p->dst_cid);
	put32(bytes + 16, p->src_port);
	put32(bytes + 20, p->dst_port);
	put32(bytes + 24, p->len);
	put16(bytes + 28, p->type);
	put16(bytes + 30, p->op);
	put32(bytes + 32, p->flags);
	put32(bytes + 36, p->buf_alloc);
	put32(bytes + 40, p->fwd_cnt);
}
