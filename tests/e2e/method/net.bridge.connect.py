#!/usr/bin/python3
"""net.bridge.connect: a pair of ports between two bridges, that carries packets, comes back, and goes with either bridge."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import Error, Failed, call, dry, equal, fails, invalid, test, until, want

e2e.enter()
A, B, C = "pt-br0", "pt-br1", "pt-br2"


def bridges(*names, **more):
    for name in names or (A, B, C):
        call("net.bridge.add", name=name, **more)


def pairs():
    """{port: (bridge, other end)} of every veth of ours."""
    links = e2e.links()
    return {n: (l.get("master"), l.get("link")) for n, l in links.items() if l.get("linkinfo", {}).get("info_kind") == "veth" and n.startswith("pt-")}


def ports(bridge):
    return sorted(p["name"] for p in call("net.bridge", name=bridge)["bridges"][0]["ports"])


@test("net.bridge.connect makes a marked pair, each end up and a port of its bridge, and packets go through")
def _():
    bridges()
    call("net.bridge.delete", name=A)
    call("net.bridge.add", name=A, address="10.83.0.1/24")
    equal(dry("net.bridge.connect", a=A, b=B, name_a="pt-x0", name_b="pt-x1"), {"changed": True, "name_a": "pt-x0", "name_b": "pt-x1"}, "the dry run")
    equal(call("net.bridge.connect", a=A, b=B, name_a="pt-x0", name_b="pt-x1"), {"changed": True, "name_a": "pt-x0", "name_b": "pt-x1"}, "the answer")
    equal(pairs(), {"pt-x0": (A, "pt-x1"), "pt-x1": (B, "pt-x0")}, "the pair")
    for name in ("pt-x0", "pt-x1"):
        link = e2e.links()[name]
        want("UP" in link["flags"] and link["ifalias"].startswith("postern:veth"), "%s is %r" % (name, link))
    equal((ports(A), ports(B)), (["pt-x0"], ["pt-x1"]), "the ports")
    ground.run("ip", "netns", "add", "far")
    try:
        ground.run("ip", "link", "add", "far0", "type", "veth", "peer", "name", "eth0", "netns", "far")
        ground.run("ip", "link", "set", "far0", "master", B, "up")
        ground.run("ip", "-n", "far", "address", "add", "10.83.0.2/24", "dev", "eth0")
        ground.run("ip", "-n", "far", "link", "set", "eth0", "up")
        ground.run("ping", "-c", "1", "-w", "10", "10.83.0.2")
    finally:
        ground.run("ip", "netns", "del", "far")


@test("net.bridge.connect of connected bridges changes nothing, either way round, and makes again what somebody deleted")
def _():
    for a, b, names in ((A, B, ("pt-x0", "pt-x1")), (B, A, ("pt-x1", "pt-x0"))):
        for params in ({}, {"name_a": names[0]}, {"name_a": names[0], "name_b": names[1], "kind": "veth"}):
            equal(call("net.bridge.connect", a=a, b=b, **params), {"changed": False, "name_a": names[0], "name_b": names[1]}, "the answer")
    for spoil in (("link", "del", "pt-x0"), ("link", "set", "pt-x1", "nomaster")):
        ground.run("ip", *spoil)
        equal(dry("net.bridge.connect", a=A, b=B)["changed"], True, "the dry run")
        equal(call("net.bridge.connect", a=A, b=B), {"changed": True, "name_a": "pt-x0", "name_b": "pt-x1"}, "the answer")
        equal(pairs(), {"pt-x0": (A, "pt-x1"), "pt-x1": (B, "pt-x0")}, "the pair")


@test("net.bridge.connect refuses a second connection, a loop, names that are taken, bridges that aren't there, and what isn't the policy's")
def _():
    before = e2e.shown()
    fails("net.bridge.connect", -32000, "already_exists", a=A, b=B, name_a="pt-y0")
    fails("net.bridge.connect", -32000, "already_exists", a=A, b=C, name_a="pt-x0")
    fails("net.bridge.connect", -32000, "already_exists", a=A, b=C, name_b="up0")
    for a, b in ((A, "pt-br9"), ("pt-br9", A), (A, "up0"), (A, "pt-x0")):
        fails("net.bridge.connect", -32000, "not_found", a=a, b=b)
    fails("net.bridge.connect", -32000, "denied_by_policy", a=A, b=C, name_a="foreign0")
    try:
        call("net.bridge.connect", a=A, b=C, kind="patch")
        raise Failed("patch was taken")
    except Error as e:
        want(e.data["kind"] == "unsupported" and e.data.get("hint"), "it is %s" % e)
    equal(e2e.shown(), before, "the state")
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    fails("net.bridge.connect", -32000, "denied_by_policy", a=A, b="foreign0")
    equal({n for n in pairs()}, {"pt-x0", "pt-x1"}, "the pairs")
    ground.run("ip", "link", "del", "foreign0")
    chosen = call("net.bridge.connect", a=B, b=C)
    want(chosen["name_a"].startswith("pt-c") and chosen["name_b"].startswith("pt-c"), "the names are %r" % chosen)
    e = fails("net.bridge.connect", -32000, "invalid_state", a=A, b=C)
    want("loop" in e.data["detail"], str(e))


@test("net.bridge.connect names the parameter that is wrong")
def _():
    for named, bad in (("b", A), ("a", ""), ("b", "a/b"), ("name_a", "much-too-long-a-name"), ("name_b", "..")):
        invalid("net.bridge.connect", named, **dict({"a": A, "b": C}, **{named: bad}))
    invalid("net.bridge.connect", "name_b", a=A, b=C, name_a="pt-z", name_b="pt-z")
    invalid("net.bridge.connect", "b", a=A)
    equal(len(pairs()), 4, "the ends")


@test("connections come back when the daemon starts again, and one that nobody was told of goes")
def _():
    before = pairs()
    equal(len(before), 4, "the ends")
    ground.run("ip", "link", "del", "pt-x0")
    ground.run("ip", "link", "del", B)
    os.kill(e2e.daemon()[0], signal.SIGKILL)

    def back():
        try:
            e2e._client = None
            call("rpc.health")
            return pairs() == before
        except (OSError, ValueError, Failed):
            return False
    until(back, 15)


@test("a bridge that somebody deleted takes back its ports, taps and ends of connections, when it is made again")
def _():
    before = pairs()
    call("net.vm.create_tap", name="pt-t7", bridge=B)
    members = ports(B)
    equal(len(members), 3, "the ports")
    ground.run("ip", "link", "del", B)
    bridges(B)
    until(lambda: ports(B) == members and pairs() == before, 10)  # unless the guard was first
    call("net.vm.delete_tap", name="pt-t7")


@test("net.bridge.remove_port of either end takes the pair away; net.bridge.add_port of one elsewhere is refused")
def _():
    fails("net.bridge.add_port", -32000, "busy", bridge=C, port="pt-x0")
    equal(dry("net.bridge.remove_port", bridge=B, port="pt-x1"), {"removed": True, "changed": True}, "the dry run")
    equal(call("net.bridge.remove_port", bridge=B, port="pt-x1"), {"removed": True, "changed": True}, "the answer")
    want("pt-x0" not in pairs() and "pt-x1" not in pairs(), "they are still there: %r" % pairs())
    equal(call("net.bridge.connect", a=A, b=B)["changed"], True, "connected again")


@test("net.bridge.delete of either bridge takes the pair along")
def _():
    fails("net.bridge.delete", -32000, "busy", name=B)
    equal(len(pairs()), 4, "the ends")
    equal(call("net.bridge.delete", name=B, force=True)["removed"], True, "removed")
    equal(pairs(), {}, "the pairs")
    bridges(B)
    equal(ports(B), [], "the ports of the new one")
    for name in (A, B, C):
        call("net.bridge.delete", name=name)


@test("bridges that run spanning tree may be connected in a circle")
def _():
    bridges(stp=True)
    for a, b in ((A, B), (B, C), (C, A)):
        equal(call("net.bridge.connect", a=a, b=b)["changed"], True, "connecting %s and %s" % (a, b))
    for name in (A, B, C):
        call("net.bridge.delete", name=name, force=True)
    equal(pairs(), {}, "the pairs")


e2e.main()
