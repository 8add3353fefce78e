#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""net.flows beside `ovs-ofctl dump-flows` and `ovs-appctl bridge/dump-flows`, field by field.  LIMIT: 240"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import re

import e2e
import ground
import ovs
from e2e import call, equal, fails, invalid, test, want

e2e.enter()
MEMBERS = ("table", "priority", "packets", "bytes", "match", "actions")


def theirs(bridge):
    """[{table, priority, packets, bytes, match, actions}] as ovs-ofctl has them, in our order."""
    found = []
    for line in ovs.run("ovs-ofctl", "-O", "OpenFlow14", "dump-flows", bridge).splitlines():
        m = re.match(r" (.*?n_bytes=\d+), (?:send_flow_rem |reset_counts )?(?:idle_age=\d+, )?(.*?)\s*actions=(.*)$", line)
        if not m:
            continue
        stats = dict(part.split("=") for part in m.group(1).split(", "))
        priority, match = re.fullmatch(r"(?:priority=(\d+),?)?(.*?)", m.group(2).strip()).groups()
        found.append({"table": int(stats["table"]), "priority": int(priority or 32768), "packets": int(stats["n_packets"]), "bytes": int(stats["n_bytes"]),
                      "match": match, "actions": m.group(3)})
    return sorted(found, key=order)


def order(flow):
    return (flow["table"], -flow["priority"], flow["match"])


def ours(**params):
    return [f for f in call("net.flows", **params)["flows"] if not f["hidden"]]


def flow(bridge, text):
    ovs.run("ovs-ofctl", "-O", "OpenFlow14", "add-flow", bridge, text)


@test("net.flows says unsupported, with a hint, where Open vSwitch doesn't run")
def _():
    e = fails("net.flows", -32000, "unsupported")
    want("Install Open vSwitch" in e.data.get("hint", ""), "the hint is %r" % e.data)


@test("net.flows lists the flows of every bridge as ovs-ofctl does, with what each matches and does")
def _():
    ovs.start()
    equal(call("net.flows"), {"flows": []}, "the answer where there is no bridge")
    ovs.bridge("br0")
    ovs.bridge("br1")
    for text in ("table=1,priority=100,cookie=0x42,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=ct(commit,zone=5,nat(src=1.2.3.4)),output:1", "priority=5,ip,actions=ct(commit,zone=7),NORMAL",
                 "table=3,actions=drop", "table=3,arp,actions=resubmit(,4)", "table=4,priority=0,actions=controller(max_len=64)", "table=5,priority=65535,ipv6,actions=load:0x5->NXM_NX_REG0[],note:aa.bb",
                 "table=6,dl_vlan=7,actions=strip_vlan,learn(table=7,hard_timeout=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])", "table=200,priority=1,udp,actions=set_field:1->metadata"):
        flow("br0", text)
    for bridge in ("br0", "br1"):
        found = ours(bridge=bridge)
        equal(sorted(({m: f[m] for m in MEMBERS} for f in found), key=order), theirs(bridge), "the flows of " + bridge)
        equal({f["bridge"] for f in found}, {bridge}, "the bridges")
        want(all(0 <= f["duration_secs"] < 240 for f in found), "a duration isn't in seconds")
    equal([f["bridge"] for f in ours()], ["br0"] * len(theirs("br0")) + ["br1"], "the bridges, when none is named")


@test("net.flows counts packets as ovs-ofctl does")
def _():
    ground.run("ip", "link", "set", "br0", "up")
    ground.run("ip", "address", "add", "10.55.0.1/24", "dev", "br0")
    for _ in range(3):
        ovs.run("ovs-ofctl", "packet-out", "br0", "in_port=local,packet=ffffffffffff02000000000108004500001c00000000400100000a3700010a370002080000000000ffff,actions=resubmit(,0)")
    found = lambda: {f["match"]: (f["packets"], f["bytes"]) for f in ours(bridge="br0", table=0)}
    e2e.until(lambda: found()["ip"][0] >= 3, 20)
    e2e.until(lambda: found() == {f["match"]: (f["packets"], f["bytes"]) for f in theirs("br0") if f["table"] == 0}, 20)


@test("net.flows shows Open vSwitch's own flows, marked, which ovs-ofctl doesn't")
def _():
    found = call("net.flows", bridge="br0")["flows"]
    lines = ovs.appctl("bridge/dump-flows", "br0").splitlines()
    equal(len(found), len(lines), "the number of flows")
    hidden = [f for f in found if f["hidden"]]
    want(hidden and all(f["table"] == 254 or f["priority"] > 65535 for f in hidden), "the hidden ones are %r" % hidden)


@test("net.flows lists one table where one is named, by falling priority")
def _():
    for i in range(5):
        flow("br1", "table=9,priority=%d,tcp,tp_dst=%d,actions=drop" % (100 + i, i + 1))
    equal([f["priority"] for f in call("net.flows", bridge="br1", table=9)["flows"]], [104, 103, 102, 101, 100], "the priorities")
    equal({f["table"] for f in call("net.flows", table=9)["flows"]}, {9}, "the tables")
    equal(call("net.flows", bridge="br1", table=77), {"flows": []}, "an empty table")


@test("net.flows comes in pages, each flow once, over several bridges and 3000 flows")
def _():
    ground.write("/run/flows", "".join("table=10,priority=%d,tcp,nw_src=10.%d.%d.0/24,actions=drop\n" % (i % 7 + 1, i // 256, i % 256) for i in range(3000)))
    ovs.run("ovs-ofctl", "add-flows", "br0", "/run/flows")
    equal(len(call("net.flows", bridge="br0")["flows"]), 1000, "a page where nothing is said")
    for limit in (700, 1000, 10000):
        found, params = [], {"limit": limit}
        while True:
            page = call("net.flows", **params)
            want(len(page["flows"]) <= limit, "a page of %d" % len(page["flows"]))
            found += page["flows"]
            if "next_cursor" not in page:
                break
            params["cursor"] = page["next_cursor"]
        ids = [f["id"] for f in found]
        want(ids == sorted(set(ids)), "flows come twice or out of order")
        equal(len(ids), sum(len(ovs.appctl("bridge/dump-flows", b).splitlines()) for b in ("br0", "br1")), "the number of flows")
    ovs.run("ovs-ofctl", "del-flows", "br0", "table=10")


@test("net.flows says which bridge isn't there, and refuses names and tables that can't be")
def _():
    e = fails("net.flows", -32000, "not_found", bridge="nosuch")
    want("nosuch" in str(e), "it doesn't name the bridge: %s" % e)
    for bad in ("--help", "-m", "a b", "", "br0\n", "x" * 65):
        invalid("net.flows", "bridge", bridge=bad)
    for bad in (-1, 255):
        invalid("net.flows", "table", table=bad)


@test("net.flows serves many who ask at once, others too, and holds no connection afterwards")
def _():
    clients = [e2e.Client() for _ in range(12)]
    for c in clients:
        c.file.write(b'{"jsonrpc":"2.0","id":1,"method":"net.flows","params":{"bridge":"br0"}}\n')
        c.file.flush()
    call("rpc.health")
    answers = [c.file.readline() for c in clients]
    want(all(b'"flows":[' in a for a in answers), "the answers are %r" % answers)
    for c in clients:
        c.close()
    worker = e2e.daemon()[1]
    descriptors = lambda: len(os.listdir("/proc/%d/fd" % worker))
    call("net.flows", bridge="br1")
    before = descriptors()
    for _ in range(30):
        call("net.flows", bridge="br1")
    e2e.until(lambda: descriptors() <= before, 20)


@test("net.flows says timeout where the switch doesn't answer, and holds up nobody else; afterwards it works")
def _():
    ovs.stuck("ovs-vswitchd", "net.flows")
    want(ours(bridge="br1"), "no flow of br1")


@test("net.flows needs its own word in the policy")
def _():
    with ovs.policy("database"):
        e = fails("net.flows", -32000, "denied_by_policy")
        want("ovs switch" in e.data.get("hint", ""), "the hint is %r" % e.data)
    with ovs.policy(""):
        fails("net.flows", -32000, "denied_by_policy")
    call("net.flows")


@test("net.flows says unsupported again once the switch is gone, and works when another one is there")
def _():
    ovs.stop("ovs-vswitchd", 9)
    fails("net.flows", -32000, "unsupported")
    ovs.start_switch()
    want(ours(bridge="br1"), "no flow of br1")
    ovs.stop_all()
    fails("net.flows", -32000, "unsupported")


e2e.main()
