#!/usr/bin/python3
"""net.ovs.conntrack.stats beside `ovs-appctl dpctl/ct-stats-show`, `ct-get-maxconns` and `ct-get-limits`.  LIMIT: 180"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import re

import e2e
import ovs
from e2e import call, equal, fails, test, until, want

e2e.enter()
DATAPATH = "netdev@ovs-netdev"


def theirs():
    text = ovs.appctl("dpctl/ct-stats-show", DATAPATH)
    limits = ovs.appctl("dpctl/ct-get-limits", DATAPATH)
    return {"datapath": DATAPATH, "count": int(re.search(r"Total: (\d+)", text).group(1)), "max": int(ovs.appctl("dpctl/ct-get-maxconns", DATAPATH)),
            "protocols": [{"proto": p, "count": int(n)} for p, n in re.findall(r"(?m)^  (\w+): (\d+)$", text)],
            "zone_limit": int(re.search(r"default limit=(\d+)", limits).group(1)),
            "zones": [dict(zip(("zone", "limit", "count"), map(int, z))) for z in re.findall(r"zone=(\d+),limit=(\d+),count=(\d+)", limits)]}


def agrees():
    for _ in range(30):
        before, found = theirs(), call("net.ovs.conntrack.stats")
        if before == theirs():
            equal(found, {"count": before["count"], "datapaths": [before]}, "the answer")
            return before
    raise e2e.Failed("ovs-appctl never says the same twice")


@test("net.ovs.conntrack.stats says unsupported, with a hint, where Open vSwitch doesn't run")
def _():
    e = fails("net.ovs.conntrack.stats", -32000, "unsupported")
    want("Install Open vSwitch" in e.data.get("hint", ""), "the hint is %r" % e.data)


@test("net.ovs.conntrack.stats counts what each datapath tracks, by protocol, and says how many it may, as dpctl does")
def _():
    ovs.start()
    equal(call("net.ovs.conntrack.stats"), {"count": 0, "datapaths": []}, "the answer before there is a datapath")
    ovs.bridge("br0")
    equal(agrees()["count"], 0, "the count")
    ovs.run("ovs-ofctl", "add-flow", "br0", "priority=9,ip,actions=ct(commit,zone=7),NORMAL")
    a, b = ovs.Host("a", "br0", "10.58.0.1/24"), ovs.Host("b", "br0", "10.58.0.2/24")
    until(lambda: a.reaches(b), 30)
    ovs.sent(a, b, range(4000, 4100), ovs.udp_ports)
    found = agrees()
    want({p["proto"] for p in found["protocols"]} >= {"UDP", "ICMP"}, "the protocols are %r" % found)
    equal(sum(p["count"] for p in found["protocols"]), found["count"], "the sum")


@test("net.ovs.conntrack.stats shows limits of zones")
def _():
    ovs.appctl("dpctl/ct-set-maxconns", DATAPATH, "123456")
    ovs.appctl("dpctl/ct-set-limits", DATAPATH, "default=500", "zone=7,limit=1000", "zone=9,limit=3")
    found = agrees()
    equal((found["max"], found["zone_limit"], [z["zone"] for z in found["zones"]]), (123456, 500, [7, 9]), "the limits")


@test("net.ovs.conntrack.stats needs its own word in the policy")
def _():
    with ovs.policy("database"):
        fails("net.ovs.conntrack.stats", -32000, "denied_by_policy")
    ovs.stop_all()


e2e.main()
