// LINK: unpriv/posternd/bootline.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// Command lines of kernels.
#include "unpriv/posternd/bootline.h"

#include "tests/lib/test.h"

static struct arena a;

static struct bootline parse(const char *text)
{
	struct bootline b;

	bootline_parse(text, strlen(text), &a, &b);
	return b;
}

TEST("a command line that says nothing of the network leaves it to the host")
{
	struct bootline b = parse("console=ttyS0 quiet skip=1 zip=2 root=/dev/vda");

	CHECK_INT(b.mode, boot_mode_host);
	CHECK(!b.ip4.given && !b.ip6.given && b.vlans.n == 0 && b.dns.n == 0);
	CHECK_INT(parse("").mode, boot_mode_host);
}

TEST("ip= in full gives address, prefix, router, device and name servers")
{
	struct bootline b = parse("quiet ip=192.0.2.7::192.0.2.1:255.255.255.128:host:eth1:off:192.0.2.53:192.0.2.54\n");

	CHECK_INT(b.mode, boot_mode_static);
	CHECK_STR(b.ip4.address, "192.0.2.7");
	CHECK_INT(b.ip4.prefix, 25);
	CHECK_STR(b.ip4.gateway, "192.0.2.1");
	CHECK_STR(b.ip4.device, "eth1");
	CHECK_INT(b.dns.n, 2);
	CHECK_STR(b.dns.v[1], "192.0.2.54");
}

TEST("without a netmask the prefix is that of the address's class")
{
	CHECK_INT(parse("ip=10.1.2.3").ip4.prefix, 8);
	CHECK_INT(parse("ip=172.16.0.1::::::").ip4.prefix, 16);
	CHECK_INT(parse("ip=192.0.2.1:::").ip4.prefix, 24);
	CHECK_INT(parse("ip=192.0.2.1:::29").ip4.prefix, 29);
	CHECK(parse("ip=192.0.2.1:::").ip4.gateway == NULL);
}

TEST("IPv6 in brackets keeps its colons")
{
	struct bootline b = parse("ip=[2001:db8::7]::[2001:db8::1]:56:host:eth0:none nameserver=[2001:db8::53] nameserver=192.0.2.53");

	CHECK(b.ip6.given && !b.ip4.given);
	CHECK_STR(b.ip6.address, "2001:db8::7");
	CHECK_INT(b.ip6.prefix, 56);
	CHECK_STR(b.ip6.gateway, "2001:db8::1");
	CHECK_STR(b.ip6.device, "eth0");
	CHECK_INT(b.dns.n, 2);
	CHECK_STR(b.dns.v[0], "2001:db8::53");
	CHECK_INT(parse("ip=[2001:db8::7]").ip6.prefix, 64);
}

TEST("the ways to be configured are known alone, after a device and in their place")
{
	CHECK_INT(parse("ip=dhcp").mode, boot_mode_dhcp);
	CHECK_INT(parse("ip=on").mode, boot_mode_dhcp);
	CHECK_INT(parse("ip=eth0:dhcp6").mode, boot_mode_dhcp);
	CHECK_INT(parse("ip=:::::eth0:dhcp").mode, boot_mode_dhcp);
	CHECK_INT(parse("ip=:::::eth0").mode, boot_mode_dhcp);
	CHECK_INT(parse("ip=off").mode, boot_mode_off);
	CHECK_INT(parse("ip=none").mode, boot_mode_off);
	CHECK_INT(parse("ip=nonsense").mode, boot_mode_host);
	CHECK_INT(parse("ip=dhcp ip=off ip=192.0.2.1").mode, boot_mode_static);
}

TEST("links with a VLAN are told as they stand; quotes hold a word together; what follows -- is init's")
{
	struct bootline b = parse("dyndbg=\"file x +p; ip=10.0.0.1\" vlan=v7:eth0 vlan=lonely \"vlan=v8:eth1\" -- ip=10.0.0.2 vlan=v9:eth2");

	CHECK_INT(b.mode, boot_mode_host);
	CHECK_INT(b.vlans.n, 2);
	CHECK_STR(b.vlans.v[0], "v7:eth0");
	CHECK_STR(b.vlans.v[1], "v8:eth1");
}

TEST("what is malformed is passed over")
{
	static const char *const lines[] = {
	    "ip=",          "ip=:",         "ip=[",  "ip=[]", "ip=[::1", "ip=]:[:", "ip=::::::::::::::::", "nameserver=",
	    "nameserver=[", "nameserver=x", "vlan=", "\"",    "\"\"",    "ip=\"",   "ip=999.0.0.1:::",     "ip=[::g]:::"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct bootline b = parse(lines[i]);
		CHECK(!b.ip4.given && !b.ip6.given && b.dns.n == 0 && b.vlans.n == 0);
	}
	arena_finish(&a);
}

int main(void)
{
	return test_main();
}
