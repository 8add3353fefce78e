#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import call, dry, equal, fails, test, want

e2e.enter()


@test("net.bridge.remove_port takes a port from its bridge, once, and from no other")
def _():
    call("net.bridge.add", name="pt-br0")
    call("net.bridge.add", name="pt-br1")
    call("net.vm.create_tap", name="pt-t0", bridge="pt-br0")
    equal(call("net.bridge.remove_port", bridge="pt-br1", port="pt-t0")["removed"], False, "removed from another bridge")
    equal(e2e.links()["pt-t0"]["master"], "pt-br0", "its bridge")
    dry("net.bridge.remove_port", bridge="pt-br0", port="pt-t0")
    equal(call("net.bridge.remove_port", bridge="pt-br0", port="pt-t0")["removed"], True, "removed")
    want("master" not in e2e.links()["pt-t0"], "it is still a port")
    result = call("net.bridge.remove_port", bridge="pt-br0", port="pt-t0")
    equal((result["removed"], result["changed"]), (False, False), "the second time")
    call("net.vm.delete_tap", name="pt-t0")
    for name in ("pt-br0", "pt-br1"):
        call("net.bridge.delete", name=name)


e2e.main()
