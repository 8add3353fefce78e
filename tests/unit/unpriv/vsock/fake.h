// A fake front end and guest for the backend's unit tests and its fuzz target: QEMU's side of the socket, guest memory
// in a memfd, and a driver's side of both rings.
//
// Guest memory, from guest-physical 0 and from FAKE_UVA in the front end:
//	0x00000 RX ring    0x08000 TX ring    0x10000 RX buffers, 2 KiB each    0x50000 TX buffer, 128 KiB
#ifndef TESTS_UNIT_UNPRIV_VSOCK_FAKE_H
#define TESTS_UNIT_UNPRIV_VSOCK_FAKE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpriv/vsock/device.h"

#define FAKE_CID       42U
#define FAKE_MEM       (1U << 20)
#define FAKE_UVA       UINT64_C(0x7f0000000000)
#define FAKE_NUM       64U
#define FAKE_RING(q)   ((q)*0x8000U)
#define FAKE_AVAIL     0x2000U
#define FAKE_USED      0x4000U
#define FAKE_RX_SIZE   2048U
#define FAKE_RX_BUF(i) (0x10000U + (i)*FAKE_RX_SIZE)
#define FAKE_TX_BUF    0x50000U

struct fake {
	struct device device;
	int qemu, epoll, listener, memfd;
	int kick[QUEUES], call[QUEUES];
	uint8_t *mem;
	uint16_t avail[QUEUES], seen[QUEUES]; // the driver's own indices
	uint64_t now_ms;
	int alive; // last result of device_messages
	char name[64];
};

static inline struct vring_desc *fake_desc(struct fake *f, int q)
{
	return (struct vring_desc *)(void *)(f->mem + FAKE_RING((unsigned)q));
}

static inline struct vring_avail *fake_avail(struct fake *f, int q)
{
	return (struct vring_avail *)(void *)(f->mem + FAKE_RING((unsigned)q) + FAKE_AVAIL);
}

static inline struct vring_used *fake_used(struct fake *f, int q)
{
	return (struct vring_used *)(void *)(f->mem + FAKE_RING((unsigned)q) + FAKE_USED);
}

// What main.c's loop does, until nothing moves any more.
static inline void fake_pump(struct fake *f)
{
	struct epoll_event e[64];
	bool more = true;

	for (int turn = 0; turn < 10000 && f->alive == 1; turn++) {
		int n = epoll_wait(f->epoll, e, 64, 0);
		if (n <= 0 && !more)
			return;
		mux_tick(&f->device.mux, f->now_ms);
		for (int i = 0; i < n && f->alive == 1; i++) {
			if ((uint32_t)e[i].data.u64 == TAG_QEMU)
				f->alive = device_messages(&f->device);
			else if ((uint32_t)e[i].data.u64 == TAG_LISTENER)
				mux_accept(&f->device.mux);
			else if ((uint32_t)e[i].data.u64 != TAG_KICK)
				mux_event(&f->device.mux, e[i].data.u64, e[i].events);
		}
		if (f->device.mux.accept_more)
			mux_accept(&f->device.mux);
		more = f->alive == 1 && device_turn(&f->device);
	}
}

// Sends one vhost-user message; fds may be NULL.
static inline void fake_message(struct fake *f, uint32_t request, const void *payload, uint32_t size, const int *fds, unsigned nfds)
{
	struct vu_header h = {.request = request, .flags = 1, .size = size};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)payload, size}};
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	memset(&control, 0, sizeof(control));
	if (nfds > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	if (sendmsg(f->qemu, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; // the backend may have hung up: the caller looks at what follows
	fake_pump(f);
}

static inline void fake_u64(struct fake *f, uint32_t request, uint64_t v, int fd)
{
	fake_message(f, request, &v, sizeof(v), &fd, fd >= 0 ? 1 : 0);
}

static inline void fake_state(struct fake *f, uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_state s = {index, num};

	fake_message(f, request, &s, sizeof(s), NULL, 0);
}

// The reply's payload; its size or -1.
static inline int fake_reply(struct fake *f, void *to, size_t room)
{
	uint8_t b[512];
	struct vu_header h;
	ssize_t n = recv(f->qemu, b, sizeof(b), MSG_DONTWAIT);

	if (n < (ssize_t)sizeof(h))
		return -1;
	memcpy(&h, b, sizeof(h));
	if (h.flags != 5 || n != (ssize_t)(sizeof(h) + h.size) || h.size > room)
		return -1;
	memcpy(to, b + sizeof(h), h.size);
	return (int)h.size;
}

static inline void fake_memory(struct fake *f)
{
	struct {
		struct vu_mem head;
		struct mem_wire w;
	} m = {{1, 0}, {.gpa = 0, .size = FAKE_MEM, .uva = FAKE_UVA, .offset = 0}};

	fake_message(f, VU_SET_MEM_TABLE, &m, sizeof(m), &f->memfd, 1);
}

// QEMU's messages when the guest sets DRIVER_OK, for one queue.
static inline void fake_queue(struct fake *f, unsigned q, uint32_t base)
{
	uint64_t at = FAKE_UVA + FAKE_RING(q);
	struct vu_addr a = {.index = q, .desc = at, .avail = at + FAKE_AVAIL, .used = at + FAKE_USED};

	fake_state(f, VU_SET_VRING_NUM, q, FAKE_NUM);
	fake_state(f, VU_SET_VRING_BASE, q, base);
	fake_message(f, VU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
	fake_u64(f, VU_SET_VRING_KICK, q, f->kick[q]);
	fake_u64(f, VU_SET_VRING_CALL, q, f->call[q]);
}

// The driver offers one RX chain: header and data in two descriptors, as Linux before 6.3.
static inline void fake_rx_buffer(struct fake *f, uint16_t slot)
{
	struct vring_desc *d = fake_desc(f, QUEUE_RX);
	uint16_t i = (uint16_t)(slot * 2);

	d[i] = (struct vring_desc){
	    .addr = FAKE_RX_BUF(slot), .len = PACKET_HEADER, .flags = VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, .next = (uint16_t)(i + 1)};
	d[i + 1] = (struct vring_desc){.addr = FAKE_RX_BUF(slot) + PACKET_HEADER, .len = FAKE_RX_SIZE - PACKET_HEADER, .flags = VRING_DESC_F_WRITE};
	fake_avail(f, QUEUE_RX)->ring[f->avail[QUEUE_RX]++ % FAKE_NUM] = i;
	fake_avail(f, QUEUE_RX)->idx = f->avail[QUEUE_RX];
}

static inline void fake_kick(struct fake *f, int q)
{
	uint64_t one = 1;

	if (write(f->kick[q], &one, sizeof(one)) < 0)
		abort();
	fake_pump(f);
}

// A fresh driver: empty rings, all RX buffers offered, both queues set up and enabled.
static inline void fake_driver(struct fake *f, uint16_t rx_buffers)
{
	memset(f->mem, 0, 0x10000);
	memset(f->avail, 0, sizeof(f->avail));
	memset(f->seen, 0, sizeof(f->seen));
	for (uint16_t i = 0; i < rx_buffers; i++)
		fake_rx_buffer(f, i);
	fake_u64(f, VU_SET_FEATURES, UINT64_C(0x140000000), -1);
	fake_memory(f);
	fake_queue(f, QUEUE_RX, 0);
	fake_queue(f, QUEUE_TX, 0);
	fake_state(f, VU_SET_VRING_ENABLE, QUEUE_RX, 1);
	fake_state(f, VU_SET_VRING_ENABLE, QUEUE_TX, 1);
}

// QEMU's messages at stop, reset and quit.
static inline void fake_stop(struct fake *f, uint32_t base[QUEUES])
{
	for (unsigned q = 0; q < QUEUES; q++)
		fake_state(f, VU_SET_VRING_ENABLE, q, 0);
	for (unsigned q = 0; q < QUEUES; q++) {
		struct vu_state s = {0, 0};
		fake_state(f, VU_GET_VRING_BASE, q, 0);
		fake_reply(f, &s, sizeof(s));
		base[q] = s.num;
	}
}

static inline void fake_restart(struct fake *f, const uint32_t base[QUEUES])
{
	for (unsigned q = 0; q < QUEUES; q++)
		fake_queue(f, q, base[q]);
	for (unsigned q = 0; q < QUEUES; q++)
		fake_state(f, VU_SET_VRING_ENABLE, q, 1);
}

// Backend up, QEMU connected, no driver yet.
static inline struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = TAG_QEMU};
	static unsigned serial;
	struct rlimit files;
	int pair[2];

	// A full table is 1023 connections with both ends in this process.
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	f->alive = 1;
	f->now_ms = 1000;
	snprintf(f->name, sizeof(f->name), "/tmp/vsock-test-%d-%u", (int)getpid(), serial++);
	memcpy(at.sun_path, f->name, strlen(f->name));
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (bind(f->listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(f->listener, 128) < 0 || ftruncate(f->memfd, FAKE_MEM) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	f->mem = mmap(NULL, FAKE_MEM, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	for (int q = 0; q < QUEUES; q++) {
		f->kick[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		f->call[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	f->qemu = pair[0];
	device_init(&f->device, FAKE_CID, pair[1], f->listener, f->epoll);
	epoll_ctl(f->epoll, EPOLL_CTL_ADD, pair[1], &e);
	e = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u64 = TAG_LISTENER};
	epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->listener, &e);
	return f;
}

static inline struct fake *fake_up(void)
{
	struct fake *f = fake_new();

	fake_driver(f, 32);
	return f;
}

static inline void fake_free(struct fake *f)
{
	device_finish(&f->device);
	close(f->device.qemu);
	close(f->qemu);
	close(f->epoll);
	close(f->listener);
	unlink(f->name);
	for (int q = 0; q < QUEUES; q++) {
		close(f->kick[q]);
		close(f->call[q]);
	}
	munmap(f->mem, FAKE_MEM);
	close(f->memfd);
	free(f);
}

// A packet as our guest sends it, with a window of 64 KiB.
static inline struct packet fake_packet(enum packet_op op, uint32_t host_port, uint32_t guest_port)
{
	return (struct packet){.src_cid = FAKE_CID,
	                       .dst_cid = CID_HOST,
	                       .src_port = guest_port,
	                       .dst_port = host_port,
	                       .type = TYPE_STREAM,
	                       .op = (uint16_t)op,
	                       .buf_alloc = 65536};
}

// The guest sends p with p->len bytes of data, cut into descriptors of at most `cut` bytes (0: header and data).
static inline void fake_send_cut(struct fake *f, const struct packet *p, const void *data, uint32_t cut)
{
	struct vring_desc *d = fake_desc(f, QUEUE_TX);
	uint32_t total = PACKET_HEADER + p->len, at = 0;
	uint16_t n = 0;

	packet_encode(p, f->mem + FAKE_TX_BUF);
	if (data != NULL)
		memcpy(f->mem + FAKE_TX_BUF + PACKET_HEADER, data, p->len);
	while (at < total) {
		uint32_t part = cut != 0 ? cut : at == 0 ? PACKET_HEADER : p->len;
		part = part < total - at ? part : total - at;
		d[n] = (struct vring_desc){.addr = FAKE_TX_BUF + at, .len = part};
		at += part;
		if (at < total) {
			d[n].flags = VRING_DESC_F_NEXT;
			d[n].next = (uint16_t)(n + 1);
		}
		n++;
	}
	fake_avail(f, QUEUE_TX)->ring[f->avail[QUEUE_TX]++ % FAKE_NUM] = 0;
	fake_avail(f, QUEUE_TX)->idx = f->avail[QUEUE_TX];
	fake_kick(f, QUEUE_TX);
}

static inline void fake_send(struct fake *f, const struct packet *p, const void *data)
{
	fake_send_cut(f, p, data, 0);
}

static inline void fake_op(struct fake *f, enum packet_op op, uint32_t host_port, uint32_t guest_port)
{
	struct packet p = fake_packet(op, host_port, guest_port);

	fake_send(f, &p, NULL);
}

// The next packet the guest received, its data to `data` when not NULL; false: none. The buffer is offered again.
static inline bool fake_recv(struct fake *f, struct packet *p, void *data)
{
	struct vring_used *u = fake_used(f, QUEUE_RX);

	fake_pump(f);
	if (u->idx == f->seen[QUEUE_RX])
		return false;
	const struct vring_used_elem *e = &u->ring[f->seen[QUEUE_RX]++ % FAKE_NUM];
	uint16_t slot = (uint16_t)(e->id / 2);
	const uint8_t *b = f->mem + FAKE_RX_BUF(slot);
	packet_decode(b, p);
	if (p->len > FAKE_RX_SIZE - PACKET_HEADER || e->len != PACKET_HEADER + p->len)
		abort();
	if (data != NULL)
		memcpy(data, b + PACKET_HEADER, p->len);
	fake_rx_buffer(f, slot);
	fake_kick(f, QUEUE_RX);
	return true;
}

// Receives until a packet with this op came; false: none.
static inline bool fake_expect(struct fake *f, enum packet_op op, struct packet *p)
{
	while (fake_recv(f, p, NULL))
		if (p->op == op)
			return true;
	return false;
}

// A client of the hybrid socket, non-blocking.
static inline int fake_client(struct fake *f)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, f->name, strlen(f->name));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		abort();
	fake_pump(f);
	return fd;
}

static inline void fake_write(struct fake *f, int fd, const void *bytes, size_t n)
{
	if (send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		abort();
	fake_pump(f);
}

// What the client can read now: bytes, 0 for end of file, -1 for nothing yet, -2 for a reset connection.
static inline int fake_read(struct fake *f, int fd, void *to, size_t room)
{
	fake_pump(f);
	ssize_t n = recv(fd, to, room, MSG_DONTWAIT);
	return n >= 0 ? (int)n : errno == EAGAIN ? -1 : -2;
}

// A connection from the host to guest_port, open on both sides. Its client socket; *host_port as the guest sees it.
static inline int fake_open(struct fake *f, uint32_t guest_port, uint32_t *host_port)
{
	char line[64];
	struct packet p;
	int fd = fake_client(f);

	fake_write(f, fd, line, (size_t)snprintf(line, sizeof(line), "CONNECT %u\n", guest_port));
	if (!fake_expect(f, OP_REQUEST, &p) || p.dst_port != guest_port)
		return -1;
	*host_port = p.src_port;
	fake_op(f, OP_RESPONSE, p.src_port, guest_port);
	int n = fake_read(f, fd, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	unsigned said;
	return sscanf(line, "OK %u\n", &said) == 1 && said == *host_port ? fd : -1;
}

#endif
