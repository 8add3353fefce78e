// LINK: helper/common/rules.o helper/common/policy.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/common/rules.h"
#include "tests/lib/test.h"

static struct policy p;
static union op_args a;

static void fresh(void)
{
	policy_default(&p);
	p.uids = (struct policy_range){900000, 900999};
	memset(&a, 0, sizeof(a));
}

static void text(char *to, const char *s)
{
	strcpy(to, s);
}

static const char *verdict(enum op_id op)
{
	const char *r = rules_refuse(&p, op, &a);

	return r == NULL ? "allowed" : r;
}

TEST("F1: a bridge is created only under a name that the policy gives to bridges")
{
	fresh();
	text(a.link_add.name, "pt-br0");
	CHECK_STR(verdict(OP_link_add), "allowed");
	text(a.link_add.name, "pt-tap0");
	CHECK_STR(verdict(OP_link_add), "bridge");
	text(a.link_add.name, "eth0");
	CHECK_STR(verdict(OP_link_add), "bridge");
}

TEST("F1: both ends of a veth pair need the prefix")
{
	fresh();
	a.link_add.kind = LINK_VETH;
	text(a.link_add.name, "pt-a");
	a.link_add.has_peer = true;
	text(a.link_add.peer, "pt-b");
	CHECK_STR(verdict(OP_link_add), "allowed");
	text(a.link_add.peer, "eth0");
	CHECK_STR(verdict(OP_link_add), "interface-prefix");
}

TEST("F1: lo, eth0, a bare prefix and a longer name with the prefix inside are nobody's to change")
{
	static const char *const names[] = {"lo", "eth0", "pt-", "xpt-a", "PT-a", "1"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fresh();
		text(a.link_set.name, names[i]);
		CHECK_STR(verdict(OP_link_set), "interface-prefix");
		text(a.address_add.device, names[i]);
		CHECK_STR(verdict(OP_address_add), "interface-prefix");
	}
}

TEST("one name of a list that isn't ours refuses the list")
{
	fresh();
	a.links_del.names.n = 2;
	text(a.links_del.names.v[0], "pt-a");
	text(a.links_del.names.v[1], "eth0");
	CHECK_STR(verdict(OP_links_del), "interface-prefix");
	text(a.links_del.names.v[1], "pt-br0");
	CHECK_STR(verdict(OP_links_del), "allowed");
}

TEST("G1: a tap's owner is the daemon or a uid of the range, and nobody else")
{
	static const uint32_t bad[] = {0, 1, 899999, 901000, 65534, UINT32_MAX};

	fresh();
	text(a.tap_create.name, "pt-t0");
	a.tap_create.has_owner_uid = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		a.tap_create.owner_uid = bad[i];
		CHECK_STR(verdict(OP_tap_create), "uid-range");
	}
	a.tap_create.owner_uid = p.ids.daemon_uid;
	CHECK_STR(verdict(OP_tap_create), "allowed");
	a.tap_create.owner_uid = 900999;
	CHECK_STR(verdict(OP_tap_create), "allowed");
}

TEST("F5: a tap joins a bridge of the policy only")
{
	fresh();
	text(a.tap_create.name, "pt-t0");
	a.tap_create.has_bridge = true;
	text(a.tap_create.bridge, "docker0");
	CHECK_STR(verdict(OP_tap_create), "bridge");
	text(a.tap_create.bridge, "pt-br7");
	CHECK_STR(verdict(OP_tap_create), "allowed");
}

TEST("a route stands in a table of the policy, leads out of a link that may be ours or an uplink, and to everything only where the policy says so")
{
	const struct {
		struct wire_addr to;
		uint32_t table;
		const char *device, *rule; // device NULL: none is named; rule NULL: allowed
	} cases[] = {
	    {{4, 8, {10}}, 254, "pt-br0", NULL},
	    {{4, 8, {10}}, 254, "up0", NULL},
	    {{4, 8, {10}}, 254, NULL, NULL},
	    {{6, 16, {0xfd}}, 1000, "pt-br0", NULL},
	    {{4, 7, {10}}, 254, "pt-br0", "route-default"},
	    {{6, 15, {0xfc}}, 1000, "pt-br0", "route-default"},
	    {{4, 0, {0}}, 254, "up0", "route-default"},
	    {{4, 0, {0}}, 1999, "up0", NULL},
	    {{4, 1, {0x80}}, 1999, "pt-br0", NULL},
	    {{4, 8, {10}}, 253, "pt-br0", "route-table"},
	    {{4, 8, {10}}, 255, "pt-br0", "route-table"},
	    {{4, 8, {10}}, 2000, "pt-br0", "route-table"},
	    {{4, 8, {10}}, 254, "eth0", "uplink"},
	    {{4, 8, {10}}, 254, "lo", "uplink"},
	};

	policy_default(&p);
	p.net.uplinks.n = 1;
	strcpy(p.net.uplinks.v[0], "up0");
	p.net.tables = (struct policy_ranges){2, {{254, 254}, {1000, 1999}}};
	p.net.defaults = (struct policy_ranges){1, {{1999, 1999}}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *rule;

		memset(&a, 0, sizeof(a));
		a.route_add.destination = cases[i].to;
		a.route_add.table = cases[i].table;
		a.route_add.has_device = cases[i].device != NULL;
		if (cases[i].device != NULL)
			strcpy(a.route_add.device, cases[i].device);
		rule = rules_refuse(&p, OP_route_add, &a);
		if (rule == NULL || cases[i].rule == NULL ? rule != cases[i].rule : strcmp(rule, cases[i].rule) != 0)
			FAIL("case %zu: %s", i, rule != NULL ? rule : "allowed");
	}
}

TEST("a firewall of more rules than the policy's limit is refused")
{
	fresh();
	p.limits.rules = 10;
	a.fw_commit.count = 11;
	CHECK_STR(verdict(OP_fw_commit), "limit rules");
	a.fw_commit.count = 10;
	CHECK_STR(verdict(OP_fw_commit), "allowed");
	memset(&a, 0, sizeof(a));
	a.fw_change.adds = 11;
	CHECK_STR(verdict(OP_fw_change), "limit rules");
	a.fw_change.adds = 10;
	CHECK_STR(verdict(OP_fw_change), "allowed");
}

TEST("E2: a mount needs a root, a file system of the list and a source of the list")
{
	fresh();
	text(a.mount.source, "disk/by-id/x");
	a.mount.fstype = FSTYPE_EXT4;
	CHECK_STR(verdict(OP_mount), "mount-root");
	text(p.vol.mount_root, "/srv/m");
	CHECK_STR(verdict(OP_mount), "mount-fstype");
	p.vol.fstypes = 1u << FSTYPE_XFS;
	CHECK_STR(verdict(OP_mount), "mount-fstype");
	p.vol.fstypes = 1u << FSTYPE_EXT4;
	CHECK_STR(verdict(OP_mount), "mount-source");
	p.vol.sources.n = 1;
	text(p.vol.sources.v[0], "/dev/disk/by-id/x");
	CHECK_STR(verdict(OP_mount), "allowed");
	text(a.mount.source, "disk/by-id/xy");
	CHECK_STR(verdict(OP_mount), "mount-source");
}

TEST("G1: a jail's uid lies in the range")
{
	fresh();
	text(p.jail.jail_root, "/j");
	text(p.jail.cgroup_root, "/c");
	text(p.jail.vmm[VMM_QEMU], "/q");
	a.jail_create.vmm = VMM_QEMU;
	a.jail_create.uid = 0;
	CHECK_STR(verdict(OP_jail_create), "uid-range");
	a.jail_create.uid = 900000;
	CHECK_STR(verdict(OP_jail_create), "allowed");
}

TEST("every operation on a jail needs the root and a VMM that the policy names")
{
	static const enum op_id ops[] = {OP_jail_signal, OP_jail_kill, OP_jail_remove, OP_grant_api, OP_grant_vsock, OP_grant_console, OP_jail_spawn};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		fresh();
		CHECK_STR(verdict(ops[i]), "jail-root");
		text(p.jail.jail_root, "/j");
		CHECK_STR(verdict(ops[i]), "vmm");
		text(p.jail.vmm[0], "/v");
		CHECK_STR(verdict(ops[i]), "allowed");
	}
}

TEST("each of Open vSwitch's sockets needs its own word in the policy")
{
	fresh();
	for (uint32_t door = 0; door <= OVS_DOOR_MAX; door++) {
		a.ovs_socket.door = door;
		p.ovs = ~(1u << door);
		CHECK_STR(verdict(OP_ovs_socket), "ovs");
		p.ovs = 1u << door;
		CHECK_STR(verdict(OP_ovs_socket), "allowed");
	}
}

TEST("H5: an empty policy allows no operation but those that need none: reads, and what touches nothing of anybody's that lasts")
{
	memset(&p, 0, sizeof(p));
	memset(&a, 0, sizeof(a));
	text(a.links_del.names.v[0], "pt-a");
	a.links_del.names.n = 1;
	for (unsigned op = 0; op < OP_COUNT; op++) {
		bool reads = op == OP_next || op == OP_close || op == OP_conntrack_read || op == OP_conntrack_stats || op == OP_fw_read || op == OP_fw_list ||
		             op == OP_event_socket || op == OP_uplinks;
		bool harmless = reads || op == OP_ping || op == OP_sysctl_set || op == OP_fw_commit || op == OP_fw_change || op == OP_conntrack_flush ||
		                op == OP_route_del || op == OP_checkpoint_arm || op == OP_checkpoint_confirm || op == OP_checkpoint_revert;

		if (!harmless && rules_refuse(&p, op, &a) == NULL)
			FAIL("%s is allowed", op_rows[op].name);
	}
}

static int memfd(unsigned seals)
{
	int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fcntl(fd, F_ADD_SEALS, seals) != 0)
		abort();
	return fd;
}

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool takes(enum op_id op, int fd)
{
	bool ok = rules_fds(&op_rows[op], &fd, 1);

	close(fd);
	return ok;
}

TEST("C6: records come in a memfd with every seal, and in nothing else")
{
	int s[2];

	CHECK(takes(OP_fw_commit, memfd(ALL_SEALS)));
	CHECK(!takes(OP_fw_commit, memfd(F_SEAL_SHRINK)));
	CHECK(!takes(OP_fw_commit, memfd(ALL_SEALS & ~(unsigned)F_SEAL_WRITE)));
	CHECK(!takes(OP_fw_commit, memfd(ALL_SEALS & ~(unsigned)F_SEAL_SEAL)));
	CHECK(!takes(OP_fw_commit, open("/etc/passwd", O_RDONLY)));
	CHECK(!takes(OP_fw_commit, open("/", O_RDONLY | O_DIRECTORY)));
	CHECK(!takes(OP_fw_commit, open("/dev/null", O_RDWR)));
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	close(s[1]);
	CHECK(!takes(OP_fw_commit, s[0]));
}

TEST("C6: a file is regular, readable and truly open")
{
	CHECK(takes(OP_jail_give, open("/etc/passwd", O_RDONLY)));
	CHECK(!takes(OP_jail_give, open("/etc/passwd", O_PATH)));
	CHECK(!takes(OP_jail_give, open("/dev/null", O_RDONLY)));
	CHECK(!takes(OP_jail_give, open("/tmp", O_WRONLY | O_TMPFILE, 0600)));
	CHECK(takes(OP_jail_give, open("/tmp", O_RDWR | O_TMPFILE, 0600)));
	CHECK(!takes(OP_jail_give, -1));
}

TEST("C1: too few and too many descriptors are refused")
{
	int fds[5] = {memfd(ALL_SEALS), memfd(ALL_SEALS), -1, -1, -1};

	CHECK(!rules_fds(&op_rows[OP_fw_commit], fds, 0));
	CHECK(!rules_fds(&op_rows[OP_fw_commit], fds, 2));
	CHECK(rules_fds(&op_rows[OP_ping], fds, 0));
	CHECK(!rules_fds(&op_rows[OP_ping], fds, 1));
	CHECK(rules_fds(&op_rows[OP_jail_spawn], fds, 1));
	CHECK(!rules_fds(&op_rows[OP_jail_spawn], fds, 2));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	return test_main();
}
