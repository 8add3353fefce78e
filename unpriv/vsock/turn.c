// One turn of the device: packets from the TX ring into the multiplexer, packets for the guest into the RX ring.
//
// Both rings go round in bursts, so that neither direction nor QEMU's messages wait for the other; a burst is given back
// to the guest with one update of the used index and at most one interrupt. While we work the guest is asked not to
// kick. Before sleeping it is asked again, TX always, RX only when something waits for a buffer, and the rings are looked
// at once more, because a chain may have come between the last look and the request.

#include "unpriv/vsock/device.h"

#define BURST 64

static struct chain chain; // 4 KiB, one at a time

static void from_guest(struct device *d)
{
	static struct iovec payload[CHAIN_IOV_MAX];
	uint8_t header[PACKET_HEADER];
	struct packet p;
	size_t len;

	// A chain without room for a header is given back unread.
	if (!chain_read(&chain, header, sizeof(header)))
		return;
	packet_decode(header, &p);
	size_t want = p.op == OP_RW ? p.len : 0;
	unsigned count = chain_slice(&chain, PACKET_HEADER, want, payload, &len);
	mux_from_guest(&d->mux, &p, payload, count, len == want);
}

static unsigned burst_tx(struct device *d)
{
	struct ring *r = &d->ring[QUEUE_TX];
	unsigned n = 0;

	while (n < BURST && ring_peek(r, &d->mem, &chain) > 0) {
		from_guest(d);
		ring_take(r, &chain, 0);
		n++;
	}
	ring_publish(r);
	return n;
}

static unsigned burst_rx(struct device *d)
{
	struct ring *r = &d->ring[QUEUE_RX];
	unsigned n = 0;

	while (n < BURST && mux_has_more(&d->mux) && ring_peek(r, &d->mem, &chain) > 0) {
		if (chain.bytes <= PACKET_HEADER) {
			ring_break(r); // no byte could ever be sent through it
			break;
		}
		size_t written = mux_to_guest(&d->mux, &chain);
		if (written == 0)
			break;
		ring_take(r, &chain, (uint32_t)written);
		n++;
	}
	ring_publish(r);
	return n;
}

bool device_turn(struct device *d)
{
	struct ring *rx = &d->ring[QUEUE_RX], *tx = &d->ring[QUEUE_TX];

	if (!d->running)
		return false;
	ring_want_kicks(rx, false);
	ring_want_kicks(tx, false);
	unsigned n = burst_tx(d) + burst_rx(d);
	if (n > 0)
		return true;
	bool more = ring_want_kicks(tx, true);
	if (mux_has_more(&d->mux))
		more |= ring_want_kicks(rx, true);
	return more;
}
