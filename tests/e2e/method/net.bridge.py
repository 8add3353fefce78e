#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, test, want

e2e.enter()


@test("net.bridge lists bridges with ports and addresses, ours and others', and says which are ours")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    call("net.bridge.add", name="pt-br0", address="10.70.0.1/24")
    call("net.vm.create_tap", name="pt-t0", bridge="pt-br0")
    bridges = {b["name"]: b for b in call("net.bridge")["bridges"]}
    equal(sorted(bridges), ["foreign0", "pt-br0"], "the bridges")
    equal((bridges["foreign0"]["managed"], bridges["pt-br0"]["managed"]), (False, True), "whose they are")
    equal([p["name"] for p in bridges["pt-br0"]["ports"]], ["pt-t0"], "the ports")
    want("10.70.0.1" in [a["address"] for a in bridges["pt-br0"]["addresses"]], "the address isn't there: %r" % bridges["pt-br0"])
    equal([b["name"] for b in call("net.bridge", name="pt-br0")["bridges"]], ["pt-br0"], "the one asked for")
    call("net.vm.delete_tap", name="pt-t0")
    call("net.bridge.delete", name="pt-br0")
    ground.run("ip", "link", "del", "foreign0")
    equal(call("net.bridge")["bridges"], [], "the bridges at the end")


e2e.main()
