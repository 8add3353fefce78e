#!/usr/bin/python3
"""Open vSwitch's datapath in the kernel, which prints other lines than the one in user space.  Skipped where the kernel has none; helper-debian.py runs it on
Debian's.  LIMIT: 240"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import time

import e2e
import ovs
from e2e import Skipped, call, equal, test, until, want

e2e.enter()
DATAPATH = "system@ovs-system"
there = subprocess.run(["modprobe", "openvswitch"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def needed():
    if not there:
        raise Skipped("this kernel has no openvswitch module")


def still(theirs, ours):
    for _ in range(30):
        before, found, after = theirs(), ours(), theirs()
        if before == after:
            equal(found, before, "what the method says")
            return found
        time.sleep(0.3)
    raise e2e.Failed("ovs-appctl never says the same twice")


@test("a bridge of the kernel's datapath, its ports, counters and flows are listed as dpctl has them")
def _():
    needed()
    ovs.start()
    ovs.vsctl("add-br", "br0")
    ovs.run("ovs-ofctl", "add-flow", "br0", "priority=9,ip,actions=ct(commit,zone=7),NORMAL")
    global a, b
    a, b = ovs.Host("a", "br0", "10.61.0.1/24"), ovs.Host("b", "br0", "10.61.0.2/24")
    until(lambda: a.reaches(b), 60)
    equal([x["datapath_type"] for x in call("net.ovs")["bridges"]], ["system"], "the type")
    found = still(ovs.datapaths, lambda: call("net.datapath")["datapaths"])
    equal([d["name"] for d in found], [DATAPATH], "the names")
    types = {p["name"]: p.get("type") for p in found[0]["ports"]}
    equal((types["ovs-system"], types["br0"], types["oa"]), ("internal", "internal", None), "the types of ports")
    flows = still(ovs.datapath_flows, lambda: {f["match"]: (f["packets"], f["bytes"], f["actions"]) for f in call("net.datapath", name=DATAPATH)["flows"]})
    want(flows, "there is no flow")


@test("what the kernel's datapath tracks is listed, counted and flushed by zone")
def _():
    needed()
    ovs.sent(a, b, range(4000, 4020), lambda: ovs.udp_ports("zone=7", datapath=DATAPATH))

    def ours():
        found = call("net.ovs.conntrack", zone=7)["entries"]
        return sorted(({k: e[k] for k in ("datapath", "proto", "zone", "mark", "orig", "reply", "labels", "state") if k in e} for e in found), key=repr)
    found = still(lambda: ovs.connections("zone=7", datapath=DATAPATH), ours)
    equal(sum(e["proto"] == "udp" for e in found), 20, "the connections")
    stats = call("net.ovs.conntrack.stats")
    want(stats["count"] >= 20 and stats["datapaths"][0]["datapath"] == DATAPATH, "the statistics are %r" % stats)
    equal(call("net.ovs.conntrack.flush", zone=9), {"changed": False, "flushed": 0}, "the flush of another zone")
    want(call("net.ovs.conntrack.flush", zone=7)["flushed"] >= 20, "the flush")
    equal([e for e in ovs.connections("zone=7", datapath=DATAPATH) if e["proto"] == "udp"], [], "what is left")


@test("patch ports join bridges of the kernel's datapath")
def _():
    needed()
    ovs.vsctl("add-br", "br1")
    c = ovs.Host("c", "br1", "10.61.0.3/24")
    want(not a.reaches(c), "it is reached before they are connected")
    call("net.bridge.connect", a="br0", b="br1", kind="patch")
    until(lambda: a.reaches(c), 60)
    ovs.stop_all()


e2e.main()
