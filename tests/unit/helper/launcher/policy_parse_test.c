// LINK: helper/launcher/policy_parse.o helper/launcher/policy_words.o helper/common/policy.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include "helper/launcher/policy_file.h"
#include "tests/lib/test.h"

static struct policy p;
static struct policy_error err;

static bool parse(const char *text)
{
	return policy_parse(&p, text, strlen(text), &err);
}

static const char *wrong(const char *text)
{
	return parse(text) ? "nothing" : err.what;
}

TEST("an empty policy is the strict default: our own prefixes and nothing else")
{
	CHECK(parse(""));
	CHECK_INT(p.net.prefixes.n, 1);
	CHECK_STR(p.net.prefixes.v[0], "pt-");
	CHECK(policy_bridge(&p.net, "pt-br0") && !policy_bridge(&p.net, "br0"));
	CHECK_INT(p.net.uplinks.n + p.vol.sources.n + p.vol.devices.n + p.tools.n + p.net.tables.n, 0);
	CHECK_STR(p.jail.jail_root, "");
	CHECK_STR(p.vol.mount_root, "");
	CHECK(!policy_in_range(&p.uids, 900000));
}

TEST("every keyword of the man page is read")
{
	static const char text[] = "daemon-uid 1\ndaemon-gid 2\nbroker-uid 3\nnet-uid 4\nvol-uid 5\nuid-range 900000-999999\n"
	                           "interface-prefix pt- x-\nbridge pt-br* br0\nuplink eth0 eth1\nroute-table 254 1000-1999\nroute-default 254\n"
	                           "input-policy drop\nmount-root /srv/m\nmount-source /dev/loop* /dev/sdb\nmount-fstype ext4 xfs\ndevice /dev/sdc\n"
	                           "image-root /srv/i\njail-root /srv/j\ncgroup-root /sys/fs/cgroup/p\nvmm qemu /usr/libexec/q\nvm-device kvm\n"
	                           "tool mkfs.ext4 /usr/sbin/mke2fs\novs switch\nlimit taps 1 rules 2 jails 3 requests-per-second 4\n";

	CHECK(parse(text));
	CHECK_INT(p.ids.daemon_uid, 1);
	CHECK_INT(p.ids.daemon_gid, 2);
	CHECK_INT(p.uids.lo, 900000);
	CHECK_INT(p.uids.hi, 999999);
	CHECK_INT(p.net.tables.v[1].hi, 1999);
	CHECK(policy_in_ranges(&p.net.defaults, 254) && !policy_in_ranges(&p.net.defaults, 1000));
	CHECK(p.net.input_drop);
	CHECK_INT(p.vol.fstypes, 1u << FSTYPE_EXT4 | 1u << FSTYPE_XFS);
	CHECK_STR(p.jail.vmm[VMM_QEMU], "/usr/libexec/q");
	CHECK(p.jail.kvm);
	CHECK_INT(p.ovs, 1u << OVS_SWITCH);
	CHECK_STR(p.tools.v[0].path, "/usr/sbin/mke2fs");
	CHECK_INT(p.limits.requests_per_second, 4);
}

TEST("an input policy is accept, which is the default, or drop")
{
	CHECK(parse("") && !p.net.input_drop);
	CHECK(parse("input-policy accept") && !p.net.input_drop);
	CHECK_STR(wrong("input-policy reject"), "an input policy is accept or drop");
}

TEST("the daemon's gid is the number of its uid unless it is given")
{
	CHECK(parse("daemon-uid 1234"));
	CHECK_INT(p.ids.daemon_gid, 1234);
}

TEST("comments, blank lines and a missing last newline are fine")
{
	CHECK(parse("# a comment\n\n   \t\nuplink eth0 # outside\nuplink eth1#x"));
	CHECK_INT(p.net.uplinks.n, 2);
	CHECK_STR(p.net.uplinks.v[1], "eth1");
}

TEST("a list keyword of the file replaces the default, and further lines add to it")
{
	CHECK(parse("interface-prefix a-\ninterface-prefix b-\nbridge br0\n"));
	CHECK(policy_prefix(&p.net, "a-1") && policy_prefix(&p.net, "b-1") && !policy_prefix(&p.net, "pt-1"));
	CHECK(policy_bridge(&p.net, "br0") && !policy_bridge(&p.net, "pt-br0"));
}

TEST("an error names its line")
{
	CHECK(!parse("uplink eth0\n\nuplnk eth1\n"));
	CHECK_INT(err.line, 3);
	CHECK_STR(err.what, "unknown keyword");
}

TEST("uids are decimal numbers from 1 to 2^32-2")
{
	static const char *const bad[] = {"0", "-1", "+1", "01", "4294967295", "4294967296", "18446744073709551617", "1x", "0x10", "1 2"};
	char line[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "daemon-uid %s", bad[i]);
		if (parse(line))
			FAIL("%s is taken", line);
	}
	CHECK(parse("daemon-uid 4294967294"));
}

TEST("two roles can't share a uid, and none lies in the range of VMs")
{
	CHECK_STR(wrong("daemon-uid 991"), "daemon-uid, broker-uid, net-uid and vol-uid must differ");
	CHECK_STR(wrong("net-uid 7\nvol-uid 7"), "daemon-uid, broker-uid, net-uid and vol-uid must differ");
	CHECK_STR(wrong("uid-range 900-1000"), "daemon-uid, broker-uid, net-uid and vol-uid must lie outside uid-range");
}

TEST("roots can't overlap, however they are ordered")
{
	CHECK(!parse("mount-root /srv/p\njail-root /srv/p/jail"));
	CHECK(!parse("mount-root /srv/p/mnt\njail-root /srv/p"));
	CHECK(!parse("image-root /srv/p\njail-root /srv/p"));
	CHECK(parse("mount-root /srv/p\njail-root /srv/pq\nimage-root /srv/q"));
}

TEST("a root is an absolute path in its only form")
{
	static const char *const bad[] = {"srv", "/", "//srv", "/srv/", "/srv//x", "/srv/./x", "/srv/../x", "/srv/.."};
	char line[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "mount-root %s", bad[i]);
		if (parse(line))
			FAIL("%s is taken", line);
	}
}

TEST("a bridge pattern has one '*', at its end and behind something")
{
	CHECK(!parse("bridge *"));
	CHECK(!parse("bridge a*b"));
	CHECK(!parse("bridge a**"));
	CHECK(!parse("bridge abcdefghijklmnop"));
	CHECK(!parse("bridge a/b"));
	CHECK(parse("bridge a*"));
}

TEST("devices lie below /dev, with '*' at the end of the last component at most")
{
	CHECK(!parse("mount-source /etc/passwd"));
	CHECK(!parse("mount-source /dev/../etc/passwd"));
	CHECK(!parse("mount-source /dev/l*p0"));
	CHECK(parse("mount-source /dev/loop*"));
	CHECK(policy_path_listed(&p.vol.sources, "/dev/loop7"));
	CHECK(!policy_path_listed(&p.vol.sources, "/dev/loop"));
	CHECK(!policy_path_listed(&p.vol.sources, "/dev/loop7/x"));
	CHECK(!policy_path_listed(&p.vol.sources, "/dev/sda"));
}

TEST("a keyword with one value isn't given twice, and a VMM isn't either")
{
	CHECK_STR(wrong("jail-root /a\njail-root /b"), "given twice");
	CHECK_STR(wrong("vmm qemu /a\nvmm qemu /b"), "this VMM is given twice");
}

TEST("values that are missing, too many, too long or not printable are refused")
{
	char line[400];

	CHECK_STR(wrong("daemon-uid"), "a value is missing");
	CHECK_STR(wrong("vmm qemu"), "a value is missing");
	CHECK_STR(wrong("jail-root /a /b"), "too many values");
	CHECK(!policy_parse(&p, "uplink e\0h0", 11, &err));
	CHECK_STR(wrong("uplink \x1b[31m"), "a byte that isn't printable ASCII");
	CHECK_STR(wrong("uplink eth0\r\n"), "a byte that isn't printable ASCII");
	CHECK_STR(wrong("uplink \xc3\xa9"), "a byte that isn't printable ASCII");
	memset(line, 'a', sizeof(line));
	memcpy(line, "uplink ", 7);
	line[sizeof(line) - 1] = '\0';
	CHECK_STR(wrong(line), "a value of more than 255 bytes");
}

TEST("lists have an end")
{
	char text[4096] = "";

	for (int i = 0; i < POLICY_NAMES + 1; i++)
		strcat(text, "uplink eth0\n");
	CHECK_STR(wrong(text), "too many uplinks");
	CHECK_INT(err.line, POLICY_NAMES + 1);
	CHECK_STR(wrong("interface-prefix a b c d e"), "too many prefixes");
}

TEST("limits come in pairs, with names and numbers that exist")
{
	CHECK(!parse("limit taps"));
	CHECK(!parse("limit taps 1 rules"));
	CHECK(!parse("limit cows 1"));
	CHECK(!parse("limit taps 65537"));
	CHECK(!parse("limit requests-per-second 0"));
	CHECK(parse("limit taps 0"));
}

TEST("Open vSwitch's sockets are named one by one, and by default none is")
{
	CHECK(parse(""));
	CHECK_INT(p.ovs, 0);
	CHECK(parse("ovs database\novs switch\n"));
	CHECK_INT(p.ovs, 1u << OVS_DATABASE | 1u << OVS_SWITCH);
	CHECK(!parse("ovs"));
	CHECK_STR(wrong("ovs on"), "database or switch is wanted");
	CHECK(!parse("ovs database switch switch"));
}

TEST("what isn't a process's business is zero in its part")
{
	static struct policy part;
	static const struct policy_jail no_jail;
	static const struct policy_vol no_vol;

	CHECK(parse("mount-root /m\njail-root /j\nimage-root /i\nuplink eth0\nvmm qemu /q\ntool t /t\novs database\n"));
	policy_part(&part, &p, POLICY_FOR_NET);
	CHECK_STR(part.net.uplinks.v[0], "eth0");
	CHECK(memcmp(&part.jail, &no_jail, sizeof(no_jail)) == 0 && memcmp(&part.vol, &no_vol, sizeof(no_vol)) == 0 && part.tools.n == 0);
	policy_part(&part, &p, POLICY_FOR_VOL);
	CHECK_STR(part.vol.mount_root, "/m");
	CHECK(part.net.uplinks.n == 0 && memcmp(&part.jail, &no_jail, sizeof(no_jail)) == 0);
	policy_part(&part, &p, POLICY_FOR_JAIL);
	CHECK(part.tools.n == 0 && part.ovs == 0 && part.net.prefixes.n == 0 && memcmp(&part.vol, &no_vol, sizeof(no_vol)) == 0);
	policy_part(&part, &p, POLICY_FOR_SPAWN);
	CHECK_INT(part.tools.n, 1);
	CHECK_INT(part.ovs, 1u << OVS_DATABASE);
	policy_part(&part, &p, POLICY_FOR_BROKER);
	CHECK(memcmp(&part, &p, sizeof(p)) == 0);
}

TEST("a name is ours only with something behind the prefix")
{
	CHECK(parse("bridge br0"));
	CHECK(!policy_link_ours(&p.net, "pt-"));
	CHECK(policy_link_ours(&p.net, "pt-a"));
	CHECK(!policy_link_ours(&p.net, "pt"));
	CHECK(!policy_link_ours(&p.net, "xpt-a"));
	CHECK(policy_link_ours(&p.net, "br0"));
	CHECK(!policy_link_ours(&p.net, "br00"));
}

int main(void)
{
	return test_main();
}
