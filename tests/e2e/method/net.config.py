#!/usr/bin/python3
"""net.config with this kernel's command line, and with others laid over it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, test

CMDLINE = "/proc/cmdline"
STATIC = "quiet ip=192.0.2.7::192.0.2.1:255.255.255.0:host:eth0:off:192.0.2.53 ip=[2001:db8::7]::[2001:db8::1]:64::eth0:none vlan=v7:eth0 nameserver=[2001:db8::53]"

e2e.enter()


class Booted:
    """Another command line, for a with block."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        ground.write(ground.HOME + "/cmdline", self.text + "\n")
        ground.mount(ground.HOME + "/cmdline", CMDLINE, None, ground.MS_BIND)

    def __exit__(self, *_):
        ground.run("umount", CMDLINE)


@test("net.config says the kernel's command line as it is")
def _():
    with open(CMDLINE) as f:
        equal(call("net.config")["cmdline"], f.read().rstrip("\n"), "the command line")


@test("net.config says what the command line gives the network: addresses, routers, VLAN links and name servers")
def _():
    with Booted(STATIC):
        c = call("net.config")
    equal((c["cmdline"], c["mode"]), (STATIC, "static"), "command line and mode")
    equal(c["ip4"], {"address": "192.0.2.7", "prefix": 24, "gateway": "192.0.2.1", "device": "eth0"}, "ip4")
    equal(c["ip6"], {"address": "2001:db8::7", "prefix": 64, "gateway": "2001:db8::1", "device": "eth0"}, "ip6")
    equal((c["vlan"], c["dns"]), (["v7:eth0"], ["192.0.2.53", "2001:db8::53"]), "VLAN links and name servers")


@test("net.config tells a host that asks by DHCP, one without a network, and one whose own tools see to it")
def _():
    for line, mode in (("ip=dhcp quiet", "dhcp"), ("ip=eth0:dhcp", "dhcp"), ("ip=off", "off"), ("quiet", "host"), ("", "host")):
        with Booted(line):
            c = call("net.config")
        equal((c["cmdline"], c["mode"]), (line, mode), "command line and mode")
        equal([k for k in ("ip4", "ip6", "vlan") if k in c], [], "what isn't given")


@test("net.config says what postern puts back at each start")
def _():
    call("net.bridge.add", name="pt-br0", address="10.70.0.1/24")
    snat = call("net.nat.add_snat", source="10.70.0.0/24")["id"]
    c = call("net.config")
    equal((c["bridges"], [n["id"] for n in c["nat"]]), (["pt-br0"], [snat]), "bridges and translations")
    equal(c["nat"], call("net.nat.status")["snat"], "the translations")
    equal((c["bridge"], c["firewall"], c["interface_prefix"]), ("linux", "inet postern", "pt-"), "bridges' kind, table and prefix")
    ground.run("nft", "list", "table", *c["firewall"].split())
    call("net.nat.remove_snat", id=snat)
    call("net.bridge.delete", name="pt-br0")
    c = call("net.config")
    equal((c["bridges"], c["nat"]), ([], []), "bridges and translations at the end")


e2e.main()
