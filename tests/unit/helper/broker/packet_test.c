// LINK: helper/broker/packet.o helper/common/recheck.o proto/mp.o proto/wire.o proto/wire_kinds.o proto/helper.o
//
// Literal bytes of the daemon's wire, so that no change of packer and reader together goes unseen.
#include "helper/broker/packet.h"
#include "tests/lib/test.h"

static union op_args a;
static struct cell_rep rep;
static const uint8_t none[4] = {1, 2, 3, 4}; // what stands behind a struct
static uint32_t id;
static enum op_id op;
static uint8_t buf[512];

// OP_ping is 0 and takes nothing; OP_link_add is 1.
#define READS(literal) packet_request(literal, sizeof(literal) - 1, &id, &op, &a)

TEST("a request is three values: id, operation, arguments")
{
	CHECK(READS("\x93\x01\x00\x80"));
	CHECK_INT(id, 1);
	CHECK_INT(op, OP_ping);
	CHECK(READS("\x93\xce\xff\xff\xff\xff\x01\x82\xa4kind\x00\xa4name\xa6pt-br0"));
	CHECK_INT(id, UINT32_MAX);
	CHECK_INT(op, OP_link_add);
	CHECK_STR(a.link_add.name, "pt-br0");
	CHECK(a.link_add.has_name && !a.link_add.has_mtu);
}

TEST("B16 and B17: id 0, an unknown operation and another length of the array are malformed")
{
	CHECK(!READS("\x93\x00\x00\x80"));
	CHECK(!READS("\x93\x01\xcc\xff\x80"));
	CHECK(!READS("\x92\x01\x00"));
	CHECK(!READS("\x94\x01\x00\x80\x80"));
	CHECK(!READS("\x93\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00\x80"));
}

TEST("B11, B12, B14 and B15: long integers, unknown and doubled keys, ext and trailing bytes are malformed")
{
	CHECK(!READS("\x93\xcc\x01\x00\x80"));
	CHECK(!READS("\x93\x01\x00\x80\x00"));
	CHECK(!READS("\x93\x01\x00\x81\xa1x\x00"));
	CHECK(!READS("\x93\x01\x01\x83\xa4kind\x00\xa4name\xa6pt-br0\xa4name\xa6pt-br1"));
	CHECK(!READS("\x93\x01\x01\x82\xa4name\xa6pt-br0\xa4kind\x00"));
	CHECK(!READS("\x93\x01\xd4\x00\x00\x80"));
	CHECK(!READS("\x93\x01\x00\xc1"));
	CHECK(!READS("\x93\x01\x00\xde\x00\x00"));
}

TEST("B10 and B13: a name as bin, with NUL or invalid UTF-8 inside, is malformed")
{
	CHECK(!READS("\x93\x01\x01\x82\xa4kind\x00\xa4name\xc4\x06pt-br0"));
	CHECK(!READS("\x93\x01\x01\x82\xa4kind\x00\xa4name\xa6pt-b\x00"
	             "0"));
	CHECK(!READS("\x93\x01\x01\x82\xa4kind\x00\xa4name\xa6pt-b\xff"
	             "0"));
	CHECK(!READS("\x93\x01\x01\x82\xa4kind\xc2\xa4name\xa6pt-br0"));
}

TEST("B9: thirty nested arrays of 2^28 cost nothing but an error")
{
	uint8_t bomb[152] = {0x93, 0x01};

	for (size_t i = 0; i < 30; i++)
		memcpy(bomb + 2 + 5 * i, "\xdd\x10\x00\x00\x00", 5);
	CHECK(!packet_request(bomb, sizeof(bomb), &id, &op, &a));
}

TEST("B21: a hello of another version or of other rows is told from a malformed one")
{
	size_t n = packet_hello_write(buf, sizeof(buf));

	CHECK_INT(n, 43);
	CHECK(memcmp(buf, "\x93\x00\x01\x81\xa4rows\xc4\x20", 11) == 0);
	CHECK_INT(packet_hello_read(buf, n), HELLO_OK);
	buf[42] ^= 1;
	CHECK_INT(packet_hello_read(buf, n), HELLO_OTHER_ROWS);
	buf[42] ^= 1;
	buf[2] = 2;
	CHECK_INT(packet_hello_read(buf, n), HELLO_OTHER_ROWS);
	CHECK_INT(packet_hello_read(buf, n - 1), HELLO_MALFORMED);
	buf[1] = 1;
	CHECK_INT(packet_hello_read(buf, n), HELLO_MALFORMED);
	CHECK_INT(packet_hello_write(buf, 42), 0);
}

TEST("an answer carries results, or status, errno and rule")
{
	memset(&rep, 0, sizeof(rep));
	rep.res.link_add.ifindex = 300;
	size_t n = packet_answer(buf, sizeof(buf), 7, OP_link_add, &rep);
	CHECK(n == 15 && memcmp(buf, "\x93\x07\x00\x81\xa7ifindex\xcd\x01\x2c", n) == 0);
	memset(&rep, 0, sizeof(rep));
	rep.status = OPS_DENIED;
	strcpy(rep.rule, "bridge");
	n = packet_answer(buf, sizeof(buf), 7, OP_link_add, &rep);
	CHECK(n == 16 && memcmp(buf,
	                        "\x93\x07\x01\x81\xa4rule\xa6"
	                        "bridge",
	                        n) == 0);
	rep.err = 1;
	n = packet_answer(buf, sizeof(buf), 7, OP_link_add, &rep);
	CHECK(n == 21 && memcmp(buf,
	                        "\x93\x07\x01\x82\xa3"
	                        "err\x01\xa4rule\xa6"
	                        "bridge",
	                        n) == 0);
}

TEST("what a cell can't mean isn't passed on: size, status, descriptors, rule without end or with control bytes")
{
	memset(&rep, 0, sizeof(rep));
	CHECK(packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 0));
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep) - 1, OP_tap_create, 0));
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 1));
	rep.nfds = 1;
	CHECK(packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 1));
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep), OP_link_add, 1));
	rep.status = OPS_DENIED;
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 1));
	rep.nfds = 0;
	CHECK(packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 0));
	rep.rule[0] = '\x1b';
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 0));
	memset(rep.rule, 'a', sizeof(rep.rule));
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 0));
	rep.status = OPS_COUNT;
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep), OP_tap_create, 0));
}

TEST("bytes come behind the struct, exactly as many as it says, and go on in the packet")
{
	memset(&rep, 0, sizeof(rep));
	rep.res.next.data.len = 4;
	rep.res.next.end = true;
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep) + 3, OP_next, 0));
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep) + 5, OP_next, 0));
	CHECK(packet_rep_ok(&rep, none, sizeof(rep) + 4, OP_next, 0));
	CHECK(rep.res.next.data.p == none);
	size_t n = packet_answer(buf, sizeof(buf), 7, OP_next, &rep);
	CHECK(n == 26 && memcmp(buf, "\x93\x07\x00\x83\xa4" "data\xc4\x04\x01\x02\x03\x04\xa3" "end\xc3\xa4torn\xc2", n) == 0);
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep) + 4, OP_next, 0)); // a pointer means nothing from another process
	rep.res.next.data.p = NULL;
	rep.res.next.data.len = HELPER_MAX_BYTES + 1;
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep) + HELPER_MAX_BYTES + 1, OP_next, 0));
	CHECK(!packet_rep_ok(&rep, none, sizeof(rep) + 4, OP_ping, 0));
}

int main(void)
{
	return test_main();
}
