// Rows of vhost-user requests and what each does to the device.
//
// QEMU is not trusted more than the guest: a request must have its exact size and number of descriptors, a queue index
// must be 0 or 1, and anything that isn't in the table ends the process with a line on stderr. Only what is implemented
// is offered, since QEMU takes, and the guest uses, whatever is.
//
// A ring is live when it has addresses, a kick descriptor and ENABLE. QEMU stops rings with GET_VRING_BASE both for a
// paused VM and for a reset one. They differ in how they start again: a paused one at the index we gave, with the used
// ring as we left it; a reset driver at zero. So connections outlive a pause, and are ended when a new driver comes up.

#include "unpriv/vsock/device.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define F_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define F_VERSION_1         (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define FEATURES            (F_VERSION_1 | F_PROTOCOL_FEATURES)
#define PROTOCOL_CONFIG     (UINT64_C(1) << 9)
#define FD_INDEX_MASK       UINT64_C(0xff)
#define FD_NONE             UINT64_C(0x100) // VHOST_USER_VRING_NOFD_MASK

static int fail(struct device *d, const char *why)
{
	d->error = why;
	return -1;
}

static int reply_u64(struct device *d, uint64_t v)
{
	return vumsg_reply(d->qemu, &d->msg, &v, sizeof(v)) == 0 ? 0 : fail(d, "QEMU doesn't take a reply");
}

static uint64_t payload_u64(const struct device *d)
{
	uint64_t v;

	memcpy(&v, d->msg.payload, sizeof(v));
	return v;
}

static int get_features(struct device *d)
{
	return reply_u64(d, FEATURES);
}

static int get_protocol_features(struct device *d)
{
	return reply_u64(d, PROTOCOL_CONFIG);
}

static int get_queue_num(struct device *d)
{
	return reply_u64(d, QUEUES);
}

static int set_features(struct device *d)
{
	return (payload_u64(d) & ~FEATURES) == 0 ? 0 : fail(d, "SET_FEATURES: a feature that isn't offered");
}

static int set_protocol_features(struct device *d)
{
	return (payload_u64(d) & ~PROTOCOL_CONFIG) == 0 ? 0 : fail(d, "SET_PROTOCOL_FEATURES: a feature that isn't offered");
}

static int ignore(struct device *d)
{
	(void)d;
	return 0;
}

static int set_mem_table(struct device *d)
{
	struct vu_mem head;
	struct mem_wire w;

	memcpy(&head, d->msg.payload, sizeof(head));
	if (head.count > MEM_REGIONS_MAX || d->msg.header.size != sizeof(head) + head.count * sizeof(w) || d->msg.fds != head.count)
		return fail(d, "SET_MEM_TABLE: regions, size and descriptors don't match");
	bool mapped[QUEUES];
	for (int q = 0; q < QUEUES; q++) {
		mapped[q] = d->ring[q].desc != NULL;
		ring_publish(&d->ring[q]);
		ring_unmap(&d->ring[q]);
	}
	memtable_clear(&d->mem);
	for (unsigned i = 0; i < head.count; i++) {
		memcpy(&w, d->msg.payload + sizeof(head) + i * sizeof(w), sizeof(w));
		if (memtable_add(&d->mem, &w, d->msg.fd[i]) < 0)
			return fail(d, "SET_MEM_TABLE: a region that can't be mapped");
	}
	// Memory hotplug sends a new table to running rings; at a driver's start they have no addresses yet.
	for (int q = 0; q < QUEUES; q++)
		if (mapped[q] && !ring_map(&d->ring[q], &d->mem))
			return fail(d, "SET_MEM_TABLE: a running ring lost its memory");
	return 0;
}

// The ring that the vu_state or vu_addr in the payload names, or NULL.
static struct ring *named_ring(struct device *d)
{
	uint32_t index;

	memcpy(&index, d->msg.payload, sizeof(index));
	if (index < QUEUES)
		return &d->ring[index];
	fail(d, "a queue index that isn't ours");
	return NULL;
}

static uint32_t state_num(const struct device *d)
{
	struct vu_state s;

	memcpy(&s, d->msg.payload, sizeof(s));
	return s.num;
}

static int set_vring_num(struct device *d)
{
	struct ring *r = named_ring(d);
	uint32_t num = state_num(d);

	if (r == NULL)
		return -1;
	if (r->kicked || num == 0 || num > RING_NUM_MAX || (num & (num - 1)) != 0)
		return fail(d, "SET_VRING_NUM: not a power of two up to 256, or the ring runs");
	ring_unmap(r);
	r->num = (uint16_t)num;
	return 0;
}

static int set_vring_addr(struct device *d)
{
	struct ring *r = named_ring(d);
	struct vu_addr a;

	if (r == NULL)
		return -1;
	memcpy(&a, d->msg.payload, sizeof(a));
	if (r->kicked || a.flags != 0)
		return fail(d, "SET_VRING_ADDR: the ring runs, or flags");
	r->uva_desc = a.desc;
	r->uva_avail = a.avail;
	r->uva_used = a.used;
	r->broken = false;
	return ring_map(r, &d->mem) ? 0 : fail(d, "SET_VRING_ADDR: the ring isn't in guest memory");
}

static int set_vring_base(struct device *d)
{
	struct ring *r = named_ring(d);

	if (r == NULL)
		return -1;
	if (r->kicked || state_num(d) > UINT16_MAX)
		return fail(d, "SET_VRING_BASE: the ring runs, or over 65535");
	r->next_avail = (uint16_t)state_num(d);
	return 0;
}

// QEMU has the same eventfd open, so closing ours doesn't end epoll's watch.
static void drop_kick(struct device *d, struct ring *r)
{
	if (r->kick < 0)
		return;
	epoll_ctl(d->mux.epoll, EPOLL_CTL_DEL, r->kick, NULL);
	close(r->kick);
	r->kick = -1;
}

static int get_vring_base(struct device *d)
{
	struct ring *r = named_ring(d);

	if (r == NULL)
		return -1;
	ring_publish(r);
	struct vu_state s = {.index = (uint32_t)(r - d->ring), .num = r->next_avail};
	d->stopped_at[s.index] = r->next_avail;
	ring_unmap(r);
	drop_kick(d, r);
	r->kicked = false;
	d->running = false;
	return vumsg_reply(d->qemu, &d->msg, &s, sizeof(s)) == 0 ? 0 : fail(d, "QEMU doesn't take a reply");
}

// KICK, CALL and ERR: the queue's index, and a descriptor unless FD_NONE. -1: a breach.
static int named_fd(struct device *d, struct ring **r, int *fd)
{
	uint64_t v = payload_u64(d);

	*fd = vumsg_take_fd(&d->msg);
	bool none = (v & FD_NONE) != 0;
	if ((v & ~FD_NONE) < QUEUES && none == (*fd < 0)) {
		*r = &d->ring[v & FD_INDEX_MASK];
		return 0;
	}
	if (*fd >= 0)
		close(*fd);
	return fail(d, "a queue's descriptor is missing, or one queue too many");
}

static void replace_fd(int *at, int fd)
{
	if (*at >= 0)
		close(*at);
	*at = fd;
}

static int set_vring_kick(struct device *d)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = TAG_KICK};
	struct ring *r;
	int fd;

	if (named_fd(d, &r, &fd) < 0)
		return -1;
	drop_kick(d, r);
	r->kick = fd;
	if (fd < 0 || epoll_ctl(d->mux.epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		return fail(d, "SET_VRING_KICK: no descriptor that can be waited for");
	r->kicked = true;
	return 0;
}

static int set_vring_call(struct device *d)
{
	struct ring *r;
	int fd;

	if (named_fd(d, &r, &fd) < 0)
		return -1;
	replace_fd(&r->call, fd);
	return 0;
}

static int set_vring_err(struct device *d)
{
	struct ring *r;
	int fd;

	if (named_fd(d, &r, &fd) < 0)
		return -1;
	replace_fd(&r->err, fd);
	return 0;
}

// Both rings start where the driver we knew left them, so it is the same driver. next_used comes from the ring itself.
static bool same_driver(const struct device *d)
{
	for (int q = 0; q < QUEUES; q++)
		if (d->ring[q].next_avail != d->stopped_at[q] || d->ring[q].next_used != d->stopped_at[q])
			return false;
	return true;
}

static int set_vring_enable(struct device *d)
{
	struct ring *r = named_ring(d);

	if (r == NULL)
		return -1;
	if (state_num(d) > 1)
		return fail(d, "SET_VRING_ENABLE: neither 0 nor 1");
	r->enabled = state_num(d) == 1;
	if (!ring_live(&d->ring[QUEUE_RX]) || !ring_live(&d->ring[QUEUE_TX])) {
		d->running = false;
		return 0;
	}
	if (!d->running && !same_driver(d))
		mux_guest_reset(&d->mux);
	d->running = true;
	return 0;
}

// struct virtio_vsock_config: the guest's CID, little-endian.
static int get_config(struct device *d)
{
	struct vu_config c;
	uint64_t cid = htole64(d->mux.cid);
	uint8_t out[sizeof(c) + sizeof(cid)];

	memcpy(&c, d->msg.payload, sizeof(c));
	if (c.offset > sizeof(cid) || c.size > sizeof(cid) - c.offset || d->msg.header.size != sizeof(c) + c.size)
		return fail(d, "GET_CONFIG: not within the eight bytes there are");
	memcpy(out, &c, sizeof(c));
	memcpy(out + sizeof(c), (const uint8_t *)&cid + c.offset, c.size);
	return vumsg_reply(d->qemu, &d->msg, out, (uint32_t)sizeof(c) + c.size) == 0 ? 0 : fail(d, "QEMU doesn't take a reply");
}

static const struct {
	int (*run)(struct device *);
	uint32_t size_min, size_max;
	unsigned fds_max;
} requests[VU_REQUESTS] = {
    [VU_GET_FEATURES] = {get_features, 0, 0, 0},
    [VU_SET_FEATURES] = {set_features, 8, 8, 0},
    [VU_SET_OWNER] = {ignore, 0, 0, 0},
    [VU_RESET_OWNER] = {ignore, 0, 0, 0},
    [VU_SET_MEM_TABLE] = {set_mem_table, sizeof(struct vu_mem), VU_PAYLOAD_MAX, MEM_REGIONS_MAX},
    [VU_SET_VRING_NUM] = {set_vring_num, 8, 8, 0},
    [VU_SET_VRING_ADDR] = {set_vring_addr, 40, 40, 0},
    [VU_SET_VRING_BASE] = {set_vring_base, 8, 8, 0},
    [VU_GET_VRING_BASE] = {get_vring_base, 8, 8, 0},
    [VU_SET_VRING_KICK] = {set_vring_kick, 8, 8, 1},
    [VU_SET_VRING_CALL] = {set_vring_call, 8, 8, 1},
    [VU_SET_VRING_ERR] = {set_vring_err, 8, 8, 1},
    [VU_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, 0, 0},
    [VU_SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, 8, 0},
    [VU_GET_QUEUE_NUM] = {get_queue_num, 0, 0, 0},
    [VU_SET_VRING_ENABLE] = {set_vring_enable, 8, 8, 0},
    [VU_GET_CONFIG] = {get_config, sizeof(struct vu_config), sizeof(struct vu_config) + 8, 0},
};

static int dispatch(struct device *d)
{
	const struct vu_header *h = &d->msg.header;

	if (h->request >= VU_REQUESTS || requests[h->request].run == NULL)
		return fail(d, "a request that isn't offered");
	if (h->size < requests[h->request].size_min || h->size > requests[h->request].size_max || d->msg.fds > requests[h->request].fds_max)
		return fail(d, "a request of the wrong size or number of descriptors");
	return requests[h->request].run(d);
}

int device_messages(struct device *d)
{
	for (;;) {
		switch (vumsg_recv(d->qemu, &d->msg)) {
		case VU_AGAIN: return 1;
		case VU_CLOSED: return 0;
		case VU_PROTOCOL: return fail(d, "a torn or oversized message");
		case VU_MESSAGE: break;
		}
		int rc = dispatch(d);
		vumsg_clear(&d->msg);
		if (rc < 0)
			return -1;
	}
}

void device_init(struct device *d, uint64_t cid, int qemu, int listener, int epoll)
{
	memset(d, 0, sizeof(*d));
	d->qemu = qemu;
	ring_init(&d->ring[QUEUE_RX], RING_TO_GUEST);
	ring_init(&d->ring[QUEUE_TX], RING_FROM_GUEST);
	mux_init(&d->mux, cid, epoll, listener);
}

void device_finish(struct device *d)
{
	mux_finish(&d->mux);
	for (int q = 0; q < QUEUES; q++) {
		drop_kick(d, &d->ring[q]);
		ring_finish(&d->ring[q]);
	}
	memtable_clear(&d->mem);
	vumsg_clear(&d->msg);
}
