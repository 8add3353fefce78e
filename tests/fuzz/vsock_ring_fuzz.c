// LINK: unpriv/vsock/device.o unpriv/vsock/turn.o unpriv/vsock/mux.o unpriv/vsock/from_guest.o unpriv/vsock/to_guest.o unpriv/vsock/hostsock.o
// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o unpriv/vsock/ring.o unpriv/vsock/memtable.o unpriv/vsock/packet.o unpriv/vsock/vumsg.o
// The whole backend below main.c against a hostile guest, a hostile QEMU and careless host clients.
//
// The input is a program: each step is a byte that picks one of the verbs below, then its arguments. The rings are up
// when it starts, so the first byte already reaches them. Whatever happens, nothing may be touched outside guest memory
// (the sanitizers see to that), the books must balance at the end, and no descriptor may stay open.
#include "tests/unit/unpriv/vsock/fake.h"

#include <string.h>

#define CLIENTS 8

struct input {
	const uint8_t *at;
	size_t left;
};

static struct fake *f;
static int client[CLIENTS];

static uint32_t take(struct input *in, size_t n)
{
	uint32_t v = 0;

	for (; n > 0 && in->left > 0; n--, in->left--)
		v = v << 8 | *in->at++;
	return v;
}

static size_t take_bytes(struct input *in, uint8_t *to, size_t n)
{
	n = n < in->left ? n : in->left;
	memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
	return n;
}

// ---- the guest ----

static void poke(struct input *in)
{
	uint8_t b[64];
	uint32_t off = take(in, 3) % (FAKE_MEM - sizeof(b));
	size_t n = take_bytes(in, b, take(in, 1) % sizeof(b));

	memcpy(f->mem + off, b, n);
}

static void set_descriptor(struct input *in)
{
	static const uint64_t bases[] = {FAKE_TX_BUF, 0x10000, 0, FAKE_MEM - 64, UINT64_MAX - 63, FAKE_UVA, UINT32_MAX, 0x8000};
	int q = (int)take(in, 1) % QUEUES;
	struct vring_desc *d = &fake_desc(f, q)[take(in, 1) % FAKE_NUM];

	d->addr = bases[take(in, 1) % 8] + take(in, 1);
	d->len = take(in, 4);
	d->flags = (uint16_t)take(in, 1);
	d->next = (uint16_t)take(in, 2);
}

static void offer(struct input *in)
{
	int q = (int)take(in, 1) % QUEUES;

	fake_avail(f, q)->ring[f->avail[q]++ % FAKE_NUM] = (uint16_t)take(in, 1);
	fake_avail(f, q)->idx = f->avail[q];
	fake_kick(f, q);
}

static void jump(struct input *in)
{
	int q = (int)take(in, 1) % QUEUES;

	f->avail[q] = (uint16_t)take(in, 2);
	fake_avail(f, q)->idx = f->avail[q];
	fake_kick(f, q);
}

static void packet(struct input *in)
{
	static const uint32_t hosts[] = {HOST_PORT_MIN, HOST_PORT_MIN + 1, HOST_PORT_MIN + 2, 700};
	struct packet p = fake_packet((enum packet_op)(take(in, 1) % 9), hosts[take(in, 1) % 4], take(in, 1) % 4);
	uint8_t data[256] = {0};

	p.flags = take(in, 1);
	p.buf_alloc = take(in, 4);
	p.fwd_cnt = take(in, 4);
	p.len = take(in, 1);
	fake_send_cut(f, &p, data, take(in, 1) % 50);
}

// Up to four times 60,000 bytes to one connection, which a slow client's backlog can't all hold.
static void bulk(struct input *in)
{
	static const uint8_t data[60000];
	struct packet p = fake_packet(OP_RW, HOST_PORT_MIN + take(in, 1) % 3, take(in, 1) % 4);

	p.len = sizeof(data);
	for (uint32_t n = take(in, 1) % 4 + 1; n > 0; n--)
		fake_send(f, &p, data);
}

static void take_back(struct input *in)
{
	for (uint32_t n = take(in, 1) % 32; n > 0; n--)
		fake_rx_buffer(f, (uint16_t)(n - 1));
	fake_kick(f, QUEUE_RX);
}

// ---- QEMU ----

static void message(struct input *in)
{
	uint8_t payload[VU_PAYLOAD_MAX];
	uint32_t request = take(in, 1) % (VU_REQUESTS + 2);
	int fds[2] = {f->memfd, f->memfd};
	unsigned nfds = take(in, 1) % 3;
	size_t n = take_bytes(in, payload, take(in, 2) % sizeof(payload));

	if (request == VU_SET_VRING_KICK || request == VU_SET_VRING_CALL)
		fds[0] = f->kick[0];
	fake_message(f, request, payload, (uint32_t)n, fds, nfds);
}

static void raw(struct input *in)
{
	uint8_t b[64];
	size_t n = take_bytes(in, b, take(in, 1) % sizeof(b));

	if (send(f->qemu, b, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		fake_pump(f);
}

static void restart(struct input *in)
{
	uint32_t base[QUEUES];

	fake_stop(f, base);
	if (take(in, 1) % 2 != 0)
		fake_driver(f, 16);
	else
		fake_restart(f, base);
}

// ---- the host ----

static void connect_one(struct input *in)
{
	uint8_t line[48];
	int *c = &client[take(in, 1) % CLIENTS];
	size_t n = take_bytes(in, line, take(in, 1) % sizeof(line));

	if (*c >= 0)
		close(*c);
	*c = fake_client(f);
	if (send(*c, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		fake_pump(f);
}

static void open_one(struct input *in)
{
	int *c = &client[take(in, 1) % CLIENTS];
	char line[32];
	int n = snprintf(line, sizeof(line), "CONNECT %u\n", take(in, 1) % 4);

	if (*c >= 0)
		close(*c);
	*c = fake_client(f);
	if (send(*c, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		fake_pump(f);
}

static void client_writes(struct input *in)
{
	static const uint8_t zeros[70000];
	int c = client[take(in, 1) % CLIENTS];

	if (c >= 0 && send(c, zeros, take(in, 2), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		fake_pump(f);
}

static void client_reads(struct input *in)
{
	static uint8_t sink[70000];
	int c = client[take(in, 1) % CLIENTS];

	if (c >= 0 && recv(c, sink, take(in, 2), MSG_DONTWAIT) > 0)
		fake_pump(f);
}

static void client_leaves(struct input *in)
{
	int *c = &client[take(in, 1) % CLIENTS];
	uint32_t how = take(in, 1) % 4;

	if (*c < 0)
		return;
	if (how < 3) {
		shutdown(*c, (int)how);
	} else {
		close(*c);
		*c = -1;
	}
	fake_pump(f);
}

static void wait_some(struct input *in)
{
	f->now_ms += take(in, 2);
	mux_tick(&f->device.mux, f->now_ms);
	fake_pump(f);
}

static void (*const verbs[])(struct input *) = {
    poke,    set_descriptor, offer,    jump,          packet,       take_back,     message,   raw,
    restart, connect_one,    open_one, client_writes, client_reads, client_leaves, wait_some, bulk,
};

static void balance(const struct mux *m)
{
	size_t memory = 0;
	unsigned used = 0;

	for (unsigned i = 0; i < TABLE_CONNS; i++) {
		const struct conn *c = &m->table.conn[i];
		if (c->state == CONN_FREE)
			continue;
		used++;
		memory += c->backlog.size;
		if (c->backlog.used > c->backlog.size ||
		    ((c->state == CONN_LINE || c->state == CONN_ASKED || c->state == CONN_LINGER) != (c->timers != NULL)))
			abort();
	}
	if (used != m->table.used || memory != m->table.memory || memory > TABLE_MEMORY_MAX || m->reset_count > RST_QUEUE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	int before = dup(0);

	close(before);
	f = fake_up();
	memset(client, -1, sizeof(client));
	while (in.left > 0 && f->alive == 1)
		verbs[take(&in, 1) % (sizeof(verbs) / sizeof(verbs[0]))](&in);
	balance(&f->device.mux);
	for (int i = 0; i < CLIENTS; i++)
		if (client[i] >= 0)
			close(client[i]);
	fake_free(f);
	int after = dup(0);
	close(after);
	if (after != before)
		abort(); // a descriptor leaked
	return 0;
}
