// LINK: helper/net/ct.o helper/net/ct_flush.o helper/net/ct_read.o helper/net/fw_read.o helper/net/stream.o helper/net/route.o helper/net/group.o helper/net/victims.o
// LINK: helper/net/address.o helper/net/ct_forward.o helper/net/fw.o helper/net/fw_answer.o helper/net/fw_batch.o helper/net/fw_change.o helper/net/fw_expr.o
// LINK: helper/net/fw_foreign.o helper/net/fw_list.o helper/net/fw_record.o helper/net/fw_rule.o helper/net/fw_set.o helper/net/fw_table.o
// LINK: helper/net/nfnl.o helper/net/watch.o helper/net/link.o helper/net/ping.o helper/net/rtnl.o helper/net/sys.o helper/net/sysctl.o helper/net/tap.o
// LINK: helper/common/cell.o helper/common/confine.o helper/common/fdpass.o helper/common/policy.o helper/common/recheck.o
// LINK: helper/common/rules.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o helper/net/bag.o helper/net/checkpoint.o
// LINK: helper/net/revert.o helper/net/revert_links.o helper/net/snapshot.o helper/net/snapshot_link.o helper/net/snapshot_route.o
// LINK: helper/net/lease.o helper/net/lease_relay.o helper/net/sys_lease.o
// LIBS: -lcap-ng -lnftnl -lmnl -lnl-3
//
// The net cell's operations on the real kernel, in a network namespace that the test makes, through cell_handle() as the broker would call
// them.  Needs root.  What the kernel then has is asked of `ip` and `nft`, not of the code under test.
#define CELL_IS_NET
#include "helper/common/cell_table.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <net/if.h>

#include "helper/net/sys.h"
#include "tests/lib/links_del.h"
#include "tests/lib/test.h"

static struct cell c;
static struct cell_req q;
static int out[FDPASS_MAX];
static char text[65536];

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

static bool link_shows(const char *name, const char *what)
{
	char command[128];

	snprintf(command, sizeof(command), "ip -d link show dev %s 2>&1", name);
	return strstr(shows(command), what) != NULL;
}

static void request(enum op_id op)
{
	memset(&q, 0, sizeof(q));
	q.id = 1;
	q.op = op;
}

static enum op_status call_fds(const int *fds, unsigned n)
{
	fdpass_close(out, FDPASS_MAX);
	q.nfds = n;
	if (!cell_handle(&c, cell_table, &q, sizeof(q), fds, n, out))
		return OPS_COUNT;
	return c.rep.status;
}

static enum op_status call(void)
{
	return call_fds(NULL, 0);
}

static enum op_status bridge(const char *name)
{
	request(OP_link_add);
	strcpy(q.args.link_add.name, name);
	return call();
}

static enum op_status del(const char *one, const char *two)
{
	request(OP_links_del);
	q.args.links_del.names.n = two == NULL ? 1 : 2;
	strcpy(q.args.links_del.names.v[0], one);
	if (two != NULL)
		strcpy(q.args.links_del.names.v[1], two);
	return call();
}

static enum op_status tap(const char *name, const char *to)
{
	request(OP_tap_create);
	strcpy(q.args.tap_create.name, name);
	if (to != NULL) {
		q.args.tap_create.has_bridge = true;
		strcpy(q.args.tap_create.bridge, to);
	}
	return call();
}

#define CHECK_OK(call_) CHECK_STR(op_status_name(call_), "ok")
#define CHECK_DENIED(call_, rule_)                                                                                                                   \
	do {                                                                                                                                         \
		CHECK_STR(op_status_name(call_), "denied");                                                                                          \
		CHECK_STR(c.rep.rule, rule_);                                                                                                        \
	} while (0)

TEST("link_add: a bridge is there with our mark, and a second one of that name isn't made")
{
	CHECK_OK(bridge("pt-br0"));
	CHECK_INT(c.rep.res.link_add.ifindex, if_nametoindex("pt-br0"));
	CHECK(link_shows("pt-br0", "alias postern:bridge"));
	CHECK_STR(op_status_name(bridge("pt-br0")), "exists");
	CHECK_OK(del("pt-br0", NULL));
}

TEST("link_add: a bridge has the settings asked for")
{
	request(OP_link_add);
	strcpy(q.args.link_add.name, "pt-br1");
	q.args.link_add.has_mtu = q.args.link_add.has_mac = q.args.link_add.has_stp = q.args.link_add.stp = true;
	q.args.link_add.mtu = 1400;
	memcpy(q.args.link_add.mac, "\x02\x00\x00\x00\x00\x01", 6);
	CHECK_OK(call());
	CHECK(link_shows("pt-br1", "mtu 1400") && link_shows("pt-br1", "02:00:00:00:00:01") && link_shows("pt-br1", "stp_state 1"));
	CHECK_OK(del("pt-br1", NULL));
}

TEST("link_add: both ends of a veth pair carry our mark")
{
	request(OP_link_add);
	q.args.link_add.kind = LINK_VETH;
	strcpy(q.args.link_add.name, "pt-v0");
	CHECK_STR(op_status_name(call()), "invalid");
	q.args.link_add.has_peer = true;
	strcpy(q.args.link_add.peer, "pt-v1");
	CHECK_OK(call());
	CHECK(link_shows("pt-v0", "alias postern:veth") && link_shows("pt-v1", "alias postern:veth"));
	CHECK_OK(del("pt-v0", "pt-v1"));
	CHECK(if_nametoindex("pt-v1") == 0);
}

TEST("link_add: a veth pair whose other end exists already leaves nothing behind")
{
	CHECK_OK(bridge("pt-br2"));
	request(OP_link_add);
	q.args.link_add.kind = LINK_VETH;
	q.args.link_add.has_peer = true;
	strcpy(q.args.link_add.name, "pt-v0");
	strcpy(q.args.link_add.peer, "pt-br2");
	CHECK_STR(op_status_name(call()), "exists");
	CHECK(if_nametoindex("pt-v0") == 0 && link_shows("pt-br2", "alias postern:bridge"));
	CHECK_OK(del("pt-br2", NULL));
}

TEST("link_set: up, MTU, MAC, master and leaving it")
{
	CHECK_OK(bridge("pt-br0"));
	CHECK_OK(tap("pt-t0", NULL));
	request(OP_link_set);
	strcpy(q.args.link_set.name, "pt-t0");
	q.args.link_set.has_mtu = q.args.link_set.has_master = q.args.link_set.has_up = q.args.link_set.has_mac = true;
	q.args.link_set.mtu = 1300;
	memcpy(q.args.link_set.mac, "\x02\x00\x00\x00\x00\x02", 6);
	strcpy(q.args.link_set.master, "pt-br0");
	CHECK_OK(call());
	CHECK(link_shows("pt-t0", "mtu 1300") && link_shows("pt-t0", "master pt-br0") && link_shows("pt-t0", "02:00:00:00:00:02"));
	CHECK(!link_shows("pt-t0", ",UP"));
	request(OP_link_set);
	strcpy(q.args.link_set.name, "pt-t0");
	q.args.link_set.has_no_master = q.args.link_set.no_master = true;
	CHECK_OK(call());
	CHECK(!link_shows("pt-t0", "master"));
	q.args.link_set.has_master = true;
	strcpy(q.args.link_set.master, "pt-br0");
	CHECK_STR(op_status_name(call()), "invalid");
	CHECK_OK(del("pt-t0", "pt-br0"));
}

TEST("F5: a link of somebody else's, under our prefix, is neither changed nor deleted nor given an address")
{
	CHECK(sh("ip link add pt-foreign type veth peer name pt-foreign2"));
	CHECK_OK(bridge("pt-br0"));
	request(OP_link_set);
	strcpy(q.args.link_set.name, "pt-foreign");
	q.args.link_set.has_up = q.args.link_set.up = true;
	CHECK_DENIED(call(), "a link without our mark");
	request(OP_address_add);
	strcpy(q.args.address_add.device, "pt-foreign");
	q.args.address_add.address = (struct wire_addr){4, 24, {10, 1, 1, 1}};
	CHECK_DENIED(call(), "a link without our mark");
	CHECK_DENIED(del("pt-br0", "pt-foreign"), "a link without our mark");
	CHECK(if_nametoindex("pt-br0") != 0 && if_nametoindex("pt-foreign") != 0 && !link_shows("pt-foreign", ",UP"));
	CHECK_DENIED(tap("pt-foreign", NULL), "a link without our mark");
	CHECK(sh("ip link del pt-foreign"));
	CHECK_OK(del("pt-br0", NULL));
}

// Messages that wait on the socket.
static int heard(int fd)
{
	int n = 0;

	while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

TEST("event_socket: hears what others change of nftables, and each call hands over the same socket")
{
	int fd;

	request(OP_event_socket);
	CHECK_OK(call());
	fd = dup(out[RESFD_event_socket_socket]);
	heard(fd);
	CHECK(sh("nft add table inet other"));
	CHECK(heard(fd) > 0);
	request(OP_event_socket);
	CHECK_OK(call());
	CHECK(sh("nft delete table inet other"));
	CHECK(heard(out[RESFD_event_socket_socket]) > 0);
	CHECK_INT(heard(fd), 0);
	close(fd);
}

TEST("event_socket: hears nothing of what the cell itself changes")
{
	int memfd = memfd_create("records", MFD_CLOEXEC | MFD_ALLOW_SEALING), fd;
	struct fw_record r = {.kind = FW_MASQUERADE, .source = {.family = 4, .prefix = 24, .addr = {10, 9}}, .comment = "snat-1"};

	CHECK(write(memfd, &r, sizeof(r)) == sizeof(r) && fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	request(OP_event_socket);
	CHECK_OK(call());
	fd = dup(out[RESFD_event_socket_socket]);
	heard(fd);
	request(OP_fw_commit);
	q.args.fw_commit.count = 1;
	CHECK_OK(call_fds(&memfd, 1));
	CHECK_INT(heard(fd), 0);
	CHECK(sh("nft delete table inet postern"));
	CHECK(heard(fd) > 0);
	close(fd);
	close(memfd);
}

TEST("uplinks: those of the policy, in its order")
{
	request(OP_uplinks);
	CHECK_OK(call());
	CHECK_INT(c.rep.res.uplinks.names.n, c.policy.net.uplinks.n);
	for (uint32_t i = 0; i < c.policy.net.uplinks.n; i++)
		CHECK_STR(c.rep.res.uplinks.names.v[i], c.policy.net.uplinks.v[i]);
}

TEST("links_del: what is gone already is passed over, and counted out")
{
	CHECK_OK(bridge("pt-br0"));
	CHECK_OK(del("pt-br0", "pt-none"));
	CHECK_INT(c.rep.res.links_del.removed, 1);
	CHECK_OK(del("pt-br0", "pt-none"));
	CHECK_INT(c.rep.res.links_del.removed, 0);
}

TEST("links_del: sixty taps go in one request, and a link of another group stays")
{
	struct timespec a, b;

	CHECK(sh("ip link add foreign0 type veth peer name foreign1 && ip link set foreign0 group 7"));
	for (unsigned i = 0; i < 60; i++) {
		char name[16];

		snprintf(name, sizeof(name), "pt-many%u", i % 60);
		CHECK_OK(tap(name, NULL));
	}
	request(OP_links_del);
	q.args.links_del.names.n = 60;
	for (unsigned i = 0; i < 60; i++)
		snprintf(q.args.links_del.names.v[i], 16, "pt-many%u", i % 60);
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK_OK(call());
	clock_gettime(CLOCK_MONOTONIC, &b);
	CHECK_INT(c.rep.res.links_del.removed, 60);
	CHECK(if_nametoindex("pt-many0") == 0 && if_nametoindex("pt-many59") == 0 && if_nametoindex("foreign0") != 0);
	// One by one it takes 16 ms each.
	CHECK((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 500);
	CHECK(sh("ip link del foreign0"));
}

TEST("tap_create: persistent, up, on its bridge, with owner and mark, and its queue is a tap's")
{
	CHECK_OK(bridge("pt-br0"));
	request(OP_tap_create);
	strcpy(q.args.tap_create.name, "pt-t0");
	q.args.tap_create.has_bridge = q.args.tap_create.has_owner_uid = q.args.tap_create.has_alias = true;
	q.args.tap_create.has_vnet_hdr = q.args.tap_create.vnet_hdr = q.args.tap_create.has_want_fd = q.args.tap_create.want_fd = true;
	strcpy(q.args.tap_create.bridge, "pt-br0");
	strcpy(q.args.tap_create.alias, "vm one");
	q.args.tap_create.owner_uid = 900005;
	CHECK_OK(call());
	CHECK(c.rep.res.tap_create.created);
	CHECK_INT(c.rep.nfds, 1);
	CHECK((fcntl(out[0], F_GETFD) & FD_CLOEXEC) != 0);
	struct ifreq r;
	CHECK_INT(ioctl(out[0], TUNGETIFF, &r), 0);
	CHECK_STR(r.ifr_name, "pt-t0");
	CHECK(link_shows("pt-t0", "vnet_hdr on persist on user 900005") && link_shows("pt-t0", "master pt-br0") && link_shows("pt-t0", ",UP"));
	CHECK(link_shows("pt-t0", "alias postern:tap:vm one"));
	// Its single queue is taken.
	int held = out[0];
	out[0] = -1;
	CHECK_STR(op_status_name(call()), "busy");
	close(held);
	CHECK_OK(call());
	CHECK(!c.rep.res.tap_create.created);
	fdpass_close(out, FDPASS_MAX);
	CHECK_OK(del("pt-t0", "pt-br0"));
}

TEST("tap_create: without an owner it is the daemon's")
{
	CHECK_OK(tap("pt-t0", NULL));
	CHECK(link_shows("pt-t0", "user 990") || link_shows("pt-t0", "user postern"));
	CHECK_INT(c.rep.nfds, 0);
	CHECK_OK(del("pt-t0", NULL));
}

TEST("F4: a tap that fails half-way leaves nothing")
{
	CHECK_STR(op_status_name(tap("pt-t0", "pt-br9")), "not_found");
	CHECK(if_nametoindex("pt-t0") == 0);
	CHECK(sh("ip link add pt-brx type veth peer name pt-brz"));
	CHECK_STR(op_status_name(tap("pt-t0", "pt-brx")), "invalid");
	CHECK(if_nametoindex("pt-t0") == 0);
	CHECK(sh("ip link del pt-brx"));
	request(OP_tap_create);
	strcpy(q.args.tap_create.name, "pt-t0");
	q.args.tap_create.has_mtu = true;
	q.args.tap_create.mtu = 65535; // above a tap's largest
	CHECK_STR(op_status_name(call()), "io");
	CHECK(if_nametoindex("pt-t0") == 0);
}

TEST("tap_create: a name that a bridge of ours has isn't opened as a tap")
{
	CHECK_OK(bridge("pt-br0"));
	CHECK_STR(op_status_name(tap("pt-br0", NULL)), "exists");
	CHECK_OK(del("pt-br0", NULL));
}

TEST("limit taps: exactly as many as the policy says, and again as many when they are gone")
{
	c.policy.limits.taps = 2;
	CHECK_OK(tap("pt-t0", NULL));
	CHECK_OK(tap("pt-t1", NULL));
	CHECK_STR(op_status_name(tap("pt-t2", NULL)), "quota");
	CHECK_STR(c.rep.rule, "limit taps");
	CHECK_OK(tap("pt-t1", NULL));
	CHECK_OK(del("pt-t0", "pt-t1"));
	CHECK_OK(tap("pt-t2", NULL));
	CHECK_OK(del("pt-t2", NULL));
	c.policy.limits.taps = 100;
}

static enum op_status address(enum op_id op, const char *device, struct wire_addr a)
{
	request(op);
	strcpy(q.args.address_add.device, device);
	q.args.address_add.address = a;
	return call();
}

TEST("address_add and address_del: IPv4 and IPv6, once each")
{
	const struct wire_addr v4 = {4, 24, {10, 5, 0, 1}}, v6 = {6, 64, {0xfd, 5, [15] = 1}};

	CHECK_OK(bridge("pt-br0"));
	CHECK_OK(address(OP_address_add, "pt-br0", v4));
	CHECK(c.rep.res.address_add.changed);
	CHECK_OK(address(OP_address_add, "pt-br0", v4));
	CHECK(!c.rep.res.address_add.changed);
	CHECK(strstr(shows("ip addr show pt-br0"), "10.5.0.1/24") != NULL);
	CHECK_OK(address(OP_address_add, "pt-br0", v6));
	CHECK(strstr(shows("ip addr show pt-br0"), "fd05::1/64") != NULL);
	CHECK_OK(address(OP_address_del, "pt-br0", v4));
	CHECK(c.rep.res.address_del.changed);
	CHECK_OK(address(OP_address_del, "pt-br0", v6));
	CHECK(strstr(shows("ip addr show pt-br0"), "10.5.0.1") == NULL && strstr(shows("ip addr show pt-br0"), "fd05::1") == NULL);
	CHECK_OK(address(OP_address_del, "pt-br0", v4));
	CHECK(!c.rep.res.address_del.changed);
	CHECK_OK(del("pt-br0", NULL));
}

TEST("an address that somebody else gave to our link isn't taken away")
{
	CHECK_OK(bridge("pt-br0"));
	CHECK(sh("ip addr add 10.6.0.1/24 dev pt-br0"));
	CHECK_DENIED(address(OP_address_del, "pt-br0", (struct wire_addr){4, 24, {10, 6, 0, 1}}), "an address without our mark");
	CHECK(strstr(shows("ip addr show pt-br0"), "10.6.0.1/24") != NULL);
	CHECK_OK(del("pt-br0", NULL));
}

TEST("F6: nothing, loopback, multicast and prefix 0 are no addresses for an interface")
{
	static const struct wire_addr bad[] = {
	    {4, 24, {0}}, {4, 0, {10, 0, 0, 1}}, {4, 8, {127, 0, 0, 1}}, {4, 24, {224, 0, 0, 1}}, {4, 32, {255, 255, 255, 255}},
	    {6, 64, {0}}, {6, 128, {[15] = 1}},  {6, 64, {0xff, 2}}};

	CHECK_OK(bridge("pt-br0"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_STR(op_status_name(address(OP_address_add, "pt-br0", bad[i])), "invalid");
	CHECK_OK(del("pt-br0", NULL));
}

static enum op_status commit(const struct fw_record *r, uint32_t n, uint32_t count)
{
	int fd = memfd_create("records", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	enum op_status s;

	if (write(fd, r, n * sizeof(*r)) != (ssize_t)(n * sizeof(*r)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		abort();
	request(OP_fw_commit);
	q.args.fw_commit.count = count;
	s = call_fds(&fd, 1);
	close(fd);
	return s;
}

static const struct fw_record masquerade = {.kind = FW_MASQUERADE, .source = {4, 24, {10, 5, 0}}, .interface = "up0", .comment = "nat-1"};

TEST("sysctl_set: says whether it changed anything")
{
	request(OP_sysctl_set);
	q.args.sysctl_set.key = SYSCTL_IP_FORWARD;
	q.args.sysctl_set.on = true;
	CHECK_OK(call());
	CHECK(c.rep.res.sysctl_set.changed);
	CHECK(strcmp(shows("cat /proc/sys/net/ipv4/ip_forward"), "1\n") == 0);
	CHECK_OK(call());
	CHECK(!c.rep.res.sysctl_set.changed);
	q.args.sysctl_set.on = false;
	CHECK_OK(call());
	CHECK(strcmp(shows("cat /proc/sys/net/ipv4/ip_forward"), "0\n") == 0);
	q.args.sysctl_set.key = SYSCTL_IP6_FORWARD;
	q.args.sysctl_set.on = true;
	CHECK_OK(call());
	CHECK(strcmp(shows("cat /proc/sys/net/ipv6/conf/all/forwarding"), "1\n") == 0);
}

TEST("a request leaves no descriptor open, whether it succeeds or fails")
{
	int before, after;

	bridge("pt-br0");
	before = dup(0);
	for (int i = 0; i < 20; i++) {
		tap("pt-t0", "pt-br0");
		tap("pt-t1", "pt-none");
		commit(&masquerade, 1, 1);
		commit(&masquerade, 1, 2);
		del("pt-t0", "pt-foreign");
	}
	fdpass_close(out, FDPASS_MAX);
	after = dup(0);
	CHECK_INT(after, before + 1);
	close(before);
	close(after);
	CHECK_OK(del("pt-br0", NULL));
	CHECK_OK(commit(&masquerade, 1, 0));
}

int main(void)
{
	struct confine_path paths[SYS_PATHS_MAX];
	size_t npaths;
	int dir;

	for (unsigned i = 0; i < FDPASS_MAX; i++)
		out[i] = -1;
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
		printf("ok - the net cell's operations do on the kernel what they say # SKIP needs root\n");
		return 0;
	}
	// /proc/sys/net shows the namespace of whoever looks; /sys, which `ip` reads nothing of, is left alone.
	dir = open("/dev/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dup2(memfd_create("checkpoints", 0), CELL_FD_CHECKPOINTS) != CELL_FD_CHECKPOINTS)
		return 1;
	if (dir < 0 || dup2(dir, CELL_FD_EXTRA) != CELL_FD_EXTRA || sys_open(paths, &npaths) != NULL || !sh("ip link set lo up"))
		return 1;
	policy_default(&c.policy);
	c.policy.uids = (struct policy_range){900000, 900999};
	c.policy.limits.taps = 100;
	c.policy.net.uplinks.n = 2;
	strcpy(c.policy.net.uplinks.v[0], "up0");
	strcpy(c.policy.net.uplinks.v[1], "up1");
	return test_main();
}
