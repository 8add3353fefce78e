// LINK: helper/net/ct.o helper/net/ct_flush.o helper/net/ct_read.o helper/net/fw_read.o helper/net/stream.o helper/net/route.o helper/net/group.o helper/net/victims.o
// LINK: helper/net/address.o helper/net/ct_forward.o helper/net/fw.o helper/net/fw_answer.o helper/net/fw_batch.o helper/net/fw_change.o helper/net/fw_expr.o
// LINK: helper/net/fw_foreign.o helper/net/fw_list.o helper/net/fw_record.o helper/net/fw_rule.o helper/net/fw_set.o helper/net/fw_table.o
// LINK: helper/net/nfnl.o helper/net/watch.o helper/net/link.o helper/net/ping.o helper/net/rtnl.o helper/net/sysctl.o helper/net/tap.o helper/common/cell.o
// LINK: helper/common/confine.o helper/common/fdpass.o helper/common/policy.o helper/common/recheck.o helper/common/rules.o proto/helper.o
// LINK: proto/wire.o proto/wire_kinds.o proto/mp.o helper/net/bag.o helper/net/checkpoint.o helper/net/revert.o helper/net/revert_links.o
// LINK: helper/net/snapshot.o helper/net/snapshot_link.o helper/net/snapshot_route.o
// LINK: helper/net/lease.o helper/net/lease_relay.o helper/net/sys_lease.o
// LIBS: -lcap-ng -lnftnl -lmnl -lnl-3
//
// Each system call of each operation of the net cell fails once, and the system is afterwards as it was before.  The seam is sys.h: the real
// sys.c is included here under other names, and what the operations call either fails or goes on to it.  Needs root.
#include "helper/net/sys.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define sys_open        real_open
#define sys_send        real_send
#define sys_receive     real_receive
#define sys_event_socket real_event_socket
#define sys_tap_open    real_tap_open
#define sys_tap_owner   real_tap_owner
#define sys_tap_persist real_tap_persist
#define sys_sysctl_get  real_sysctl_get
#define sys_sysctl_set  real_sysctl_set
#define sys_accept_ra   real_accept_ra
#define sys_read        real_read
#define sys_memfd       real_memfd
#define sys_append      real_append
#define sys_seal        real_seal
#define sys_close       real_close
#define sys_checkpoints_read  real_checkpoints_read
#define sys_checkpoints_write real_checkpoints_write
#define sys_checkpoints_empty real_checkpoints_empty
#include "helper/net/sys.c"
#undef sys_open
#undef sys_send
#undef sys_receive
#undef sys_event_socket
#undef sys_tap_open
#undef sys_tap_owner
#undef sys_tap_persist
#undef sys_sysctl_get
#undef sys_sysctl_set
#undef sys_accept_ra
#undef sys_read
#undef sys_memfd
#undef sys_append
#undef sys_seal
#undef sys_close
#undef sys_checkpoints_read
#undef sys_checkpoints_write
#undef sys_checkpoints_empty
#pragma GCC diagnostic pop

#define CELL_IS_NET
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "helper/common/cell_table.h"
#include "tests/lib/links_del.h"
#include "tests/lib/test.h"

static struct cell c;
static struct cell_req q;
static int out[FDPASS_MAX], records = -1;
static unsigned left; // calls until one fails; 0: none does
static unsigned die;  // messages until the process ends as if killed; 0: it doesn't
static bool lose;     // answers fail instead: the kernel has acted, but we don't hear of it
static char before[1 << 17], after[1 << 17];

static bool fails(void)
{
	return left > 0 && --left == 0;
}

int sys_send(enum sys_socket s, const void *buf, size_t len)
{
	int err = !lose && fails() ? -ENOBUFS : real_send(s, buf, len);

	if (die > 0 && --die == 0)
		_exit(0);
	return err;
}

ssize_t sys_receive(enum sys_socket s, void *buf, size_t cap, bool wait)
{
	return lose && wait && fails() ? -ENOBUFS : real_receive(s, buf, cap, wait);
}

int sys_event_socket(void)
{
	return !lose && fails() ? -EMFILE : real_event_socket();
}

int sys_tap_open(const char *name, uint16_t flags)
{
	return !lose && fails() ? -EIO : real_tap_open(name, flags);
}

int sys_tap_owner(int fd, uint32_t uid)
{
	return !lose && fails() ? -EIO : real_tap_owner(fd, uid);
}

int sys_tap_persist(int fd, bool on)
{
	return !lose && fails() ? -EIO : real_tap_persist(fd, on);
}

int sys_sysctl_get(enum sysctl_key key, bool *on)
{
	return !lose && fails() ? -EIO : real_sysctl_get(key, on);
}

int sys_sysctl_set(enum sysctl_key key, bool on)
{
	return !lose && fails() ? -EIO : real_sysctl_set(key, on);
}

int sys_accept_ra(const char *device, bool *changed)
{
	return !lose && fails() ? -EIO : real_accept_ra(device, changed);
}

int sys_read(int fd, void *buf, size_t len, off_t off)
{
	return !lose && fails() ? -EIO : real_read(fd, buf, len, off);
}

int sys_memfd(void)
{
	return !lose && fails() ? -ENFILE : real_memfd();
}

int sys_append(int fd, const void *buf, size_t len)
{
	return !lose && fails() ? -EFBIG : real_append(fd, buf, len);
}

int sys_seal(int fd)
{
	return !lose && fails() ? -EBUSY : real_seal(fd);
}

int sys_checkpoints_read(void *buf, size_t len, off_t off)
{
	return !lose && fails() ? -EIO : real_checkpoints_read(buf, len, off);
}

int sys_checkpoints_write(const void *buf, size_t len, off_t off)
{
	return !lose && fails() ? -ENOSPC : real_checkpoints_write(buf, len, off);
}

int sys_checkpoints_empty(void)
{
	return !lose && fails() ? -EIO : real_checkpoints_empty();
}

void sys_close(int fd)
{
	real_close(fd);
}

// Links, addresses, tables and sysctls; but not a link's group, which is links_del's own tool.
static void look(char *to, size_t size)
{
	FILE *f = popen("ip -o link | sed 's/ group [a-z0-9]*//; s/ state [A-Z]*//'; ip -o -4 addr; nft list ruleset; ip route; cat "
	                "/proc/sys/net/ipv4/ip_forward",
	                "r");
	size_t n = f == NULL ? 0 : fread(to, 1, size - 1, f);

	if (f != NULL)
		pclose(f);
	to[n] = '\0';
}

static enum op_status call(void)
{
	enum op_status s;

	q.nfds = records >= 0 ? 1 : 0;
	s = cell_handle(&c, cell_table, &q, sizeof(q), &records, q.nfds, out) ? (enum op_status)c.rep.status : OPS_COUNT;
	fdpass_close(out, FDPASS_MAX);
	return s;
}

static void request(enum op_id op)
{
	memset(&q, 0, sizeof(q));
	q.id = 1;
	q.op = op;
}

// Fails the first call, the second, and so on, until the request succeeds.  Returns how many could fail, or -1 where one left a trace.
static int fail_each(void)
{
	for (unsigned n = 1; n < 100; n++) {
		enum op_status s;

		look(before, sizeof(before));
		left = n;
		s = call();
		left = 0;
		if (s == OPS_OK)
			return (int)n - 1;
		look(after, sizeof(after));
		if (s == OPS_COUNT || strcmp(before, after) != 0) {
			printf("# call %u: %s\n# before:\n%s# after:\n%s", n, op_status_name(s), before, after);
			return -1;
		}
	}
	return -1;
}

// The links alone, without their numbers, which new ones can't have, and the queue that an interface gets when it goes up first.
static void look_at_links(char *to, size_t size)
{
	FILE *f = popen("ip -o link | sed 's/^[0-9]*//; s/ qdisc [a-z_]*//; s/ state [A-Z]*//' | sort", "r");
	size_t n = f == NULL ? 0 : fread(to, 1, size - 1, f);

	if (f != NULL)
		pclose(f);
	to[n] = '\0';
}

static void prepare(void)
{
	if (system("ip link add pt-br0 address 02:00:00:00:00:01 type bridge && ip link set pt-br0 alias postern:bridge && ip tuntap add pt-t0 mode "
	           "tap && "
	           "ip link set pt-t0 alias postern:tap && ip tuntap add pt-t1 mode tap && ip link set pt-t1 alias postern:tap") != 0)
		abort();
}

static void clean(void)
{
	if (system("for l in pt-br0 pt-br1 pt-t0 pt-t1 pt-new pt-v0; do ip link del $l 2>/dev/null; done; nft delete table inet postern 2>/dev/null; "
	           "true") != 0)
		abort();
}

TEST("E16: link_add leaves nothing when any of its calls fails, for a bridge and for both ends of a pair")
{
	request(OP_link_add);
	strcpy(q.args.link_add.name, "pt-br1");
	CHECK_INT(fail_each(), 4);
	request(OP_link_add);
	q.args.link_add.kind = LINK_VETH;
	q.args.link_add.has_peer = true;
	strcpy(q.args.link_add.name, "pt-v0");
	strcpy(q.args.link_add.peer, "pt-v1");
	CHECK_INT(fail_each(), 6);
	clean();
}

TEST("E16: link_add leaves nothing when the kernel's answer to any of its calls is lost")
{
	lose = true;
	request(OP_link_add);
	strcpy(q.args.link_add.name, "pt-br1");
	CHECK(fail_each() >= 4);
	lose = false;
	clean();
}

// A helper that is killed behind the nth message; returns whether a link with our prefix is left without our mark.
static bool unmarked_after(unsigned n)
{
	struct confine_path paths[SYS_PATHS_MAX];
	size_t npaths;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (real_open(paths, &npaths) != NULL) // sockets of its own, which die with it
			_exit(2);
		die = n;
		call();
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status != 0 || system("ip -o link | grep 'pt-' | grep -qv 'alias postern:'") == 0;
}

TEST("E16: killed behind any message of link_add, the net cell leaves no link without its mark, and marks no other")
{
	CHECK(system("ip link add other type bridge") == 0);
	for (unsigned n = 1; n <= 4; n++) {
		request(OP_link_add);
		strcpy(q.args.link_add.name, "pt-br1");
		CHECK(!unmarked_after(n));
		clean();
		request(OP_link_add);
		q.args.link_add.kind = LINK_VETH;
		q.args.link_add.has_peer = true;
		strcpy(q.args.link_add.name, "pt-v0");
		strcpy(q.args.link_add.peer, "pt-v1");
		CHECK(!unmarked_after(n));
		clean();
	}
	CHECK(system("ip -o link show other | grep -q alias") != 0 && system("ip link del other") == 0);
}

TEST("a link that is there already is neither marked nor deleted by link_add, and no new one stays in a group")
{
	CHECK(system("ip link add pt-br1 type bridge") == 0);
	request(OP_link_add);
	strcpy(q.args.link_add.name, "pt-br1");
	CHECK_STR(op_status_name(call()), "exists");
	CHECK(system("ip -o link show pt-br1 | grep -q alias") != 0);
	strcpy(q.args.link_add.name, "pt-br0");
	CHECK_STR(op_status_name(call()), "ok");
	CHECK(system("ip -o link show pt-br0 | grep -q 'group default.*alias postern:bridge'") == 0);
	clean();
}

TEST("E16: tap_create leaves nothing when any of its calls fails")
{
	prepare();
	request(OP_tap_create);
	strcpy(q.args.tap_create.name, "pt-new");
	q.args.tap_create.has_bridge = q.args.tap_create.has_alias = true;
	strcpy(q.args.tap_create.bridge, "pt-br0");
	strcpy(q.args.tap_create.alias, "x");
	CHECK(fail_each() >= 7);
	clean();
}

TEST("E16: link_set changes nothing when any of its calls fails")
{
	prepare();
	request(OP_link_set);
	strcpy(q.args.link_set.name, "pt-t0");
	q.args.link_set.has_mtu = q.args.link_set.has_up = q.args.link_set.up = q.args.link_set.has_master = true;
	q.args.link_set.mtu = 1280;
	strcpy(q.args.link_set.master, "pt-br0");
	CHECK_INT(fail_each(), 3);
	clean();
}

TEST("E16: links_del deletes all of them or none when any of its calls fails")
{
	prepare();
	request(OP_links_del);
	q.args.links_del.names.n = 3;
	strcpy(q.args.links_del.names.v[0], "pt-t0");
	strcpy(q.args.links_del.names.v[1], "pt-br0");
	strcpy(q.args.links_del.names.v[2], "pt-t1");
	CHECK_INT(fail_each(), 8);
	clean();
}

TEST("E16: address_add and address_del change nothing when any of their calls fails")
{
	prepare();
	request(OP_address_add);
	strcpy(q.args.address_add.device, "pt-br0");
	q.args.address_add.address = (struct wire_addr){4, 24, {10, 5, 0, 1}};
	CHECK_INT(fail_each(), 2);
	q.op = OP_address_del;
	CHECK_INT(fail_each(), 3);
	clean();
}

TEST("E16: route_add and route_del change nothing when any of their calls fails")
{
	prepare();
	if (system("ip link set pt-br0 up && ip addr add 10.5.0.1/24 dev pt-br0") != 0)
		abort();
	request(OP_route_add);
	q.args.route_add.destination = (struct wire_addr){4, 16, {10, 6}};
	q.args.route_add.table = 254;
	q.args.route_add.has_gateway = true;
	q.args.route_add.gateway = (struct wire_addr){4, 32, {10, 5, 0, 9}};
	CHECK_INT(fail_each(), 3); // the gateway's link, that link, the route
	CHECK_INT(fail_each(), 4); // and, now that it is there, the look at ours
	request(OP_route_del);
	q.args.route_del.destination = (struct wire_addr){4, 16, {10, 6}};
	q.args.route_del.table = 254;
	CHECK_INT(fail_each(), 2);
	clean();
}

static int records_of(const struct fw_record *r, uint32_t n)
{
	int fd = memfd_create("records", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (write(fd, r, n * sizeof(*r)) != (ssize_t)(n * sizeof(*r)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		abort();
	return fd;
}

static const struct fw_record rules[] = {
    {.kind = FW_MASQUERADE, .source = {4, 24, {10, 5, 0}}, .comment = "x"},
    {.kind = FW_ALLOW, .proto = 6, .port_lo = 1, .port_hi = 9, .comment = "y"},
    {.kind = FW_DNAT, .to = {4, 32, {10, 5, 0, 2}}, .proto = 6, .port_lo = 1, .to_port = 2, .comment = "z"},
};

TEST("E16: fw_commit spares the table that is there when any of its calls fails")
{
	records = records_of(rules, 1);
	request(OP_fw_commit);
	q.args.fw_commit.count = 1;
	CHECK_INT(fail_each(), 3);
	CHECK_INT(fail_each(), 3);
	close(records);
	records = -1;
	clean();
}

TEST("E16: fw_change spares the table when any of its calls fails before the transaction, and what follows can't undo it")
{
	records = records_of(rules, 3);
	request(OP_fw_commit);
	q.args.fw_commit.count = 2;
	CHECK_STR(op_status_name(call()), "ok");
	close(records);
	records = records_of(rules + 1, 2); // the rule goes, the forward comes
	request(OP_fw_change);
	q.args.fw_change.removes = q.args.fw_change.adds = 1;
	CHECK(fail_each() >= 6);
	CHECK(system("nft list table inet postern | grep -q 'comment \"z\"'") == 0 && system("nft list table inet postern | grep -q 'comment \"y\"'") != 0);
	request(OP_fw_list);
	close(records);
	records = -1;
	CHECK(fail_each() >= 3);
	clean();
}

TEST("E16: sysctl_set changes nothing when any of its calls fails")
{
	request(OP_sysctl_set);
	q.args.sysctl_set.on = true;
	CHECK_INT(fail_each(), 2);
	q.args.sysctl_set.on = false;
	CHECK_INT(fail_each(), 2);
}

static void request_lease(enum op_id op, struct wire_addr address)
{
	request(op);
	strcpy(q.args.lease_apply.device, "wan0"); // where all of them have it
	q.args.lease_apply.address = address;
}
_Static_assert(offsetof(struct op_lease_apply_args, device) == offsetof(struct op_lease_route_args, device) &&
                   offsetof(struct op_lease_apply_args, address) == offsetof(struct op_lease_route_args, source) &&
                   offsetof(struct op_lease_apply_args, address) == offsetof(struct op_lease_drop_args, address) &&
                   offsetof(struct op_lease_apply_args, device) == offsetof(struct op_lease_ra_args, device),
               "all have it at one place");

TEST("E16: a lease's address and route are as before when any of the calls for them fails")
{
	const struct wire_addr address = {4, 24, {192, 0, 2, 5}};

	if (system("ip tuntap add wan0 mode tap && ip link set wan0 up") != 0)
		abort();
	request_lease(OP_lease_apply, address);
	q.args.lease_apply.valid_secs = q.args.lease_apply.preferred_secs = UINT32_MAX;
	CHECK_INT(fail_each(), 3); // link, address, change
	CHECK(fail_each() == 3 && !c.rep.res.lease_apply.changed);
	request_lease(OP_lease_route, address);
	q.args.lease_route.destination = (struct wire_addr){4, 15, {198, 18}};
	q.args.lease_route.metric = 1024;
	CHECK_INT(fail_each(), 3);
	q.args.lease_route.has_remove = q.args.lease_route.remove = true;
	CHECK_INT(fail_each(), 3);
	request_lease(OP_lease_drop, address);
	CHECK_INT(fail_each(), 3);
	request(OP_lease_ra);
	strcpy(q.args.lease_ra.device, "wan0");
	CHECK(fail_each() == 1 && c.rep.res.lease_ra.changed);
	if (system("ip link del wan0") != 0)
		abort();
}

static enum op_status checkpoint(enum op_id op, uint32_t id)
{
	request(op);
	q.args.checkpoint_arm.id = id; // where all three have it
	if (op == OP_checkpoint_arm)
		q.args.checkpoint_arm.timeout_secs = 3600;
	return call();
}
_Static_assert(offsetof(struct op_checkpoint_arm_args, id) == offsetof(struct op_checkpoint_revert_args, id) &&
                   offsetof(struct op_checkpoint_arm_args, id) == offsetof(struct op_checkpoint_confirm_args, id),
               "the three have it at one place");

TEST("E16: a checkpoint isn't armed, and stays unconfirmed, when any of the calls for it fails")
{
	prepare();
	request(OP_checkpoint_arm);
	q.args.checkpoint_arm.id = 5;
	q.args.checkpoint_arm.timeout_secs = 3600;
	CHECK_INT(fail_each(), 7); // dumps of links, addresses, routes twice, tables; the links into the file, the head
	left = 1;
	CHECK_STR(op_status_name(checkpoint(OP_checkpoint_confirm, 5)), "io");
	left = 0;
	CHECK_STR(op_status_name(checkpoint(OP_checkpoint_confirm, 5)), "ok");
	CHECK_STR(op_status_name(checkpoint(OP_checkpoint_confirm, 5)), "not_found");
	clean();
}

// What was pt-br0 with a port becomes pt-br1 and a port without a bridge.
static const char change[] = "ip link del pt-br0 && ip link set pt-t1 mtu 1300 up && ip link add pt-br1 type bridge && "
                             "ip link set pt-br1 alias postern:bridge";

TEST("E16: a revert of which any call fails says so, and the next one does what it left")
{
	for (unsigned n = 1; n < 60; n++) {
		uint32_t failed;

		prepare();
		CHECK(system("ip link set pt-t0 master pt-br0") == 0);
		look_at_links(before, sizeof(before));
		CHECK_STR(op_status_name(checkpoint(OP_checkpoint_arm, 2)), "ok");
		CHECK_STR(op_status_name(checkpoint(OP_checkpoint_arm, 3)), "ok");
		CHECK(system(change) == 0);
		left = n;
		CHECK_STR(op_status_name(checkpoint(OP_checkpoint_revert, 3)), "ok");
		failed = c.rep.res.checkpoint_revert.failed;
		CHECK(left == 0 || failed == 0);
		CHECK(failed == 0 || c.rep.res.checkpoint_revert.trouble[0] != '\0');
		n = left > 0 ? 60 : n; // it was longer than all calls
		left = 0;
		CHECK_STR(op_status_name(checkpoint(OP_checkpoint_revert, 2)), "ok");
		CHECK_INT(c.rep.res.checkpoint_revert.failed, 0);
		look_at_links(after, sizeof(after));
		clean();
		if (strcmp(before, after) != 0)
			printf("# call %u: before:\n%s\n# after:\n%s\n", n, before, after);
		CHECK(strcmp(before, after) == 0);
	}
}

TEST("F7: an answer that was lost isn't taken for the next request's")
{
	prepare();
	lose = true;
	for (unsigned n = 1; n <= 3; n++) {
		request(OP_link_set);
		strcpy(q.args.link_set.name, "pt-t0");
		q.args.link_set.has_master = true;
		strcpy(q.args.link_set.master, "pt-br0");
		left = n;
		CHECK_STR(op_status_name(call()), "io");
		left = 0;
		strcpy(q.args.link_set.name, "pt-none");
		CHECK_STR(op_status_name(call()), "not_found");
		strcpy(q.args.link_set.name, "pt-t1");
		CHECK_STR(op_status_name(call()), "ok");
	}
	lose = false;
	clean();
}

int main(void)
{
	struct confine_path paths[SYS_PATHS_MAX];
	size_t npaths;
	int dir;

	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
		printf("ok - E16: the net cell leaves no trace of what fails # SKIP needs root\n");
		return 0;
	}
	if (dup2(memfd_create("checkpoints", 0), CELL_FD_CHECKPOINTS) != CELL_FD_CHECKPOINTS)
		return 1;
	dir = open("/dev/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || dup2(dir, CELL_FD_EXTRA) != CELL_FD_EXTRA || real_open(paths, &npaths) != NULL)
		return 1;
	policy_default(&c.policy);
	c.policy.net.uplinks.n = 1;
	strcpy(c.policy.net.uplinks.v[0], "up0");
	c.policy.net.tables = (struct policy_ranges){1, {{254, 254}}};
	c.policy.net.leases.n = 1;
	strcpy(c.policy.net.leases.v[0], "wan0");
	return test_main();
}
