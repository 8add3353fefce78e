// LINK: unpriv/vsock/device.o unpriv/vsock/turn.o unpriv/vsock/mux.o unpriv/vsock/from_guest.o unpriv/vsock/to_guest.o unpriv/vsock/hostsock.o
// LINK: unpriv/vsock/table.o unpriv/vsock/conn.o unpriv/vsock/ring.o unpriv/vsock/memtable.o unpriv/vsock/packet.o unpriv/vsock/vumsg.o
// The conversation with QEMU: its real order of messages, stop and start, driver resets, and everything it must not send.
#include "tests/unit/unpriv/vsock/fake.h"

#include "tests/lib/test.h"

static struct fake *f;

static uint64_t ask_u64(uint32_t request)
{
	uint64_t v = 0;

	fake_message(f, request, NULL, 0, NULL, 0);
	return fake_reply(f, &v, sizeof(v)) == sizeof(v) ? v : UINT64_MAX;
}

TEST("QEMU's start is answered: features, protocol features, queues and the guest's CID")
{
	struct {
		struct vu_config c;
		uint8_t cid[8];
	} __attribute__((packed)) config = {{0, 8, 0}, {0}};

	f = fake_new();
	CHECK_INT(ask_u64(VU_GET_FEATURES), 0x140000000);
	CHECK_INT(ask_u64(VU_GET_PROTOCOL_FEATURES), 0x200);
	fake_u64(f, VU_SET_PROTOCOL_FEATURES, 0x200, -1);
	fake_message(f, VU_SET_OWNER, NULL, 0, NULL, 0);
	CHECK_INT(ask_u64(VU_GET_FEATURES), 0x140000000);
	CHECK_INT(ask_u64(VU_GET_QUEUE_NUM), 2);
	fake_u64(f, VU_SET_VRING_CALL, 0, f->call[0]);
	fake_u64(f, VU_SET_VRING_ERR, 0, f->call[0]);
	fake_u64(f, VU_SET_VRING_CALL, 1, f->call[1]);
	fake_u64(f, VU_SET_VRING_ERR, 1, f->call[1]);
	fake_message(f, VU_GET_CONFIG, &config, sizeof(config), NULL, 0);
	CHECK_INT(fake_reply(f, &config, sizeof(config)), 20);
	CHECK_INT(config.cid[0], FAKE_CID);
	CHECK_INT(f->alive, 1);
	fake_free(f);
}

TEST("a part of the config can be read, and nothing beyond it")
{
	struct {
		struct vu_config c;
		uint8_t byte[9];
	} __attribute__((packed)) config = {{0, 1, 0}, {0}};

	f = fake_new();
	fake_message(f, VU_GET_CONFIG, &config, 13, NULL, 0);
	CHECK_INT(fake_reply(f, &config, sizeof(config)), 13);
	CHECK_INT(config.byte[0], FAKE_CID);
	config.c = (struct vu_config){8, 1, 0};
	fake_message(f, VU_GET_CONFIG, &config, 13, NULL, 0);
	CHECK_INT(f->alive, -1);
	fake_free(f);
}

TEST("the backend ends cleanly when QEMU closes its socket")
{
	f = fake_new();
	shutdown(f->qemu, SHUT_RDWR);
	fake_pump(f);
	CHECK_INT(f->alive, 0);
	fake_free(f);
}

TEST("a CONNECT before the driver is up is asked when it comes up")
{
	struct packet p;

	f = fake_new();
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 1024\n", 13);
	fake_driver(f, 8);
	CHECK(fake_expect(f, OP_REQUEST, &p));
	CHECK_INT(p.src_cid, CID_HOST);
	CHECK_INT(p.dst_cid, FAKE_CID);
	CHECK_INT(p.dst_port, 1024);
	close(fd);
	fake_free(f);
}

TEST("a paused VM keeps its connections, and a kick while rings are off isn't needed")
{
	uint32_t host, base[QUEUES];
	struct packet p;
	char b[64];

	f = fake_up();
	int fd = fake_open(f, 1024, &host);
	CHECK(fd >= 0);
	fake_stop(f, base);
	fake_write(f, fd, "early", 5);
	CHECK(!fake_recv(f, &p, NULL));
	fake_restart(f, base);
	CHECK(fake_recv(f, &p, b) && p.op == OP_RW && p.len == 5 && memcmp(b, "early", 5) == 0);
	close(fd);
	fake_free(f);
}

TEST("starting again with the very same descriptors works a hundred times")
{
	uint32_t host, base[QUEUES];

	f = fake_up();
	int fd = fake_open(f, 1024, &host);
	for (int i = 0; i < 100; i++) {
		fake_stop(f, base);
		fake_restart(f, base);
		CHECK_INT(f->alive, 1);
	}
	struct packet p = fake_packet(OP_RW, host, 1024);
	char b[8];
	p.len = 4;
	fake_send(f, &p, "data");
	CHECK_INT(fake_read(f, fd, b, sizeof(b)), 4);
	close(fd);
	fake_free(f);
}

TEST("a new driver ends the old connections and is asked anew what the old one didn't answer")
{
	uint32_t host, base[QUEUES];
	struct packet p;
	char b[8];

	f = fake_up();
	int fd = fake_open(f, 1024, &host), asked = fake_client(f);
	fake_write(f, asked, "CONNECT 7\n", 10);
	CHECK(fake_expect(f, OP_REQUEST, &p));
	fake_stop(f, base);
	CHECK_INT(fake_read(f, fd, b, sizeof(b)), -1);
	fake_driver(f, 8);
	CHECK_INT(fake_read(f, fd, b, sizeof(b)), 0);
	CHECK(fake_expect(f, OP_REQUEST, &p) && p.dst_port == 7);
	CHECK_INT(fake_read(f, asked, b, sizeof(b)), -1);
	close(fd);
	close(asked);
	fake_free(f);
}

TEST("bytes that a reset guest had sent still reach a slow host")
{
	static char out[200000], in[200000];
	uint32_t host, base[QUEUES];
	size_t got = 0, sent = 0;

	f = fake_up();
	int fd = fake_open(f, 1024, &host), n;
	struct packet p = fake_packet(OP_RW, host, 1024);
	memset(out, 'x', sizeof(out));
	int small = 4096;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (p.len = 50000; sent < 4 * 50000; sent += 50000)
		fake_send(f, &p, out);
	fake_stop(f, base);
	fake_driver(f, 8);
	while ((n = fake_read(f, fd, in + got, sizeof(in) - got)) > 0)
		got += (size_t)n;
	CHECK_INT(got, sent);
	CHECK_INT(f->device.mux.table.used, 0);
	close(fd);
	fake_free(f);
}

TEST("a broken ring is left alone until a new driver sets it up")
{
	uint32_t host, base[QUEUES];

	f = fake_up();
	fake_avail(f, QUEUE_TX)->idx = 0x4000;
	fake_kick(f, QUEUE_TX);
	CHECK(f->device.ring[QUEUE_TX].broken);
	CHECK_INT(f->alive, 1);
	fake_stop(f, base);
	fake_driver(f, 8);
	int fd = fake_open(f, 1024, &host);
	CHECK(fd >= 0);
	close(fd);
	fake_free(f);
}

TEST("an RX buffer without room for a byte of payload breaks the ring")
{
	f = fake_up();
	for (int i = 0; i < 64; i++)
		fake_desc(f, QUEUE_RX)[i].flags = VRING_DESC_F_WRITE;
	int fd = fake_client(f);
	fake_write(f, fd, "CONNECT 1024\n", 13);
	CHECK(f->device.ring[QUEUE_RX].broken);
	close(fd);
	fake_free(f);
}

TEST("a new memory table under running rings keeps them running")
{
	uint32_t host;

	f = fake_up();
	fake_memory(f);
	CHECK_INT(f->alive, 1);
	int fd = fake_open(f, 1024, &host);
	CHECK(fd >= 0);
	close(fd);
	fake_free(f);
}

TEST("a memory table without the running rings ends the backend")
{
	struct vu_mem none = {0, 0};

	f = fake_up();
	fake_message(f, VU_SET_MEM_TABLE, &none, sizeof(none), NULL, 0);
	CHECK_INT(f->alive, -1);
	fake_free(f);
}

TEST("requests that aren't offered end the backend")
{
	static const uint32_t never[] = {0, 6, 7, 19, 20, 21, 25, 31, 34, 36, 40, 1000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		f = fake_new();
		fake_message(f, never[i], NULL, 0, NULL, 0);
		CHECK_INT(f->alive, -1);
		CHECK(f->device.error != NULL);
		fake_free(f);
	}
}

TEST("every request of the wrong size ends the backend")
{
	uint8_t zero[VU_PAYLOAD_MAX] = {0};

	for (uint32_t request = 1; request < VU_REQUESTS; request++)
		for (uint32_t size = 1; size <= 7; size++) {
			f = fake_new();
			fake_message(f, request, zero, size, NULL, 0);
			CHECK_INT(f->alive, -1);
			fake_free(f);
		}
}

TEST("descriptors where none belong, or none where one belongs, end the backend")
{
	uint64_t none = 0;
	int fd = -1;

	for (uint32_t request = 1; request < VU_REQUESTS; request++) {
		f = fake_new();
		if (request == VU_SET_VRING_KICK || request == VU_SET_VRING_CALL || request == VU_SET_VRING_ERR)
			fake_message(f, request, &none, sizeof(none), &fd, 0);
		else
			fake_message(f, request, &none, sizeof(none), &f->memfd, 1);
		CHECK_INT(f->alive, -1);
		fake_free(f);
	}
}

TEST("a third queue, and ring parameters out of range, end the backend")
{
	static const struct {
		uint32_t request, index, num;
	} bad[] = {{VU_SET_VRING_NUM, 2, 64},      {VU_SET_VRING_NUM, 0, 0},           {VU_SET_VRING_NUM, 0, 63},  {VU_SET_VRING_NUM, 0, 512},
	           {VU_SET_VRING_NUM, 0, 0x10040}, {VU_SET_VRING_NUM, UINT32_MAX, 64}, {VU_SET_VRING_BASE, 2, 0},  {VU_SET_VRING_BASE, 0, 65536},
	           {VU_GET_VRING_BASE, 2, 0},      {VU_SET_VRING_ENABLE, 2, 1},        {VU_SET_VRING_ENABLE, 0, 2}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f = fake_new();
		fake_state(f, bad[i].request, bad[i].index, bad[i].num);
		CHECK_INT(f->alive, -1);
		fake_free(f);
	}
	f = fake_new();
	fake_u64(f, VU_SET_VRING_CALL, 2, f->call[0]);
	CHECK_INT(f->alive, -1);
	fake_free(f);
}

TEST("a running ring can't be changed under the device's feet")
{
	for (int i = 0; i < 3; i++) {
		struct vu_addr a = {.index = 0, .desc = FAKE_UVA, .avail = FAKE_UVA, .used = FAKE_UVA};
		f = fake_up();
		if (i == 0)
			fake_message(f, VU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
		else
			fake_state(f, i == 1 ? VU_SET_VRING_NUM : VU_SET_VRING_BASE, 0, 64);
		CHECK_INT(f->alive, -1);
		fake_free(f);
	}
}

TEST("ring addresses outside guest memory end the backend")
{
	static const uint64_t bad[] = {0, FAKE_UVA + FAKE_MEM, FAKE_UVA - 16, UINT64_MAX - 15, FAKE_UVA + FAKE_MEM - 16};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (int part = 0; part < 3; part++) {
			struct vu_addr a = {.desc = FAKE_UVA, .avail = FAKE_UVA, .used = FAKE_UVA};
			f = fake_new();
			fake_memory(f);
			fake_state(f, VU_SET_VRING_NUM, 0, 64);
			*(part == 0 ? &a.desc : part == 1 ? &a.avail : &a.used) = bad[i];
			fake_message(f, VU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
			CHECK_INT(f->alive, -1);
			fake_free(f);
		}
}

TEST("a memory table whose count, size and descriptors differ ends the backend")
{
	struct {
		struct vu_mem head;
		struct mem_wire w[2];
	} m = {.w = {{0, 4096, FAKE_UVA, 0}, {4096, 4096, FAKE_UVA + 4096, 0}}};
	int fds[2];
	static const struct {
		uint32_t count, size;
		unsigned fds;
	} bad[] = {{1, 8, 1}, {2, 40, 1}, {1, 72, 1}, {2, 72, 1}, {1, 40, 2}, {9, 72, 2}, {UINT32_MAX, 40, 1}, {0x08000001, 40, 1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f = fake_new();
		fds[0] = fds[1] = f->memfd;
		m.head.count = bad[i].count;
		fake_message(f, VU_SET_MEM_TABLE, &m, bad[i].size, fds, bad[i].fds);
		CHECK_INT(f->alive, -1);
		fake_free(f);
	}
}

TEST("features that aren't offered end the backend")
{
	f = fake_new();
	fake_u64(f, VU_SET_FEATURES, UINT64_C(0x140000000) | 1 << 28, -1);
	CHECK_INT(f->alive, -1);
	fake_free(f);
	f = fake_new();
	fake_u64(f, VU_SET_PROTOCOL_FEATURES, 0x208, -1);
	CHECK_INT(f->alive, -1);
	fake_free(f);
}

TEST("a whole life leaves no descriptor open")
{
	uint32_t host, base[QUEUES];
	int before = dup(0);

	close(before);
	f = fake_up();
	int fd = fake_open(f, 1, &host);
	fake_stop(f, base);
	fake_restart(f, base);
	close(fd);
	fake_free(f);
	int after = dup(0);
	close(after);
	CHECK_INT(after, before);
}

int main(void)
{
	return test_main();
}
