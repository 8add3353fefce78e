// The device side of a split virtqueue (virtio 1.2, 2.7) in memory that a hostile guest shares.
#ifndef UNPRIV_VSOCK_RING_H
#define UNPRIV_VSOCK_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "unpriv/vsock/memtable.h"

#define RING_NUM_MAX  256U                             // QEMU gives 128
#define CHAIN_IOV_MAX (RING_NUM_MAX + MEM_REGIONS_MAX) // a descriptor may cross from one region into the next

enum ring_dir {
	RING_FROM_GUEST, // chains that the device reads
	RING_TO_GUEST,   // chains that the device writes
};

struct ring {
	enum ring_dir dir;
	uint16_t num;        // entries, a power of two up to RING_NUM_MAX; 0 before SET_VRING_NUM
	uint16_t next_avail; // the next avail entry to take
	uint16_t next_used;  // the next used entry to fill; the guest sees it after ring_publish
	uint16_t seen_used;  // used->idx as the guest sees it
	bool kicked;         // a kick descriptor came: the ring is started
	bool enabled;        // SET_VRING_ENABLE 1
	bool broken;         // the guest broke the rules; ignored until the driver sets it up anew
	bool quiet;          // used->flags has VRING_USED_F_NO_NOTIFY
	uint64_t uva_desc, uva_avail, uva_used;
	struct vring_desc *desc; // NULL: not mapped
	struct vring_avail *avail;
	struct vring_used *used;
	int kick, call, err; // eventfds, or -1
};

// One descriptor chain, translated and bounded.
struct chain {
	uint16_t head;
	unsigned count; // used entries of iov
	size_t bytes;   // their sum
	struct iovec iov[CHAIN_IOV_MAX];
};

void ring_init(struct ring *r, enum ring_dir dir);
// Closes the descriptors and forgets everything but the direction.
void ring_finish(struct ring *r);

// Translates the three addresses with *mem; also after the table changed. False, and the ring is unmapped, when a part
// doesn't lie in one region or is misaligned. used->idx is read again from the ring.
bool ring_map(struct ring *r, const struct memtable *mem);
void ring_unmap(struct ring *r);

// True while chains may be taken and given back.
bool ring_live(const struct ring *r);

// Looks at the next available chain without taking it: 1 and *c filled, 0 the ring is empty, -1 the guest broke the
// rules, the ring is now broken and its error descriptor signalled.
int ring_peek(struct ring *r, const struct memtable *mem, struct chain *c);

// Breaks the ring as ring_peek does; returns -1.
int ring_break(struct ring *r);

// Gives the peeked chain back with `written` bytes of it filled. The guest doesn't see it before ring_publish.
void ring_take(struct ring *r, const struct chain *c, uint32_t written);

// Shows the guest what was given back and interrupts it if it wants that.
void ring_publish(struct ring *r);

// Asks the guest for kicks, or not. Returns true when chains became available meanwhile: the caller must look again.
bool ring_want_kicks(struct ring *r, bool want);

// Slices `max` bytes of *c, after `skip` bytes, into out[CHAIN_IOV_MAX]; returns the number of entries, *len the bytes.
unsigned chain_slice(const struct chain *c, size_t skip, size_t max, struct iovec *out, size_t *len);

// Copies n bytes from, or to, the start of *c. False when the chain is shorter.
bool chain_read(const struct chain *c, void *to, size_t n);
bool chain_write(const struct chain *c, const void *from, size_t n);

#endif
