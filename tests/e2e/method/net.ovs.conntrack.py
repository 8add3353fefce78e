#!/usr/bin/python3
"""net.ovs.conntrack beside `ovs-appctl dpctl/dump-conntrack -s`, field by field.  LIMIT: 240"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ovs
from e2e import call, equal, fails, invalid, test, until, want

e2e.enter()


def ours(**params):
    found = call("net.ovs.conntrack", limit=10000, **params)["entries"]
    for e in found:
        want(0 <= e.pop("timeout") <= 86400 * 5, "a timeout isn't in seconds")
        e.pop("id")
    return sorted(({k: e[k] for k in e} for e in found), key=lambda e: repr({k: e[k] for k in ORDER if k in e}))


ORDER = ("datapath", "proto", "zone", "mark", "orig", "reply", "labels", "state")


def still(zone=()):
    for _ in range(30):
        before = ovs.connections(*zone)
        found = [{k: e[k] for k in ORDER if k in e} for e in ours(**({"zone": int(zone[0][5:])} if zone else {}))]
        if before == ovs.connections(*zone):
            equal(found, before, "the entries")
            return found
    raise e2e.Failed("ovs-appctl never says the same twice")


@test("net.ovs.conntrack says unsupported, with a hint, where Open vSwitch doesn't run")
def _():
    e = fails("net.ovs.conntrack", -32000, "unsupported")
    want("Install Open vSwitch" in e.data.get("hint", ""), "the hint is %r" % e.data)


@test("net.ovs.conntrack lists what is tracked as dpctl/dump-conntrack does: ICMP, UDP and TCP, IPv4 and IPv6, zones, marks and labels")
def _():
    ovs.start()
    equal(call("net.ovs.conntrack"), {"count": 0, "entries": []}, "the answer before there is a datapath")
    ovs.bridge("br0")
    for text in ("priority=9,icmp,actions=ct(commit,zone=7),NORMAL", "priority=9,udp,actions=ct(commit,zone=8,exec(load:0x5->NXM_NX_CT_MARK[],load:0x77->NXM_NX_CT_LABEL[])),NORMAL",
                 "priority=9,tcp,actions=ct(commit,zone=9),NORMAL", "priority=9,icmp6,icmp_type=128,actions=ct(commit),NORMAL"):
        ovs.run("ovs-ofctl", "add-flow", "br0", text)
    global a, b
    a, b = ovs.Host("a", "br0", "10.57.0.1/24"), ovs.Host("b", "br0", "10.57.0.2/24")
    six = []
    for host, address in ((a, "fd00:57::1"), (b, "fd00:57::2")):
        host.run("ip", "address", "add", address + "/64", "dev", "eth0", "nodad")
        six.append(address)
    until(lambda: a.reaches(b), 30)
    b.address = six[1]
    until(lambda: a.reaches(b), 30)
    b.address = "10.57.0.2"
    ovs.sent(a, b, (4000, 4001, 4002), ovs.udp_ports)
    a.run("python3", "-c", "import socket\ntry: socket.create_connection(('10.57.0.2', 81), 3)\nexcept OSError: pass")
    until(lambda: {"icmp", "icmpv6", "udp", "tcp"} <= {e["proto"] for e in ovs.connections()}, 30)
    found = still()
    udp = [e for e in found if e["proto"] == "udp"]
    equal({(e["zone"], e["mark"]) for e in udp}, {(8, 5)}, "zone and mark")
    want(all("labels" in e for e in udp), "no labels")
    equal(sorted(e["orig"]["sport"] for e in udp), [4000, 4001, 4002], "the ports")
    want(all(e["state"] for e in found if e["proto"] == "tcp"), "TCP has no state")
    equal([e["orig"]["icmp_type"] for e in found if e["proto"] == "icmp"][:1], [8], "ICMP's type")


@test("net.ovs.conntrack lists one zone where one is named, and refuses what is none")
def _():
    for zone in (7, 8, 9, 0):
        found = still(("zone=%d" % zone,))
        want(found and all(e["zone"] == zone for e in found), "zone %d: %r" % (zone, found))
    equal(call("net.ovs.conntrack", zone=4242), {"count": 0, "entries": []}, "an empty zone")
    for bad in (-1, 65536):
        invalid("net.ovs.conntrack", "zone", zone=bad)


@test("net.ovs.conntrack comes in pages, each connection once, each page with the count of all")
def _():
    ports = set(range(10000, 11100))
    ovs.sent(a, b, ports, lambda: ovs.udp_ports("zone=8"))
    keys, params = [], {"limit": 300, "zone": 8}
    while True:
        page = call("net.ovs.conntrack", **params)
        want(len(page["entries"]) <= 300 and page["count"] >= len(ports), "a page of %d, of %d" % (len(page["entries"]), page["count"]))
        keys += [(e["id"], e["orig"]["sport"]) for e in page["entries"]]
        if "next_cursor" not in page:
            break
        params["cursor"] = page["next_cursor"]
    want([k for k, _ in keys] == sorted({k for k, _ in keys}), "entries come twice or out of order")
    want(ports <= {p for _, p in keys}, "some don't come")
    equal(len(call("net.ovs.conntrack", zone=8)["entries"]), 1000, "a page where nothing is said")


@test("net.ovs.conntrack needs its own word in the policy")
def _():
    with ovs.policy("database"):
        fails("net.ovs.conntrack", -32000, "denied_by_policy")
    ovs.stop_all()


e2e.main()
