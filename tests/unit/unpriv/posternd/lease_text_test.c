// LINK: unpriv/posternd/lease_pairs.o unpriv/posternd/lease_dhclient.o unpriv/posternd/dhcp4_msg.o
// Leases as systemd-networkd, NetworkManager and dhclient write them down; the texts are theirs.
#include "unpriv/posternd/lease_text.h"

#include "tests/lib/test.h"

static struct lease_seen seen[8];
static unsigned n;

static void keep(const struct lease_seen *l, void *arg)
{
	(void)arg;
	seen[n++ % 8] = *l;
}

static void read_dhclient(const char *text)
{
	n = 0;
	lease_text_dhclient(text, keep, NULL);
}

TEST("networkd's lines are read; those that are malformed say nothing")
{
	struct lease_seen l;

	CHECK(lease_text_pairs("# This is private data. Do not parse.\nADDRESS=192.0.2.56\nNETMASK=255.255.255.0\nROUTER=192.0.2.1 192.0.2.2\n"
	                       "SERVER_ADDRESS=192.0.2.1\nT1=60\nT2=105\nLIFETIME=120\nDNS=192.0.2.1 192.0.2.2\nDOMAINNAME=lease.test\n"
	                       "CLASSLESS_ROUTES=198.18.0.0/15,192.0.2.9 0.0.0.0/0,192.0.2.1\nCLIENTID=ff939b\n",
	                       &l));
	CHECK(l.v4.address == 0xc0000238 && l.v4.prefix == 24 && l.v4.n_routers == 2 && l.v4.n_dns == 2 && l.v4.n_routes == 2 && l.v4.secs == 120);
	CHECK_STR(l.v4.domain, "lease.test");
	CHECK(lease_text_pairs("ADDRESS=192.0.2.77\nNETMASK=255.0.255.0\nLIFETIME=99999999999\nT1=x\nDNS=1.2.3\nROUTER=\nDOMAINNAME=a b", &l));
	CHECK(l.v4.prefix == 0 && l.v4.secs == 0 && l.v4.n_dns == 0 && l.v4.n_routers == 0 && l.v4.domain[0] == '\0');
	CHECK(!lease_text_pairs("ADDRESS=300.1.1.1\n", &l) && !lease_text_pairs("ADDRESS=127.0.0.1\n", &l) && !lease_text_pairs("", &l));
}

TEST("dhclient's lease blocks are read, times of all three forms")
{
	read_dhclient("# a comment\nserver-duid \"\\000\\001{;\";\nlease {\n  interface \"v0\";\n  fixed-address 192.0.2.55;\n  filename \"a;b}c\\\"d\";\n"
	              "  option subnet-mask 255.255.255.0;\n  option routers 192.0.2.1,192.0.2.9;\n  option dhcp-lease-time 120;\n"
	              "  option domain-name-servers 192.0.2.1,192.0.2.2;\n  option dhcp-server-identifier 192.0.2.1;\n  option dhcp-renewal-time 60;\n"
	              "  option dhcp-rebinding-time 105;\n  option domain-name \"lease.test\";\n  renew 6 2026/11/21 18:12:28;\n"
	              "  expire 6 2026/11/21 18:13:37;\n}\nlease {\n interface \"v1\";\n fixed-address 192.0.2.56;\n expire epoch 1795284817; # Sat\n}\n"
	              "lease { interface \"v2\"; fixed-address 192.0.2.57; expire never; }\n");
	CHECK_INT(n, 3);
	CHECK_STR(seen[0].interface, "v0");
	CHECK(!seen[0].six && seen[0].v4.address == 0xc0000237 && seen[0].v4.prefix == 24 && seen[0].v4.n_routers == 2 && seen[0].v4.n_dns == 2);
	CHECK(seen[0].v4.secs == 120 && seen[0].v4.t1 == 60 && seen[0].v4.t2 == 105);
	CHECK_INT(seen[0].expires_unix, 1795284817);
	CHECK_INT(seen[0].obtained_unix, 1795284817 - 120);
	CHECK_INT(seen[1].expires_unix, 1795284817);
	CHECK_INT(seen[2].expires_unix, 0);
}

TEST("dhclient's lease6 blocks are read, addresses and prefixes; a released one has ended")
{
	read_dhclient("default-duid \"\\000\\001\";\nlease6 {\n  interface \"v0\";\n  ia-na 1b:97:3c:2b {\n    starts 1795284699;\n    renew 60;\n"
	              "    rebind 105;\n    iaaddr fd00:1::1be {\n      starts 1795284699;\n      preferred-life 100;\n      max-life 120;\n    }\n  }\n"
	              "  ia-pd 1b:97:3c:2b {\n    starts 1795284699;\n    iaprefix 2001:db8:100::/56 {\n      starts 1795284699;\n      preferred-life 3000;\n"
	              "      max-life 4000;\n    }\n  }\n  option dhcp6.server-id 0:1:0:1:32:94:9b:53;\n  option dhcp6.name-servers fd00:1::53,fd00:1::54;\n}\n"
	              "lease6 {\n interface \"v1\";\n released;\n ia-na 0:0:0:1 { iaaddr fd00::1 { max-life 10; } }\n}\n");
	CHECK_INT(n, 2);
	CHECK(seen[0].six && seen[0].v6.n_addresses == 1 && seen[0].v6.n_prefixes == 1 && seen[0].v6.iaid == 0x1b973c2b && seen[0].v6.n_dns == 2);
	CHECK(seen[0].v6.addresses[0].valid == 120 && seen[0].v6.addresses[0].preferred == 100 && seen[0].v6.prefixes[0].length == 56);
	CHECK(seen[0].v6.server.n == 8 && seen[0].v6.server.v[7] == 0x53 && seen[0].v6.secs == 4000);
	CHECK_INT(seen[0].expires_unix, 1795284699 + 4000);
	CHECK_INT(seen[1].expires_unix, 1);
}

TEST("a block without an interface or an address, or without its end, is none")
{
	read_dhclient("lease { fixed-address 192.0.2.1; }\nlease { interface \"v0\"; }\nlease { interface \"v0\"; fixed-address 192.0.2.1;");
	CHECK_INT(n, 0);
	read_dhclient("{{{{{{{{{{{{ lease { interface \"v0\"; fixed-address 192.0.2.1; } }}}}}}}}}}}}}}}}");
	CHECK_INT(n, 0);
}

int main(void)
{
	return test_main();
}
