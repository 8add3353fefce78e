#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()


@test("net.bridge.add makes a bridge with the MAC, MTU, address and spanning tree asked for, brings it up and shows it")
def _():
    result = call("net.bridge.add", name="pt-br0", mac="02:11:22:33:44:55", address="10.71.0.1/24", mtu=1400, stp=True)
    bridge = result["bridge"]
    equal((result["changed"], bridge["name"], bridge["mac"], bridge["mtu"], bridge["up"], bridge["stp"], bridge["managed"]),
          (True, "pt-br0", "02:11:22:33:44:55", 1400, True, True, True), "the answer")
    link = e2e.links()["pt-br0"]
    equal((link["address"], link["mtu"], link["linkinfo"]["info_data"]["stp_state"]), ("02:11:22:33:44:55", 1400, 1), "the link")
    want("UP" in link["flags"], "it isn't up")
    want("10.71.0.1/24" in ground.run("ip", "address", "show", "dev", "pt-br0"), "the address isn't there")


@test("net.bridge.add of the same bridge again changes nothing; with other settings it is refused")
def _():
    equal(call("net.bridge.add", name="pt-br0", mac="02:11:22:33:44:55", address="10.71.0.1/24", mtu=1400, stp=True)["changed"], False, "changed")
    fails("net.bridge.add", -32000, ("already_exists", "invalid_state"), name="pt-br0", mac="02:11:22:33:44:66")


@test("net.bridge.add with dry_run says that it would change, and changes nothing")
def _():
    equal(dry("net.bridge.add", name="pt-br1", address="10.72.0.1/24")["changed"], True, "changed")
    equal(dry("net.bridge.add", name="pt-br0", mac="02:11:22:33:44:55", address="10.71.0.1/24", mtu=1400, stp=True)["changed"], False, "changed")


@test("net.bridge.add of a name that another's link has is refused, in a dry run too")
def _():
    ground.run("ip", "link", "add", "pt-br9", "type", "bridge")
    for run in (False, True):
        fails("net.bridge.add", -32000, "already_exists", name="pt-br9", dry_run=run)
    ground.run("ip", "link", "del", "pt-br9")


@test("net.bridge.add outside the policy is denied by policy, and nothing is made")
def _():
    before = e2e.shown()
    for name in ("br0", "pt-other", "docker0"):
        fails("net.bridge.add", -32000, "denied_by_policy", name=name)
    equal(e2e.shown(), before, "the state")


@test("net.bridge.add names the parameter that is wrong")
def _():
    for named, bad in (("name", "pt-br-much-too-long"), ("name", "a/b"), ("name", ""), ("name", 5), ("mac", "nonsense"), ("mac", "01:00:00:00:00:01"), ("address", "10.0.0.1"), ("address", "10.0.0.1/33"), ("mtu", 67), ("mtu", 65536), ("mtu", "1500"), ("stp", "yes")):
        invalid("net.bridge.add", named, **dict({"name": "pt-brx"}, **{named: bad}))
    invalid("net.bridge.add", "name")


@test("net.bridge.add, net.bridge.delete and net.bridge.add again work in a row")
def _():
    for _ in range(5):
        equal(call("net.bridge.delete", name="pt-br0")["removed"], True, "removed")
        equal(call("net.bridge.add", name="pt-br0")["changed"], True, "changed")
    call("net.bridge.delete", name="pt-br0")


e2e.main()
