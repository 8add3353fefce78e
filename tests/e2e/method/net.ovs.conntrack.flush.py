#!/usr/bin/python3
"""net.ovs.conntrack.flush: what Open vSwitch tracks is forgotten, one zone of it or all.  LIMIT: 180"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ovs
from e2e import call, equal, fails, invalid, test, until, want

e2e.enter()


def zones():
    """{zone: connections} as dpctl/dump-conntrack has them, without ICMP's, which come and go."""
    found = {}
    for line in ovs.appctl("dpctl/dump-conntrack").splitlines():
        if line.startswith("udp"):
            zone = int(line.partition("zone=")[2].partition(",")[0])
            found[zone] = found.get(zone, 0) + 1
    return found


def track():
    """Fifty connections in each of two zones."""
    ovs.sent(a, b, list(range(5000, 5050)) + list(range(6000, 6050)), ovs.udp_ports)
    equal(zones(), {5: 50, 6: 50}, "what is tracked")


@test("net.ovs.conntrack.flush says unsupported, with a hint, where Open vSwitch doesn't run")
def _():
    e = fails("net.ovs.conntrack.flush", -32000, "unsupported")
    want("Install Open vSwitch" in e.data.get("hint", ""), "the hint is %r" % e.data)


@test("net.ovs.conntrack.flush forgets one zone, says how many there were, and leaves the others")
def _():
    ovs.start()
    equal(call("net.ovs.conntrack.flush"), {"changed": False, "flushed": 0}, "the answer before there is a datapath")
    ovs.bridge("br0")
    ovs.run("ovs-ofctl", "add-flow", "br0", "priority=8,udp,actions=ct(commit,zone=6),NORMAL")
    for port in range(5000, 5050):
        ovs.run("ovs-ofctl", "add-flow", "br0", "priority=9,udp,tp_src=%d,actions=ct(commit,zone=5),NORMAL" % port)
    global a, b
    a, b = ovs.Host("a", "br0", "10.59.0.1/24"), ovs.Host("b", "br0", "10.59.0.2/24")
    until(lambda: a.reaches(b), 30)
    track()
    equal(call("net.ovs.conntrack.flush", zone=5), {"changed": True, "flushed": 50}, "the answer")
    equal(zones(), {6: 50}, "what is left")
    equal(call("net.ovs.conntrack.flush", zone=5), {"changed": False, "flushed": 0}, "the second time")


@test("net.ovs.conntrack.flush counts in a dry run, and forgets nothing")
def _():
    before = zones()
    equal(call("net.ovs.conntrack.flush", zone=6, dry_run=True), {"changed": True, "flushed": 50}, "the dry run")
    equal(call("net.ovs.conntrack.flush", zone=77, dry_run=True), {"changed": False, "flushed": 0}, "a dry run of an empty zone")
    equal(zones(), before, "what is tracked")


@test("net.ovs.conntrack.flush forgets everything where no zone is named, and what comes afterwards is tracked again")
def _():
    track()
    result = call("net.ovs.conntrack.flush")
    want(result["changed"] and result["flushed"] >= 100, "the answer is %r" % result)
    equal(zones(), {}, "what is left")
    track()


@test("net.ovs.conntrack.flush refuses what is no zone, and needs its own word in the policy")
def _():
    for bad in (-1, 65536, "all"):
        invalid("net.ovs.conntrack.flush", "zone", zone=bad)
    with ovs.policy("database"):
        fails("net.ovs.conntrack.flush", -32000, "denied_by_policy")
    equal(sum(zones().values()), 100, "what is tracked")
    ovs.stop_all()


e2e.main()
