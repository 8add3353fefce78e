// LINK: unpriv/vsock/ring.o unpriv/vsock/memtable.o
// A hostile driver against the device side of a split ring.
#include "unpriv/vsock/ring.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/test.h"

#define NUM  8U
#define MEM  0x10000U
#define UVA  0x5000000U
#define GPA2 0x100000U // a second region, behind a hole, of one page

static struct memtable mem;
static struct ring r;
static struct chain c;
static uint8_t *bytes;

static struct vring_desc *desc(void)
{
	return (struct vring_desc *)(void *)bytes;
}

static struct vring_avail *avail(void)
{
	return (struct vring_avail *)(void *)(bytes + 0x1000);
}

static struct vring_used *used(void)
{
	return (struct vring_used *)(void *)(bytes + 0x2000);
}

static void setup(enum ring_dir dir)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	ring_finish(&r);
	memtable_clear(&mem);
	if (ftruncate(fd, MEM + 4096) < 0)
		_exit(1);
	memtable_add(&mem, &(struct mem_wire){0, MEM, UVA, 0}, fd);
	memtable_add(&mem, &(struct mem_wire){GPA2, 4096, UVA + GPA2, MEM}, fd);
	close(fd);
	bytes = mem.region[0].host;
	ring_init(&r, dir);
	r.num = NUM;
	r.uva_desc = UVA;
	r.uva_avail = UVA + 0x1000;
	r.uva_used = UVA + 0x2000;
	r.kicked = r.enabled = true;
	r.call = eventfd(0, EFD_NONBLOCK);
	r.err = eventfd(0, EFD_NONBLOCK);
	if (!ring_map(&r, &mem))
		_exit(1);
}

static void offer(uint16_t head)
{
	avail()->ring[avail()->idx % NUM] = head;
	avail()->idx++;
}

static bool signalled(int fd)
{
	uint64_t v;

	return read(fd, &v, sizeof(v)) == sizeof(v);
}

static bool broke(void)
{
	return ring_peek(&r, &mem, &c) == -1 && r.broken && signalled(r.err) && ring_peek(&r, &mem, &c) == 0;
}

TEST("an empty ring gives nothing")
{
	setup(RING_FROM_GUEST);
	CHECK_INT(ring_peek(&r, &mem, &c), 0);
}

TEST("a chain of three descriptors becomes three pieces of guest memory")
{
	setup(RING_FROM_GUEST);
	desc()[5] = (struct vring_desc){0x4000, 44, VRING_DESC_F_NEXT, 1};
	desc()[1] = (struct vring_desc){0x5000, 100, VRING_DESC_F_NEXT, 7};
	desc()[7] = (struct vring_desc){0x6000, 1, 0, 99};
	offer(5);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	CHECK_INT(c.head, 5);
	CHECK_INT(c.count, 3);
	CHECK_INT(c.bytes, 145);
	CHECK(c.iov[1].iov_base == bytes + 0x5000 && c.iov[1].iov_len == 100);
}

TEST("peeking doesn't take, taking does")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 44, 0, 0};
	offer(0);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	ring_take(&r, &c, 0);
	CHECK_INT(ring_peek(&r, &mem, &c), 0);
	CHECK_INT(used()->idx, 0);
	ring_publish(&r);
	CHECK_INT(used()->idx, 1);
}

TEST("a loop of descriptors breaks the ring")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 1, VRING_DESC_F_NEXT, 1};
	desc()[1] = (struct vring_desc){0x4000, 1, VRING_DESC_F_NEXT, 0};
	offer(0);
	CHECK(broke());
}

TEST("a chain as long as the ring is legal")
{
	setup(RING_FROM_GUEST);
	for (uint16_t i = 0; i < NUM; i++)
		desc()[i] = (struct vring_desc){0x4000, 1, i + 1U < NUM ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1)};
	offer(0);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	CHECK_INT(c.bytes, NUM);
}

TEST("a head outside the ring breaks it")
{
	setup(RING_FROM_GUEST);
	offer(NUM);
	CHECK(broke());
}

TEST("a next outside the ring breaks it")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 1, VRING_DESC_F_NEXT, 0xffff};
	offer(0);
	CHECK(broke());
}

TEST("an avail index further ahead than the ring is long breaks it")
{
	setup(RING_FROM_GUEST);
	avail()->idx = NUM + 1;
	CHECK(broke());
}

TEST("an avail index behind the device's breaks it")
{
	setup(RING_FROM_GUEST);
	r.next_avail = 5;
	avail()->idx = 4;
	CHECK(broke());
}

TEST("an indirect descriptor breaks the ring, since none are offered")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 16, VRING_DESC_F_INDIRECT, 0};
	offer(0);
	CHECK(broke());
}

TEST("a device-writable descriptor in the guest's transmit queue breaks it")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 44, VRING_DESC_F_NEXT, 1};
	desc()[1] = (struct vring_desc){0x5000, 44, VRING_DESC_F_WRITE, 0};
	offer(0);
	CHECK(broke());
}

TEST("a read-only descriptor in the guest's receive queue breaks it")
{
	setup(RING_TO_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 44, 0, 0};
	offer(0);
	CHECK(broke());
}

TEST("buffers outside guest memory break the ring")
{
	static const struct vring_desc bad[] = {
	    {MEM, 1, 0, 0},        {MEM - 1, 2, 0, 0},     {0, MEM + 1, 0, 0}, {UINT64_MAX, 1, 0, 0}, {UINT64_MAX - 3, 8, 0, 0},
	    {0, UINT32_MAX, 0, 0}, {GPA2 + 4095, 2, 0, 0}, {UVA, 1, 0, 0},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(RING_FROM_GUEST);
		desc()[0] = bad[i];
		offer(0);
		CHECK(broke());
	}
}

TEST("a buffer that crosses into the next region is cut in two")
{
	setup(RING_FROM_GUEST);
	mem.region[1].gpa = MEM;
	desc()[0] = (struct vring_desc){MEM - 10, 30, 0, 0};
	offer(0);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	CHECK_INT(c.count, 2);
	CHECK_INT(c.iov[0].iov_len, 10);
	CHECK(c.iov[1].iov_base == mem.region[1].host && c.iov[1].iov_len == 20);
}

TEST("an empty descriptor adds nothing")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){UINT64_MAX, 0, VRING_DESC_F_NEXT, 1};
	desc()[1] = (struct vring_desc){0x4000, 4, 0, 0};
	offer(0);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	CHECK_INT(c.count, 1);
}

TEST("indices wrap at 65536")
{
	setup(RING_FROM_GUEST);
	used()->idx = 0xffff;
	CHECK(ring_map(&r, &mem));
	r.next_avail = 0xffff;
	avail()->idx = 0xffff;
	desc()[3] = (struct vring_desc){0x4000, 4, 0, 0};
	offer(3);
	offer(3);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(ring_peek(&r, &mem, &c), 1);
		ring_take(&r, &c, 7);
	}
	ring_publish(&r);
	CHECK_INT(used()->idx, 1);
	CHECK_INT(used()->ring[0xffff % NUM].id, 3);
	CHECK_INT(used()->ring[0].len, 7);
}

TEST("a batch is one interrupt, and none when the driver wants none")
{
	setup(RING_FROM_GUEST);
	desc()[0] = (struct vring_desc){0x4000, 4, 0, 0};
	for (int i = 0; i < 3; i++)
		offer(0);
	while (ring_peek(&r, &mem, &c) == 1)
		ring_take(&r, &c, 0);
	ring_publish(&r);
	uint64_t n = 0;
	CHECK(read(r.call, &n, sizeof(n)) == sizeof(n) && n == 1);
	ring_publish(&r);
	CHECK(!signalled(r.call));
	avail()->flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer(0);
	CHECK_INT(ring_peek(&r, &mem, &c), 1);
	ring_take(&r, &c, 0);
	ring_publish(&r);
	CHECK(!signalled(r.call));
	CHECK_INT(used()->idx, 4);
}

TEST("asking for kicks shows what came before they were asked for")
{
	setup(RING_FROM_GUEST);
	CHECK(!ring_want_kicks(&r, false));
	CHECK_INT(used()->flags, VRING_USED_F_NO_NOTIFY);
	CHECK(!ring_want_kicks(&r, true));
	CHECK_INT(used()->flags, 0);
	ring_want_kicks(&r, false);
	offer(0);
	CHECK(ring_want_kicks(&r, true));
}

TEST("a ring that isn't wholly in one region, or misaligned, isn't mapped")
{
	setup(RING_FROM_GUEST);
	r.uva_desc = UVA + MEM - 16;
	CHECK(!ring_map(&r, &mem) && !ring_live(&r));
	r.uva_desc = UVA + 8;
	CHECK(!ring_map(&r, &mem));
	r.uva_desc = UVA;
	r.uva_avail = UVA + 0x1001;
	CHECK(!ring_map(&r, &mem));
	r.uva_avail = UVA + MEM - 4;
	CHECK(!ring_map(&r, &mem));
	r.uva_avail = UVA + 0x1000;
	r.uva_used = UVA + 0x2002;
	CHECK(!ring_map(&r, &mem));
	r.uva_used = UVA + MEM - 64;
	CHECK(!ring_map(&r, &mem));
	r.uva_used = UVA + MEM - 4 - NUM * 8;
	CHECK(ring_map(&r, &mem));
	r.num = 0;
	CHECK(!ring_map(&r, &mem));
}

TEST("a slice skips and limits across pieces")
{
	char a[4], b[4], d[4], out[7];
	struct iovec part[CHAIN_IOV_MAX];
	size_t len;

	c = (struct chain){.count = 3, .bytes = 12, .iov = {{a, 4}, {b, 4}, {d, 4}}};
	CHECK_INT(chain_slice(&c, 5, 5, part, &len), 2);
	CHECK_INT(len, 5);
	CHECK(part[0].iov_base == b + 1 && part[0].iov_len == 3 && part[1].iov_base == d && part[1].iov_len == 2);
	CHECK_INT(chain_slice(&c, 12, 5, part, &len), 0);
	CHECK_INT(chain_slice(&c, 0, 0, part, &len), 0);
	CHECK_INT(chain_slice(&c, 4, 100, part, &len), 2);
	CHECK_INT(len, 8);
	CHECK(chain_write(&c, "abcdefg", 7));
	CHECK(chain_read(&c, out, 7) && memcmp(out, "abcdefg", 7) == 0);
	CHECK(memcmp(b, "efg", 3) == 0);
	CHECK(!chain_read(&c, out, 13) && !chain_write(&c, out, 13));
}

int main(void)
{
	return test_main();
}
