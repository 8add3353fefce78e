// LINK: helper/net/lease.o helper/net/lease_relay.o helper/net/sys_lease.o
// LINK: helper/net/address.o helper/net/ct_forward.o helper/net/fw.o helper/net/fw_answer.o helper/net/fw_batch.o helper/net/fw_change.o helper/net/fw_expr.o
// LINK: helper/net/fw_foreign.o helper/net/fw_list.o helper/net/fw_record.o helper/net/fw_rule.o helper/net/fw_set.o helper/net/fw_table.o
// LINK: helper/net/nfnl.o helper/net/link.o helper/net/watch.o helper/net/ping.o helper/net/rtnl.o helper/net/sys.o helper/net/sysctl.o helper/net/tap.o
// LINK: helper/net/group.o helper/net/victims.o
// LINK: helper/net/ct.o helper/net/ct_flush.o helper/net/ct_read.o helper/net/fw_read.o helper/net/stream.o helper/net/route.o
// LINK: helper/common/cell.o helper/common/confine.o helper/common/fdpass.o helper/common/policy.o helper/common/recheck.o
// LINK: helper/common/rules.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o helper/net/bag.o helper/net/checkpoint.o
// LINK: helper/net/revert.o helper/net/revert_links.o helper/net/snapshot.o helper/net/snapshot_link.o helper/net/snapshot_route.o
// LIBS: -lcap-ng -lnftnl -lmnl -lnl-3
//
// The firewall's operations on the real kernel, in a network namespace that the test makes, through cell_handle() as the broker would call them.
// Needs root.  What the kernel then has is asked of `nft`, not of the code under test.
#define CELL_IS_NET
#include "helper/common/cell_table.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper/net/ct_forward.h"
#include "helper/net/sys.h"
#include "tests/lib/links_del.h"
#include "tests/lib/test.h"

#define MANY 20000

static struct cell c;
static struct cell_req q;
static int out[FDPASS_MAX];
static char text[1 << 18];
static struct fw_record many[MANY];

static bool sh(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *shows(const char *command)
{
	FILE *f = popen(command, "r");
	size_t n = f == NULL ? 0 : fread(text, 1, sizeof(text) - 1, f);

	if (f != NULL)
		pclose(f);
	text[n] = '\0';
	return text;
}

static bool table_has(const char *what)
{
	return strstr(shows("nft list table inet postern 2>&1"), what) != NULL;
}

static int memfd(const struct fw_record *r, uint32_t n)
{
	int fd = memfd_create("records", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (write(fd, r, n * sizeof(*r)) != (ssize_t)(n * sizeof(*r)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		abort();
	return fd;
}

static enum op_status call(int fd)
{
	enum op_status s;

	fdpass_close(out, FDPASS_MAX);
	q.id = 1;
	q.nfds = fd >= 0;
	s = cell_handle(&c, cell_table, &q, sizeof(q), &fd, q.nfds, out) ? (enum op_status)c.rep.status : OPS_COUNT;
	if (fd >= 0)
		close(fd);
	return s;
}

static enum op_status commit(const struct fw_record *r, uint32_t n, uint32_t count)
{
	memset(&q, 0, sizeof(q));
	q.op = OP_fw_commit;
	q.args.fw_commit.count = count;
	return call(memfd(r, n));
}

// The first `removes` of r go, the `adds` behind them come.
static enum op_status change(const struct fw_record *r, uint32_t removes, uint32_t adds)
{
	memset(&q, 0, sizeof(q));
	q.op = OP_fw_change;
	q.args.fw_change.removes = removes;
	q.args.fw_change.adds = adds;
	return call(memfd(r, removes + adds));
}

static const struct op_fw_list_res *list(struct fw_record *r, uint32_t max)
{
	memset(&q, 0, sizeof(q));
	q.op = OP_fw_list;
	if (call(-1) != OPS_OK)
		return NULL;
	memset(r, 0, max * sizeof(*r));
	return pread(out[RESFD_fw_list_records], r, max * sizeof(*r), 0) == (ssize_t)(c.rep.res.fw_list.count * sizeof(*r)) ? &c.rep.res.fw_list : NULL;
}

static bool holds(const struct fw_record *v, uint32_t n, const struct fw_record *r)
{
	while (n > 0)
		if (memcmp(&v[--n], r, sizeof(*r)) == 0)
			return true;
	return false;
}

#define CHECK_OK(call_) CHECK_STR(op_status_name(call_), "ok")

// One of everything.
static const struct fw_record all[] = {
    {.kind = FW_MASQUERADE, .source = {4, 24, {10, 5, 0}}, .interface = "up0", .comment = "m1"},
    {.kind = FW_MASQUERADE, .source = {6, 64, {0xfd}}, .comment = "m2"},
    {.kind = FW_MASQUERADE, .source = {4, 8, {10}}, .comment = "m3"},
    {.kind = FW_SNAT, .source = {4, 32, {10, 5, 0, 9}}, .to = {4, 32, {198, 51, 100, 2}}, .interface = "up0", .comment = "s1"},
    {.kind = FW_SNAT, .source = {6, 48, {0xfd, 1}}, .to = {6, 128, {0x20, 1, [15] = 9}}, .comment = "s2"},
    {.kind = FW_DNAT, .to = {4, 32, {10, 5, 0, 2}}, .proto = 6, .port_lo = 8080, .to_port = 80, .comment = "d1"},
    {.kind = FW_DNAT, .to = {6, 128, {0xfd, [15] = 2}}, .proto = 17, .port_lo = 53, .to_port = 5353, .comment = "d2"},
    {.kind = FW_DNAT, .to = {4, 32, {10, 5, 0, 3}}, .proto = 6, .port_lo = 8080, .to_port = 81, .interface = "up1", .comment = "d3"},
    {.kind = FW_DNAT, .host = {4, 32, {192, 0, 2, 7}}, .to = {4, 32, {10, 5, 0, 4}}, .proto = 132, .port_lo = 9, .to_port = 9, .comment = "d4"},
    {.kind = FW_DNAT, .source = {4, 16, {203, 0}}, .to = {4, 32, {10, 5, 0, 5}}, .proto = 6, .port_lo = 8080, .to_port = 82, .comment = "d5"},
    {.kind = FW_DNAT,
     .source = {6, 32, {0x20, 1, 0x0d, 0xb8}},
     .host = {6, 128, {0xfd, [15] = 7}},
     .to = {6, 128, {0xfd, [15] = 6}},
     .proto = 6,
     .port_lo = 443,
     .to_port = 8443,
     .interface = "pt-br0",
     .comment = "d6"},
    {.kind = FW_ALLOW, .proto = 6, .port_lo = 22, .port_hi = 22, .comment = "a1"},
    {.kind = FW_ALLOW, .proto = 17, .port_lo = 53, .port_hi = 53, .interface = "pt-br0", .comment = "a2"},
    {.kind = FW_ALLOW, .source = {4, 32, {192, 0, 2, 1}}, .proto = 6, .port_lo = 5432, .port_hi = 5432, .comment = "a3"},
    {.kind = FW_ALLOW, .source = {6, 128, {0xfd, [15] = 1}}, .proto = 6, .port_lo = 1, .port_hi = 1, .interface = "up0", .comment = "a4"},
    {.kind = FW_ALLOW, .source = {4, 8, {10}}, .proto = 6, .port_lo = 80, .port_hi = 90, .interface = "up0", .comment = "r1"},
    {.kind = FW_ALLOW, .proto = 17, .port_lo = 80, .port_hi = 85, .comment = "r2"},
    {.kind = FW_ALLOW, .proto = 1, .comment = "r3"},
    {.kind = FW_ALLOW, .source = {6, 16, {0xfe, 0x80}}, .proto = 58, .comment = "r4"},
};
#define ALL (sizeof(all) / sizeof(*all))

TEST("fw_commit: one of everything, as nft shows it")
{
	CHECK_OK(commit(all, ALL, ALL));
	CHECK(table_has("tcp . 8080 comment \"d1\" : 10.5.0.2 . 80"));
	CHECK(table_has("udp . 53 comment \"d2\" : fd00::2 . 5353"));
	CHECK(table_has("\"up1\" . tcp . 8080 comment \"d3\" : 10.5.0.3 . 81"));
	CHECK(table_has("192.0.2.7 . sctp . 9 comment \"d4\" : 10.5.0.4 . 9"));
	CHECK(table_has("203.0.0.0/16 . tcp . 8080 comment \"d5\" : 10.5.0.5 . 82"));
	CHECK(table_has("\"pt-br0\" . 2001:db8::/32 . fd00::7 . tcp . 443 comment \"d6\" : fd00::6 . 8443"));
	CHECK(table_has("\"up0\" . 10.5.0.0/24 comment \"m1\""));
	CHECK(table_has("\"up0\" . fd00::/64 comment \"m2\"") && table_has("\"up1\" . fd00::/64 comment \"m2\""));
	CHECK(table_has("\"up0\" . 10.5.0.9 comment \"s1\" : 198.51.100.2"));
	CHECK(table_has("tcp . 22 comment \"a1\""));
	CHECK(table_has("tcp dport 80-90 accept comment \"r1\"") || table_has("iifname \"up0\" tcp dport 80-90 accept comment \"r1\""));
	CHECK(table_has("ip protocol icmp accept comment \"r3\"") || table_has("meta l4proto icmp accept comment \"r3\""));
	CHECK(table_has("dnat ip to meta l4proto . th dport map @dnat4"));
	CHECK(sh("nft list ruleset >/tmp/fw_test.$PPID && nft -c -f /tmp/fw_test.$PPID; s=$?; rm -f /tmp/fw_test.$PPID; exit $s"));
}

TEST("fw_list: what was committed comes back field by field, and nothing of the table is foreign or missing")
{
	struct fw_record back[2 * ALL];
	const struct op_fw_list_res *r = list(back, 2 * ALL);

	CHECK(r != NULL);
	CHECK_INT(r->count, ALL);
	CHECK(r->present);
	CHECK_INT(r->foreign, 0);
	CHECK_INT(r->missing, 0);
	for (size_t i = 0; i < ALL; i++)
		if (!holds(back, ALL, &all[i]))
			FAIL("%s didn't come back", all[i].comment);
}

TEST("fw_list: what somebody else put into our table, and what is gone of it, are counted")
{
	struct fw_record back[2 * ALL];
	const struct op_fw_list_res *r;

	CHECK(sh("nft 'add chain inet postern other; add set inet postern theirs { type ipv4_addr; }; add rule inet postern input tcp dport 1 accept; "
	         "add element inet postern masq4_any { eth7 . 10.6.0.0/16 }; delete element inet postern dnat4 { tcp . 8080 }; flush chain inet postern forward'"));
	r = list(back, 2 * ALL);
	CHECK(r != NULL);
	CHECK_INT(r->count, ALL - 1);
	CHECK_INT(r->foreign, 4);
	CHECK_INT(r->missing, 2);
	CHECK_OK(commit(all, ALL, ALL));
	r = list(back, 2 * ALL);
	CHECK(r != NULL);
	CHECK_INT(r->foreign + r->missing, 0);
}

TEST("fw_change: each record goes alone and comes back alone, and the rest stays")
{
	struct fw_record back[2 * ALL];
	const struct op_fw_list_res *r;

	for (size_t i = 0; i < ALL; i++) {
		CHECK_OK(change(&all[i], 1, 0));
		r = list(back, 2 * ALL);
		CHECK(r != NULL);
		CHECK(r->count == ALL - 1 && !holds(back, r->count, &all[i]) && r->missing == 0 && r->foreign == 0);
		CHECK_STR(op_status_name(change(&all[i], 1, 0)), "not_found");
		CHECK_OK(change(&all[i], 0, 1));
	}
	r = list(back, 2 * ALL);
	CHECK(r != NULL);
	CHECK_INT(r->count, ALL);
}

TEST("fw_change: all of it goes in one request, all of it comes in one, and one wrong record spares everything")
{
	struct fw_record both[2 * ALL], back[ALL];
	const struct op_fw_list_res *r;

	memcpy(both, all, sizeof(all));
	memcpy(both + ALL, all, sizeof(all));
	CHECK_OK(change(both, ALL, ALL));
	CHECK_OK(change(all, ALL, 0));
	r = list(back, ALL);
	CHECK(r != NULL);
	CHECK_INT(r->count, 0);
	both[ALL - 1] = (struct fw_record){.kind = FW_KIND_MAX + 1};
	CHECK_STR(op_status_name(change(both, 0, ALL)), "invalid");
	r = list(back, ALL);
	CHECK(r != NULL);
	CHECK_INT(r->count, 0);
	CHECK_OK(change(all, 0, ALL));
}

TEST("fw_change: a host port that another forward has isn't given away, and where there is no table nothing is changed")
{
	struct fw_record r = all[5];

	r.to.addr[3] = 99;
	CHECK_STR(op_status_name(change(&r, 0, 1)), "exists");
	CHECK_OK(commit(all, ALL, 0));
	CHECK(strcmp(shows("nft list ruleset"), "") == 0);
	CHECK_STR(op_status_name(change(&all[5], 0, 1)), "not_found");
	CHECK(strcmp(shows("nft list ruleset"), "") == 0);
}

TEST("fw_change: the policy's limit counts elements, and what somebody else flushed doesn't count")
{
	c.policy.limits.rules = 3;
	CHECK_OK(commit(all, 1, 1));
	CHECK_STR(op_status_name(change(&all[1], 0, 2)), "quota"); // two uplinks each
	CHECK_OK(change(&all[1], 0, 1));
	CHECK_STR(op_status_name(change(&all[5], 0, 1)), "quota");
	CHECK(sh("nft flush set inet postern masq6_any"));
	CHECK_OK(change(&all[5], 0, 1));
	CHECK_STR(op_status_name(commit(all, 3, 3)), "quota");
	c.policy.limits.rules = 20000;
	CHECK_OK(commit(all, 1, 0));
}

TEST("fw_change: somebody else's chain that drops by default is named, and only while it does")
{
	CHECK_OK(commit(all, 1, 1));
	CHECK_OK(change(&all[5], 0, 1));
	CHECK(!c.rep.res.fw_change.has_forward_drop && !c.rep.res.fw_change.has_foreign_input_drop);
	CHECK(sh("nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'"));
	CHECK_OK(change(&all[11], 0, 1));
	CHECK_STR(c.rep.res.fw_change.forward_drop, "ip filter FORWARD");
	CHECK_OK(change(&all[11], 1, 0));
	CHECK_STR(c.rep.res.fw_change.forward_drop, "ip filter FORWARD");
	CHECK(sh("nft 'add chain ip filter FORWARD { policy accept; }; add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }'"));
	CHECK_OK(change(&all[11], 0, 1));
	CHECK(!c.rep.res.fw_change.has_forward_drop);
	CHECK_STR(c.rep.res.fw_change.foreign_input_drop, "inet f in");
	CHECK(sh("nft 'delete table ip filter; delete table inet f'"));
	CHECK_OK(commit(all, 1, 0));
}

TEST("input-policy drop makes the input chain drop, and the answer says so")
{
	c.policy.net.input_drop = true;
	CHECK_OK(commit(all, 1, 1));
	CHECK(table_has("hook input priority filter; policy drop;"));
	CHECK_OK(change(&all[11], 0, 1));
	CHECK(c.rep.res.fw_change.input_drop);
	c.policy.net.input_drop = false;
	CHECK_OK(commit(all, 1, 0));
}

static bool refused(struct fw_record r, const char *status, const char *rule)
{
	const struct fw_record two[2] = {all[0], r};

	if (strcmp(op_status_name(commit(two, 2, 2)), status) == 0 && strcmp(c.rep.rule, rule) == 0 &&
	    strcmp(op_status_name(change(two, 0, 2)), status) == 0 && strcmp(c.rep.rule, rule) == 0)
		return true;
	printf("# %s %s\n", op_status_name(c.rep.status), c.rep.rule);
	return false;
}

// all[i] with one member changed is refused, by commit and change.
#define REFUSED(i, member, value, status, rule)                                                                                                      \
	do {                                                                                                                                         \
		struct fw_record r_ = all[i];                                                                                                        \
		r_.member = value;                                                                                                                   \
		CHECK(refused(r_, status, rule));                                                                                                    \
	} while (0)

TEST("F6: a record that says more than it may spares the table that is there")
{
	CHECK_OK(commit(&all[5], 1, 1));
	REFUSED(0, kind, 4, "invalid", "kind of a record");
	REFUSED(0, source.addr[3], 1, "invalid", "source of a record");
	REFUSED(0, source.prefix, 0, "invalid", "source of a record");
	REFUSED(0, source.prefix, 33, "invalid", "source of a record");
	REFUSED(0, source.family, 5, "invalid", "source of a record");
	REFUSED(0, to.addr[15], 1, "invalid", "to of a record");
	REFUSED(0, host.family, 4, "invalid", "unused field of a record");
	REFUSED(0, port_lo, 1, "invalid", "unused field of a record");
	REFUSED(0, reserved, 1, "invalid", "unused field of a record");
	REFUSED(0, reserved2, 1, "invalid", "unused field of a record");
	REFUSED(0, comment[31], 'x', "invalid", "text of a record");
	REFUSED(0, comment[0], '\n', "invalid", "text of a record");
	REFUSED(0, interface[2], '9', "denied", "uplink");
	REFUSED(3, to.prefix, 31, "invalid", "to of a record");
	REFUSED(3, to.addr[0], 127, "invalid", "to of a record");
	REFUSED(3, interface[2], '7', "denied", "uplink");
	REFUSED(5, to.addr[0], 224, "invalid", "to of a record");
	REFUSED(5, to.addr[0], 0, "invalid", "to of a record");
	REFUSED(5, to.addr[0], 127, "invalid", "to of a record");
	REFUSED(5, to_port, 0, "invalid", "to of a record");
	REFUSED(5, proto, 1, "invalid", "port of a record");
	REFUSED(5, port_lo, 0, "invalid", "port of a record");
	REFUSED(5, port_hi, 1, "invalid", "port of a record");
	REFUSED(7, interface[2], '9', "denied", "uplink");
	REFUSED(7, interface[0], 'l', "denied", "uplink");
	REFUSED(8, host.addr[0], 127, "invalid", "host of a record");
	REFUSED(8, host.family, 6, "invalid", "host of a record");
	REFUSED(9, source.family, 6, "invalid", "source of a record");
	REFUSED(11, port_hi, 21, "invalid", "port of a record");
	REFUSED(11, port_lo, 0, "invalid", "port of a record");
	REFUSED(11, to_port, 1, "invalid", "unused field of a record");
	REFUSED(12, interface[0], 'e', "denied", "uplink");
	REFUSED(17, port_lo, 1, "invalid", "port of a record");
	REFUSED(18, source.family, 4, "invalid", "source of a record");
	CHECK_STR(op_status_name(commit(all, 1, 2)), "invalid");
	CHECK(table_has("\"d1\"") && !table_has("\"m1\""));
	CHECK_OK(commit(all, 1, 0));
}

TEST("records that policy no longer allows can go, and a lenient commit leaves them out instead of failing")
{
	struct fw_record back[ALL];
	const struct op_fw_list_res *r;

	CHECK_OK(commit(all, ALL, ALL));
	strcpy(c.policy.net.uplinks.v[1], "up2"); // all[7] names up1
	CHECK_STR(op_status_name(commit(all, ALL, ALL)), "denied");
	CHECK_OK(change(&all[7], 1, 0));
	memset(&q, 0, sizeof(q));
	q.op = OP_fw_commit;
	q.args.fw_commit.count = ALL;
	q.args.fw_commit.has_lenient = q.args.fw_commit.lenient = true;
	CHECK_OK(call(memfd(all, ALL)));
	CHECK_INT(c.rep.res.fw_commit.refused, 1);
	r = list(back, ALL);
	CHECK(r != NULL);
	CHECK_INT(r->count, ALL - 1);
	CHECK(!holds(back, ALL - 1, &all[7]) && r->foreign == 0 && r->missing == 0);
	strcpy(c.policy.net.uplinks.v[1], "up1");
	CHECK_OK(commit(all, 1, 0));
}

TEST("fw_commit and fw_change leave other tables as they are")
{
	CHECK(sh("nft add table inet other; nft add chain inet other c; nft add table ip postern"));
	CHECK_OK(commit(all, 1, 1));
	CHECK_OK(change(all, 1, 0));
	CHECK_OK(commit(all, 1, 0));
	CHECK(strcmp(shows("nft list tables"), "table inet other\ntable ip postern\n") == 0);
	CHECK(sh("nft delete table inet other; nft delete table ip postern"));
}

static bool flow(const char *orig, const char *reply)
{
	char command[512];

	snprintf(command, sizeof(command), "conntrack -I -u SEEN_REPLY %s %s -t 1000 >/dev/null 2>&1", orig, reply);
	return sh(command);
}

static int flows(void)
{
	return atoi(shows("conntrack -L 2>/dev/null | wc -l"));
}

TEST("a forward that goes takes the connections through it along, and no other")
{
	CHECK(sh("ip address add 192.0.2.1/24 dev lo"));
	CHECK(flow("-p udp -s 203.0.113.5 --sport 1000 -d 192.0.2.1 --dport 8080", "-r 10.5.0.2 --reply-port-src 80 -q 203.0.113.5 --reply-port-dst 1000"));
	CHECK(flow("-p udp -s 203.0.113.5 --sport 1001 -d 192.0.2.1 --dport 8080", "-r 10.5.0.2 --reply-port-src 80 -q 203.0.113.5 --reply-port-dst 1001"));
	CHECK(flow("-p udp -s 203.0.113.5 --sport 1001 -d 192.0.2.1 --dport 8081", "-r 10.5.0.2 --reply-port-src 80 -q 203.0.113.5 --reply-port-dst 1002"));
	CHECK(flow("-p udp -s 10.5.0.9 --sport 1001 -d 198.51.100.9 --dport 8080", "-r 198.51.100.9 --reply-port-src 8080 -q 192.0.2.1 --reply-port-dst 1001"));
	CHECK(flow("-p udp -s 203.0.113.5 --sport 1001 -d 192.0.2.1 --dport 8080 ", "-r 10.5.0.3 --reply-port-src 80 -q 203.0.113.5 --reply-port-dst 1009") ||
	      flows() == 4);
	struct fw_record r = all[5];
	r.proto = 17;
	CHECK_OK(commit(&r, 1, 1));
	CHECK_OK(change(&r, 1, 0));
	CHECK_INT(c.rep.res.fw_change.flows, 2);
	CHECK_INT(flows(), 2);
	CHECK(sh("conntrack -L 2>/dev/null | grep -q 'dport=8081' && conntrack -L 2>/dev/null | grep -q 198.51.100.9"));
	CHECK(sh("conntrack -F 2>/dev/null"));
}

TEST("a forward that comes takes along the connections to its port that went elsewhere, but a guest's own to the world")
{
	struct fw_record r = all[5];

	r.proto = 17;
	CHECK(flow("-p udp -s 203.0.113.5 --sport 1000 -d 192.0.2.1 --dport 8080", "-r 192.0.2.1 --reply-port-src 8080 -q 203.0.113.5 --reply-port-dst 1000"));
	CHECK(flow("-p udp -s 203.0.113.5 --sport 1001 -d 192.0.2.1 --dport 8080", "-r 10.5.0.2 --reply-port-src 80 -q 203.0.113.5 --reply-port-dst 1001"));
	CHECK(flow("-p udp -s 10.5.0.9 --sport 1001 -d 198.51.100.9 --dport 8080", "-r 198.51.100.9 --reply-port-src 8080 -q 192.0.2.1 --reply-port-dst 1001"));
	CHECK_OK(commit(all, 1, 1));
	CHECK_OK(change(&r, 0, 1));
	CHECK_INT(flows(), 3); // not before the answer
	ct_forward_tick();
	CHECK_INT(flows(), 2);
	CHECK(sh("! conntrack -L 2>/dev/null | grep -q sport=1000"));
	CHECK(sh("conntrack -F 2>/dev/null; ip address del 192.0.2.1/24 dev lo"));
	CHECK_OK(commit(all, 1, 0));
}

TEST("many forwards that go at once are looked for in one walk")
{
	for (uint32_t i = 0; i < 600; i++) {
		many[i] = all[5];
		many[i].proto = 17;
		many[i].port_lo = (uint16_t)(i + 1);
		char orig[200], reply[200];
		snprintf(orig, sizeof(orig), "-p udp -s 203.0.113.5 --sport 1000 -d 192.0.2.1 --dport %u", i + 1);
		snprintf(reply, sizeof(reply), "-r 10.5.0.2 --reply-port-src 80 -q 203.0.113.5 --reply-port-dst %u", i + 1);
		if (i % 2 == 0)
			CHECK(flow(orig, reply));
	}
	CHECK_OK(commit(many, 600, 600));
	CHECK_OK(change(many, 600, 0));
	CHECK_INT(c.rep.res.fw_change.flows, 300);
	CHECK_INT(flows(), 0);
	CHECK_OK(commit(all, 1, 0));
}

static double ms(const struct timespec *a)
{
	struct timespec b;

	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a->tv_sec) * 1e3 + (double)(b.tv_nsec - a->tv_nsec) / 1e6;
}

TEST("fw_commit: twenty thousand forwards in one transaction, one more beside them, and all of them read back")
{
	struct timespec a;
	double t;

	for (uint32_t i = 0; i < MANY; i++) {
		many[i] = all[5];
		many[i].port_lo = (uint16_t)(i + 1);
		snprintf(many[i].comment, sizeof(many[i].comment), "dnat-%012x", i);
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK_OK(commit(many, MANY - 1, MANY - 1));
	t = ms(&a);
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK_OK(change(&many[MANY - 1], 0, 1));
	printf("# %d forwards %.1f ms, one more %.3f ms\n", MANY - 1, t, ms(&a));
	CHECK(t < 10000);
	CHECK_STR(op_status_name(change(&all[6], 0, 1)), "quota");
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK(list(many, MANY) != NULL && c.rep.res.fw_list.count == MANY);
	printf("# read back %.1f ms\n", ms(&a));
	CHECK_OK(commit(all, 1, 0));
}

TEST("fw_commit: twenty thousand networks to masquerade, which are ranges, in one transaction")
{
	struct timespec a;

	for (uint32_t i = 0; i < MANY; i++) {
		many[i] = all[0];
		many[i].source = (struct wire_addr){4, 24, {10, (uint8_t)(i >> 8), (uint8_t)i}};
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK_OK(commit(many, MANY, MANY));
	printf("# %.1f ms\n", ms(&a));
	CHECK_OK(commit(all, 1, 0));
}

int main(void)
{
	struct confine_path paths[SYS_PATHS_MAX];
	size_t npaths;

	for (unsigned i = 0; i < FDPASS_MAX; i++)
		out[i] = -1;
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
		printf("ok - the firewall's operations do on the kernel what they say # SKIP needs root\n");
		return 0;
	}
	if (dup2(memfd_create("checkpoints", 0), CELL_FD_CHECKPOINTS) != CELL_FD_CHECKPOINTS || sys_open(paths, &npaths) != NULL || !sh("ip link set lo up"))
		return 1;
	policy_default(&c.policy);
	c.policy.limits.rules = 20000;
	c.policy.net.uplinks.n = 2;
	strcpy(c.policy.net.uplinks.v[0], "up0");
	strcpy(c.policy.net.uplinks.v[1], "up1");
	return test_main();
}
