// The device side of a split virtqueue.
//
// Whatever lies in the ring is the guest's and changes while we look. So every value is loaded exactly once into a local
// and checked there: the avail index must not run ahead by more than the ring holds, a head or next must be an entry of
// the ring, a chain has at most as many descriptors as the ring (a loop is thereby a broken rule and not a hang), every
// buffer must lie in guest memory, and its direction must be the queue's. Indirect tables aren't offered, so one is a
// broken rule too. A broken ring is left alone, with one signal on its error descriptor, until the driver resets: that
// is the guest's own loss and no reason to end the VM.
//
// Kicks are eventfds watched edge-triggered and never read: each write is an edge. Interrupts are one write for a batch.

#include "unpriv/vsock/ring.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	// QEMU's eventfds are non-blocking; a full counter means that the other side has yet to look.
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void ring_init(struct ring *r, enum ring_dir dir)
{
	*r = (struct ring){.dir = dir, .kick = -1, .call = -1, .err = -1};
}

void ring_finish(struct ring *r)
{
	close_fd(&r->kick);
	close_fd(&r->call);
	close_fd(&r->err);
	ring_init(r, r->dir);
}

void ring_unmap(struct ring *r)
{
	r->desc = NULL;
	r->avail = NULL;
	r->used = NULL;
}

// Sizes and alignments of virtio 1.2, 2.7: 16 n, 6 + 2 n and 6 + 8 n bytes. The trailing event words aren't used.
bool ring_map(struct ring *r, const struct memtable *mem)
{
	size_t n = r->num;

	ring_unmap(r);
	if (n == 0 || r->uva_desc % 16 != 0 || r->uva_avail % 2 != 0 || r->uva_used % 4 != 0)
		return false;
	void *desc = memtable_uva(mem, r->uva_desc, n * sizeof(struct vring_desc));
	void *avail = memtable_uva(mem, r->uva_avail, sizeof(struct vring_avail) + 2 * n);
	void *used = memtable_uva(mem, r->uva_used, sizeof(struct vring_used) + 8 * n);
	// A mapping is page aligned, but the region's addresses are the front end's word.
	if (desc == NULL || avail == NULL || used == NULL || (uintptr_t)desc % 16 != 0 || (uintptr_t)avail % 2 != 0 || (uintptr_t)used % 4 != 0)
		return false;
	r->desc = desc;
	r->avail = avail;
	r->used = used;
	r->next_used = le16toh(__atomic_load_n(&r->used->idx, __ATOMIC_RELAXED));
	r->seen_used = r->next_used;
	r->quiet = (le16toh(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED)) & VRING_USED_F_NO_NOTIFY) != 0;
	return true;
}

bool ring_live(const struct ring *r)
{
	return r->desc != NULL && r->kicked && r->enabled && !r->broken;
}

int ring_break(struct ring *r)
{
	r->broken = true;
	signal_fd(r->err);
	return -1;
}

static bool chain_add(struct chain *c, const struct memtable *mem, uint64_t gpa, size_t len)
{
	while (len > 0) {
		size_t part = len;
		void *p = memtable_gpa(mem, gpa, &part);
		if (p == NULL || c->count == CHAIN_IOV_MAX)
			return false;
		c->iov[c->count++] = (struct iovec){.iov_base = p, .iov_len = part};
		c->bytes += part;
		gpa += part; // can't wrap: memtable_gpa bounded part by a region that doesn't
		len -= part;
	}
	return true;
}

// Descriptor i, loaded once. The fields are only ever used from this copy.
static struct vring_desc load_desc(const struct ring *r, uint16_t i)
{
	const volatile struct vring_desc *d = &r->desc[i];

	return (struct vring_desc){.addr = le64toh(d->addr), .len = le32toh(d->len), .flags = le16toh(d->flags), .next = le16toh(d->next)};
}

static int avail_count(const struct ring *r)
{
	uint16_t idx = le16toh(__atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE));

	return (uint16_t)(idx - r->next_avail);
}

int ring_peek(struct ring *r, const struct memtable *mem, struct chain *c)
{
	if (!ring_live(r))
		return 0;
	int ahead = avail_count(r);
	if (ahead == 0)
		return 0;
	if (ahead > r->num)
		return ring_break(r);
	uint16_t slot = r->next_avail & (uint16_t)(r->num - 1U);
	uint16_t i = le16toh(__atomic_load_n(&r->avail->ring[slot], __ATOMIC_RELAXED));
	uint16_t want = r->dir == RING_TO_GUEST ? VRING_DESC_F_WRITE : 0;

	c->head = i;
	c->count = 0;
	c->bytes = 0;
	for (unsigned seen = 0; seen < r->num; seen++) {
		if (i >= r->num)
			return ring_break(r);
		struct vring_desc d = load_desc(r, i);
		if ((d.flags & VRING_DESC_F_INDIRECT) != 0 || (d.flags & VRING_DESC_F_WRITE) != want)
			return ring_break(r);
		if (!chain_add(c, mem, d.addr, d.len))
			return ring_break(r);
		if ((d.flags & VRING_DESC_F_NEXT) == 0)
			return 1;
		i = d.next;
	}
	return ring_break(r);
}

void ring_take(struct ring *r, const struct chain *c, uint32_t written)
{
	struct vring_used_elem *e = &r->used->ring[r->next_used & (uint16_t)(r->num - 1U)];

	e->id = htole32(c->head);
	e->len = htole32(written);
	r->next_used++;
	r->next_avail++;
}

void ring_publish(struct ring *r)
{
	if (r->used == NULL || r->next_used == r->seen_used)
		return;
	__atomic_store_n(&r->used->idx, htole16(r->next_used), __ATOMIC_RELEASE);
	r->seen_used = r->next_used;
	// The guest turns interrupts off, then looks at used->idx; we write used->idx, then look at its flag.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((le16toh(__atomic_load_n(&r->avail->flags, __ATOMIC_RELAXED)) & VRING_AVAIL_F_NO_INTERRUPT) == 0)
		signal_fd(r->call);
}

bool ring_want_kicks(struct ring *r, bool want)
{
	if (!ring_live(r))
		return false;
	if (r->quiet == want) {
		__atomic_store_n(&r->used->flags, htole16(want ? 0 : VRING_USED_F_NO_NOTIFY), __ATOMIC_RELAXED);
		r->quiet = !want;
	}
	if (!want)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return avail_count(r) != 0;
}

unsigned chain_slice(const struct chain *c, size_t skip, size_t max, struct iovec *out, size_t *len)
{
	unsigned n = 0;

	*len = 0;
	for (unsigned i = 0; i < c->count && *len < max; i++) {
		size_t have = c->iov[i].iov_len;
		if (skip >= have) {
			skip -= have;
			continue;
		}
		size_t part = have - skip < max - *len ? have - skip : max - *len;
		out[n++] = (struct iovec){.iov_base = (uint8_t *)c->iov[i].iov_base + skip, .iov_len = part};
		*len += part;
		skip = 0;
	}
	return n;
}

bool chain_read(const struct chain *c, void *to, size_t n)
{
	uint8_t *p = to;

	if (c->bytes < n)
		return false;
	for (unsigned i = 0; n > 0; i++) {
		size_t part = c->iov[i].iov_len < n ? c->iov[i].iov_len : n;
		memcpy(p, c->iov[i].iov_base, part);
		p += part;
		n -= part;
	}
	return true;
}

bool chain_write(const struct chain *c, const void *from, size_t n)
{
	const uint8_t *p = from;

	if (c->bytes < n)
		return false;
	for (unsigned i = 0; n > 0; i++) {
		size_t part = c->iov[i].iov_len < n ? c->iov[i].iov_len : n;
		memcpy(c->iov[i].iov_base, p, part);
		p += part;
		n -= part;
	}
	return true;
}
