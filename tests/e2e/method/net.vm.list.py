#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, test, want

e2e.enter()


@test("net.vm.list lists the managed taps, sorted, with what is true of them now, and one that somebody deleted as absent")
def _():
    equal(call("net.vm.list")["taps"], [], "the taps at the start")
    call("net.vm.create_tap", name="pt-b")
    call("net.vm.create_tap", name="pt-a")
    ground.run("ip", "tuntap", "add", "pt-foreign", "mode", "tap")
    taps = call("net.vm.list")["taps"]
    equal([(t["name"], t["present"]) for t in taps], [("pt-a", True), ("pt-b", True)], "the taps")
    want(all(abs(t["created_unix"] - __import__("time").time()) < 60 for t in taps), "when they were made: %r" % taps)
    for t in taps:
        link = e2e.links()[t["name"]]
        equal((t["mac"], t["mtu"], t["owner_uid"]), (link["address"], link["mtu"], ground.DAEMON), "MAC, MTU and owner of " + t["name"])
    ground.run("ip", "link", "del", "pt-foreign")
    ground.run("ip", "link", "del", "pt-a")
    absent = [t["name"] for t in call("net.vm.list")["taps"] if not t["present"]]
    want(absent in (["pt-a"], []), "absent: %r" % absent)
    call("net.vm.delete_tap", names=["pt-a", "pt-b"])
    equal(call("net.vm.list")["taps"], [], "the taps at the end")


e2e.main()
