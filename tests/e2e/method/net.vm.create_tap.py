#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()


@test("net.vm.create_tap makes a persistent tap with the owner, MAC, MTU and bridge asked for; again is no change")
def _():
    call("net.bridge.add", name="pt-br0")
    asked = dict(name="pt-t0", bridge="pt-br0", mac="02:00:00:00:00:aa", mtu=1400, owner_uid=ground.VM_UIDS[0] + 7)
    equal(dry("net.vm.create_tap", **asked)["changed"], True, "changed of the dry run")
    result = call("net.vm.create_tap", **asked)
    tap = result["tap"]
    equal((result["changed"], tap["name"], tap["bridge"], tap["mac"], tap["mtu"], tap["owner_uid"], tap["present"]),
          (True, "pt-t0", "pt-br0", "02:00:00:00:00:aa", 1400, ground.VM_UIDS[0] + 7, True), "the answer")
    link = e2e.links()["pt-t0"]
    equal((link["address"], link["mtu"], link["master"]), ("02:00:00:00:00:aa", 1400, "pt-br0"), "the link")
    info = link["linkinfo"]["info_data"]
    equal((info["type"], info["persist"], int(info["user"])), ("tap", True, ground.VM_UIDS[0] + 7), "the tap")
    equal(call("net.vm.create_tap", **asked)["changed"], False, "changed the second time")


@test("net.vm.create_tap under a name that another's link has, or for a bridge that isn't there, is refused, in a dry run too")
def _():
    ground.run("ip", "tuntap", "add", "pt-foreign", "mode", "tap")
    for run in (False, True):
        fails("net.vm.create_tap", -32000, "denied_by_policy", name="pt-foreign", dry_run=run)
        fails("net.vm.create_tap", -32000, "not_found", bridge="pt-br-none", dry_run=run)
    ground.run("ip", "link", "del", "pt-foreign")


@test("net.vm.create_tap without a name takes one from the pool, and with count that many")
def _():
    one = call("net.vm.create_tap")["tap"]["name"]
    want(one.startswith("pt-") and one in e2e.links(), "its name is %s" % one)
    several = [t["name"] for t in call("net.vm.create_tap", count=10)["taps"]]
    equal(len(set(several)), 10, "different names")
    want(one not in several and set(several) < set(e2e.links()), "the names are %r" % several)
    equal(call("net.vm.delete_tap", names=several + [one])["removed"], 11, "removed")


@test("net.vm.create_tap refuses foreign names, foreign uids, foreign bridges and contradictions")
def _():
    before = e2e.shown()
    fails("net.vm.create_tap", -32000, "denied_by_policy", name="tap0")
    fails("net.vm.create_tap", -32000, "denied_by_policy", name="pt-x", owner_uid=1000)
    fails("net.vm.create_tap", -32000, ("denied_by_policy", "not_found"), name="pt-x", bridge="docker0")
    for bad in (dict(name="pt-x", count=2), dict(count=0), dict(count=2, mac="02:00:00:00:00:01"), dict(name="pt-x", owner_uid=-1), dict(name="pt-x", mtu=5)):
        fails("net.vm.create_tap", -32602, **bad)
    equal(e2e.shown(), before, "the state")
    call("net.vm.delete_tap", name="pt-t0")
    call("net.bridge.delete", name="pt-br0")


e2e.main()
