// LINK: helper/net/ct.o helper/net/ct_flush.o helper/net/ct_read.o helper/net/fw_read.o helper/net/stream.o helper/common/cell.o
// LINK: helper/common/confine.o helper/common/fdpass.o helper/common/policy.o helper/common/recheck.o helper/common/rules.o
// LINK: proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -lcap-ng -lmnl
//
// Streams over a kernel that fails, lies or is slow: the seam, sys.h, is a fake with a clock of its own.
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "helper/net/ct.h"
#include "helper/net/stream.h"
#include "helper/net/sys.h"
#include "tests/lib/test.h"

static struct cell c;
static union {
	struct nlmsghdr align;
	char bytes[4096];
} datagram;
static ssize_t datagram_len; // what each receive answers: a length, or -errno
static size_t deleted;       // messages sent on the cell's own socket
static int open_err, send_err, errors_left, error_is;
static unsigned opened, closed;
static uint64_t clock_ns;

int sys_stream_open(void)
{
	if (open_err != 0)
		return open_err;
	opened++;
	return 100;
}

int sys_stream_send(int fd, const void *buf, size_t len)
{
	(void)buf;
	(void)len;
	return fd == 100 ? send_err : -EBADF;
}

ssize_t sys_stream_receive(int fd, void *buf, size_t cap)
{
	(void)fd;
	if (datagram_len > 0 && (size_t)datagram_len <= cap)
		memcpy(buf, datagram.bytes, (size_t)datagram_len);
	return datagram_len;
}

uint64_t sys_now_ns(void)
{
	return clock_ns;
}

int sys_send(enum sys_socket s, const void *buf, size_t len)
{
	int left = (int)len;

	for (const struct nlmsghdr *h = buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (s == SYS_NFT && h->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE))
			deleted++;
	}
	return 0;
}

ssize_t sys_receive(enum sys_socket s, void *buf, size_t cap, bool wait)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = {.h = {.nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR}, .e = {.error = error_is}};

	(void)s;
	(void)wait;
	if (errors_left == 0 || cap < sizeof(m))
		return -EAGAIN;
	errors_left--;
	memcpy(buf, &m, sizeof(m));
	return sizeof(m);
}

void sys_close(int fd)
{
	closed += fd == 100;
}

static void put_tuple(struct nlmsghdr *h, uint16_t type, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, type), *in = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	mnl_attr_put_u32(h, CTA_IP_V4_SRC, htonl(src));
	mnl_attr_put_u32(h, CTA_IP_V4_DST, htonl(dst));
	mnl_attr_nest_end(h, in);
	in = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, 17);
	mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(sport));
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(dport));
	mnl_attr_nest_end(h, in);
	mnl_attr_nest_end(h, tuple);
}

// One entry, and with `done` the end of the dump behind it.
static void entry(bool done)
{
	struct nlmsghdr *h = ct_begin(datagram.bytes, IPCTNL_MSG_CT_NEW, 0, AF_INET);

	put_tuple(h, CTA_TUPLE_ORIG, 0x0a000001, 0x0a000002, 1111, 53);
	put_tuple(h, CTA_TUPLE_REPLY, 0x0a000002, 0x0a000001, 53, 1111);
	mnl_attr_put_u32(h, CTA_ID, htonl(7));
	mnl_attr_put_u16(h, CTA_ZONE, htons(3));
	datagram_len = (ssize_t)h->nlmsg_len;
	if (!done)
		return;
	h = mnl_nlmsg_put_header(datagram.bytes + datagram_len);
	h->nlmsg_type = NLMSG_DONE;
	memset(mnl_nlmsg_put_extra_header(h, sizeof(int)), 0, sizeof(int));
	datagram_len += (ssize_t)h->nlmsg_len;
}

static void fresh(void)
{
	struct op_close_res r;

	for (uint32_t id = 1; id < 64; id++)
		op_close(&c, &(struct op_close_args){.stream = id}, NULL, &r, NULL);
	memset(&c, 0, sizeof(c));
	open_err = send_err = errors_left = error_is = 0;
	opened = closed = 0;
	deleted = 0;
	clock_ns = 1000000000;
	entry(true);
}

static enum op_status begin(uint32_t *id)
{
	struct op_conntrack_flush_res r = {0};
	enum op_status s = op_conntrack_flush(&c, &(struct op_conntrack_flush_args){0}, NULL, &r, NULL);

	*id = r.stream;
	return s;
}

static enum op_status next(uint32_t id, struct op_next_res *r)
{
	memset(r, 0, sizeof(*r));
	return op_next(&c, &(struct op_next_args){.stream = id}, NULL, r, NULL);
}

TEST("a stream that can't begin leaves nothing open")
{
	uint32_t id;

	fresh();
	open_err = -EMFILE;
	CHECK_INT(begin(&id), OPS_IO);
	open_err = 0;
	send_err = -ENOBUFS;
	CHECK_INT(begin(&id), OPS_IO);
	CHECK_INT(c.rep.err, ENOBUFS);
	CHECK_INT(opened, 1);
	CHECK_INT(closed, 1);
}

TEST("an error of the kernel ends the stream and closes its socket")
{
	struct op_next_res r;
	uint32_t id;

	fresh();
	CHECK_INT(begin(&id), OPS_OK);
	datagram_len = -ENOBUFS;
	CHECK_INT(next(id, &r), OPS_IO);
	CHECK_INT(closed, 1);
	CHECK_INT(next(id, &r), OPS_NOT_FOUND);
}

TEST("an entry is deleted by tuple, zone and number, and counted; one that has gone meanwhile isn't")
{
	struct op_next_res r;
	struct ct_flushed f;
	uint32_t id;

	fresh();
	CHECK_INT(begin(&id), OPS_OK);
	CHECK_INT(next(id, &r), OPS_OK);
	CHECK(r.end && r.data.len == sizeof(f));
	memcpy(&f, c.bulk, sizeof(f));
	CHECK(f.read == 1 && f.removed == 1 && deleted == 1);
	CHECK_INT(begin(&id), OPS_OK);
	errors_left = 1;
	error_is = -ENOENT;
	CHECK_INT(next(id, &r), OPS_OK);
	memcpy(&f, c.bulk, sizeof(f));
	CHECK(f.read == 1 && f.removed == 0);
	CHECK_INT(begin(&id), OPS_OK);
	errors_left = 1;
	error_is = -EPERM;
	CHECK_INT(next(id, &r), OPS_IO);
	CHECK_INT(opened, closed);
}

TEST("a slice ends when its time is over, and with a full answer")
{
	struct op_conntrack_read_res b = {0};
	struct op_next_res r;

	fresh();
	entry(false);
	CHECK_INT(op_conntrack_read(&c, &(struct op_conntrack_read_args){0}, NULL, &b, NULL), OPS_OK);
	CHECK_INT(next(b.stream, &r), OPS_OK); // the clock stands still
	CHECK(!r.end && r.data.len > 20000 && r.data.len <= HELPER_MAX_BYTES && r.data.len % sizeof(struct ct_record) == 0);
}

TEST("what nobody reads for 30 seconds is closed, and the loop ticks only while there is a stream")
{
	struct op_next_res r;
	uint32_t first, second;

	fresh();
	streams_tick(&c);
	CHECK_INT(c.tick_ms, -1);
	CHECK_INT(begin(&first), OPS_OK);
	clock_ns += UINT64_C(20000000000);
	CHECK_INT(begin(&second), OPS_OK);
	clock_ns += UINT64_C(10000000001);
	streams_tick(&c);
	CHECK_INT(c.tick_ms, 1000);
	CHECK_INT(closed, 1);
	CHECK_INT(next(first, &r), OPS_NOT_FOUND);
	CHECK_INT(next(second, &r), OPS_OK);
	streams_tick(&c);
	CHECK_INT(c.tick_ms, -1);
}

TEST("an entry cut anywhere, or with any length of an attribute changed, is read within its bytes or refused")
{
	struct ct_entry e;

	fresh();
	entry(false);
	size_t len = (size_t)datagram_len;
	for (size_t cut = sizeof(struct nlmsghdr); cut <= len; cut++) {
		struct nlmsghdr *copy = malloc(cut); // so that the sanitizer sees a read behind it
		memcpy(copy, datagram.bytes, cut);
		copy->nlmsg_len = (uint32_t)cut;
		CHECK(ct_parse(copy, &e) == (cut >= len - 8)); // the last attribute is its zone
		free(copy);
	}
	for (size_t at = 20; at < len; at++) {
		struct nlmsghdr *copy = malloc(len);
		memcpy(copy, datagram.bytes, len);
		((uint8_t *)copy)[at] ^= 0xff;
		ct_parse(copy, &e);
		free(copy);
	}
}

int main(void)
{
	return test_main();
}
