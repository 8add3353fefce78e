#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""net.prefix, and the life of DHCPv6 leases of postern's own, with Kea as the server.  LIMIT: 200"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import leasekit
from e2e import call, equal, fails, invalid, test, want
from leasekit import LINK

e2e.enter()


def held():
    got = leasekit.lease()
    return got if got.get("dhcp6", {}).get("state") == "bound" and "prefix_delegation" in got else None


@test("net.prefix says that there is none, and refuses a malformed interface")
def _():
    want("prefix_delegation" in fails("net.prefix", -32000, "not_found").data["hint"], "the hint")
    invalid("net.prefix", "interface", interface="a/b")


@test("a prefix that dhclient was given is told from its file")
def _():
    leasekit.prefix_of_dhclient()
    p = call("net.prefix")
    want(abs(p.pop("obtained_unix") - time.time()) < 60, p)
    equal(p, {"prefix": "2001:db8:700::", "length": 56, "iaid": 7, "server": "000100013294" "9b53de79856c1568", "valid_secs": 3600, "preferred_secs": 1800,
              "interface": ground.UPLINK, "manager": "dhclient"}, "the answer")
    os.unlink("/var/lib/dhcp/dhclient6.leases")


@test("a prefix and an address are leased from Kea; net.prefix, net.lease and ip agree")
def _():
    leasekit.make_link()
    ground.run("ip", "link", "set", LINK, "up")  # Kea looks for it once, when it starts
    with leasekit.kea() as server:
        leasekit.configure("dhcp4 = false\nprefix_delegation = true\n")
        try:
            got = e2e.until(held, 60, 0.1)
        except e2e.Failed:
            raise e2e.Failed("no lease: %r\n%s" % (leasekit.lease(), server.said()[-2000:]))
        p, six = call("net.prefix"), got["dhcp6"]
        want(p["prefix"].startswith("2001:db8:1") and p["length"] == 56, p)
        equal((p["interface"], p["manager"], p["valid_secs"], p["preferred_secs"]), (LINK, "postern", 40, 30), "the prefix")
        want(abs(p["obtained_unix"] - time.time()) < 60 and p["server"] == six["server"] and p["iaid"] == six["iaid"] and len(p["server"]) >= 12, (p, six))
        equal({k: v for k, v in got["prefix_delegation"].items() if k != "obtained_unix"}, {k: v for k, v in p.items() if k != "obtained_unix"}, "net.lease's")
        equal((six["interface"], six["manager"], six["t1"], six["t2"], six["dns"], six["domain"]), (LINK, "postern", 5, 20, ["fd00:1::53"], "six.test"), "the lease")
        equal([(a["valid_secs"], a["preferred_secs"]) for a in six["addresses"]], [(40, 30)], "times of the address")
        shown = e2e.until(lambda: leasekit.addresses("-6").get(six["addresses"][0]["address"]), 10)
        want(shown["prefixlen"] == 128 and 0 < shown["valid_life_time"] <= 40, shown)
        equal(call("net.prefix", interface=LINK)["prefix"], p["prefix"], "by its interface")
        fails("net.prefix", -32000, "not_found", interface="up0")


@test("it is renewed at T1, and kept over a restart of worker and helper")
def _():
    with leasekit.kea():
        first = e2e.until(held, 60, 0.1)
        later = e2e.until(lambda: (held() or first)["prefix_delegation"]["obtained_unix"] > first["prefix_delegation"]["obtained_unix"] and held(), 40, 0.2)
        equal(later["prefix_delegation"]["prefix"], first["prefix_delegation"]["prefix"], "the renewed prefix")
        leasekit.again()
        equal(leasekit.lease()["prefix_delegation"]["prefix"], first["prefix_delegation"]["prefix"], "the prefix right after a restart")
        equal(e2e.until(held, 40, 0.1)["prefix_delegation"]["prefix"], first["prefix_delegation"]["prefix"], "the prefix once confirmed")
        result = call("net.lease.restart")
        equal((result["changed"], "lease" in result, result["dhcp6"]["state"]), (True, False, "bound"), "net.lease.restart without DHCPv4")


@test("without its server the lease ends, and the address goes")
def _():
    address = e2e.until(held, 60, 0.1)["dhcp6"]["addresses"][0]["address"]
    e2e.until(lambda: "prefix_delegation" not in leasekit.lease() and address not in leasekit.addresses("-6"), 70, 0.2)
    fails("net.prefix", -32000, "not_found")


e2e.main()
