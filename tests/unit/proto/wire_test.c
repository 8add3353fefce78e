// LINK: proto/mp.o proto/wire.o proto/wire_kinds.o proto/helper.o proto/guest.o
//
// The row-driven codec: literal byte vectors of both wires, every refusal, and round trips of every operation and message.
#include "tests/lib/test.h"

#include <stdlib.h>

#include "proto/guest.h"
#include "proto/helper.h"

static bool decode_op(enum op_id op, const void *bytes, size_t len, void *out, struct wire_error *err)
{
	struct mp m = mp_over(bytes, len);

	return wire_decode(op_rows[op].args, op_rows[op].nargs, &m, out, op_rows[op].args_size, err) && m.p == m.end;
}

#define REFUSED(op, bytes, say) \
	do { \
		union op_args a_; \
		struct wire_error e_ = {0}; \
		CHECK(!decode_op(op, bytes, sizeof(bytes) - 1, &a_, &e_)); \
		CHECK_STR(e_.what, say); \
	} while (0)

TEST("the bytes of a tap_create request are pinned")
{
	static const uint8_t want[] = "\x83\xa4name\xa6pt-t00\xa9owner_uid\xce\x00\x0d\xbb\xa0\xa7want_fd\xc3";
	struct op_tap_create_args a = {.name = "pt-t00", .has_owner_uid = true, .owner_uid = 900000, .has_want_fd = true, .want_fd = true};
	struct op_tap_create_args back;
	struct wire_error err;
	uint8_t buf[256];
	struct mp_out o = {.buf = buf, .cap = sizeof(buf)};

	CHECK(wire_encode(op_rows[OP_tap_create].args, op_rows[OP_tap_create].nargs, &a, &o));
	CHECK_INT(o.len, sizeof(want) - 1);
	CHECK(memcmp(buf, want, o.len) == 0);
	CHECK(decode_op(OP_tap_create, buf, o.len, &back, &err));
	CHECK_STR(back.name, "pt-t00");
	CHECK(back.has_owner_uid && back.owner_uid == 900000 && back.want_fd && !back.has_mac);
}

TEST("the bytes of an exec with arguments that aren't UTF-8 are pinned")
{
	static const uint8_t wire[] = "\x92\x03\x82\xa4" "argv\x92\xc4\x02\xff\xfe\xc4\x01x\xaatimeout_ms\xcd\x03\xe8";
	struct msg m;
	struct wire_error err = {0};
	struct mp_slice item;
	struct mp it;
	size_t used = 0;
	uint8_t buf[128];
	struct mp_out o = {.buf = buf, .cap = sizeof(buf)};

	if (msg_read(wire, sizeof(wire) - 1, FROM_HOST, &m, &used, &err) != MP_OK)
		FAIL("%s: %s", err.field == NULL ? "-" : err.field, err.what);
	CHECK(m.id == MSG_exec && used == sizeof(wire) - 1 && m.exec.argv.n == 2 && m.exec.timeout_ms == 1000);
	it = mp_over(m.exec.argv.raw.p, m.exec.argv.raw.len);
	CHECK(wire_bytes_next(&it, &item) && item.len == 2 && item.p[0] == 0xff);
	CHECK(wire_bytes_next(&it, &item) && item.len == 1 && item.p[0] == 'x');
	CHECK(!wire_bytes_next(&it, &item));
	CHECK(msg_write(&o, &m) && o.len == sizeof(wire) - 1 && memcmp(buf, wire, o.len) == 0);
}

TEST("unknown, repeated, misplaced and missing keys are refused")
{
	REFUSED(OP_sysctl_set, "\x81\xa3key\x00", "missing");
	REFUSED(OP_sysctl_set, "\x82\xa2on\xc3\xa3key\x00", "missing, or out of the rows' order");
	REFUSED(OP_sysctl_set, "\x83\xa3key\x00\xa2on\xc3\xa2on\xc3", "too many keys");
	REFUSED(OP_sysctl_set, "\x82\xa3key\x00\xa2no\xc3", "missing, or out of the rows' order");
	REFUSED(OP_links_del, "\x81\xa5names\x90", "too few or too many names");
	REFUSED(OP_ping, "\x81\xa1x\x01", "too many keys");
	REFUSED(OP_unmount, "\x82\xa6target\xa1" "a\xa6target\xa1" "a", "unknown, repeated or misplaced key");
}

TEST("a value of another type than its row's is refused")
{
	REFUSED(OP_sysctl_set, "\x82\xa3key\xc3\xa2on\xc3", "not an unsigned integer");
	REFUSED(OP_sysctl_set, "\x82\xa3key\x02\xa2on\xc3", "not one of the choices");
	REFUSED(OP_sysctl_set, "\x82\xa3key\x00\xa2on\x01", "not a bool");
	REFUSED(OP_unmount, "\x81\xa6target\xc4\x01" "a", "not a str");
	REFUSED(OP_unmount, "\x81\xa6target\xc0", "not a str");
	REFUSED(OP_link_set, "\x82\xa4name\xa4pt-a\xa3mtu\x43", "out of range");
	REFUSED(OP_link_set, "\x82\xa4name\xa4pt-a\xa3mtu\xff", "not an unsigned integer");
	REFUSED(OP_link_set, "\x82\xa4name\xa4pt-a\xa3mtu\xce\x00\x01\x00\x00", "out of range");
	REFUSED(OP_link_set, "\x82\xa4name\xa4pt-a\xa3mac\xc4\x06\x01\x00\x00\x00\x00\x01", "not a unicast MAC address");
	REFUSED(OP_link_set, "\x82\xa4name\xa4pt-a\xa3mac\xc4\x05\x02\x00\x00\x00\x00", "wrong length");
}

TEST("F1: names that aren't interface names are refused")
{
	static const char *const bad[] = {".", "..", "a/b", "a:b", "%d", "a b", "a\tb", "0123456789abcdef", "\xc3\xa9th"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (wire_ifname_ok(bad[i]))
			FAIL("%s", bad[i]);
	CHECK(!wire_ifname_ok(""));
	CHECK(wire_ifname_ok("pt-0") && wire_ifname_ok("0123456789abcde") && wire_ifname_ok("a.1"));
	REFUSED(OP_links_del, "\x81\xa5names\x91\xa2\x61\x00", "NUL inside");
}

TEST("D1: paths that could leave their root are refused")
{
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a/../b", "a\nb", "a\x7f"};
	char longest[257];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (wire_relpath_ok(bad[i]))
			FAIL("%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	CHECK(!wire_relpath_ok(longest));
	longest[255] = '\0';
	CHECK(wire_relpath_ok(longest));
	CHECK(wire_relpath_ok("a") && wire_relpath_ok("a/b.c/..d/...") && wire_relpath_ok(".hidden"));
}

TEST("VM ids keep to their alphabet")
{
	CHECK(wire_vmid_ok("a") && wire_vmid_ok("0-9") && wire_vmid_ok("a-"));
	CHECK(!wire_vmid_ok("") && !wire_vmid_ok("-a") && !wire_vmid_ok("A") && !wire_vmid_ok("a.b") && !wire_vmid_ok("a/b") && !wire_vmid_ok(".."));
}

TEST("addresses beyond their family are refused")
{
	REFUSED(OP_address_add, "\x82\xa6" "device\xa4pt-a\xa7" "address\xc4\x12\x04\x21\x0a\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0", "not an IPv4 prefix");
	REFUSED(OP_address_add, "\x82\xa6" "device\xa4pt-a\xa7" "address\xc4\x12\x04\x18\x0a\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01", "not an IPv4 prefix");
	REFUSED(OP_address_add, "\x82\xa6" "device\xa4pt-a\xa7" "address\xc4\x12\x06\x81\x0a\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0", "not an IP prefix");
	REFUSED(OP_address_add, "\x82\xa6" "device\xa4pt-a\xa7" "address\xc4\x12\x05\x18\x0a\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0", "not an IP prefix");
}

TEST("every byte of a decoded struct that no key set is zero")
{
	union op_args a;
	struct wire_error err;
	const uint8_t *p = (const uint8_t *)&a;
	size_t set = 0;

	memset(&a, 0xa5, sizeof(a));
	CHECK(decode_op(OP_unmount, "\x81\xa6target\xa1" "a", 10, &a, &err));
	for (size_t i = 0; i < sizeof(a.unmount); i++)
		set += p[i] != 0 ? 1 : 0;
	CHECK_INT(set, 2);  // has_target and the letter
}

TEST("a message from the wrong side, an unknown one and trailing elements are refused")
{
	struct msg m;
	struct wire_error err = {0};
	size_t used;

	CHECK(msg_read("\x92\x01\x80", 3, FROM_GUEST, &m, &used, &err) == MP_BAD);
	CHECK_STR(err.what, "message from the wrong side");
	CHECK(msg_read("\x92\x7f\x80", 3, FROM_GUEST, &m, &used, &err) == MP_BAD);
	CHECK_STR(err.what, "unknown message");
	CHECK(msg_read("\x93\x01\x80\x80", 4, FROM_HOST, &m, &used, &err) == MP_BAD);
	CHECK_STR(err.what, "not an array of two");
	CHECK(msg_read("\x92\x01", 2, FROM_HOST, &m, &used, &err) == MP_SHORT);
}

TEST("every operation and message has a name, a sentence, and fields that lie inside its struct")
{
	for (int i = 0; i < OP_COUNT; i++) {
		const struct op_row *r = &op_rows[i];

		CHECK(r->name != NULL && r->doc != NULL && r->why_safe[0] != '\0' && r->nfds <= HELPER_MAX_FDS);
		for (size_t f = 0; f < r->nargs; f++)
			CHECK(r->args[f].off < r->args_size && r->args[f].has < r->args_size);
	}
	for (int i = 0; i < MSG_COUNT; i++)
		for (size_t f = 0; f < msg_rows[i].nfields; f++)
			CHECK(msg_rows[i].fields[f].off < msg_rows[i].size);
}

int main(void)
{
	return test_main();
}
