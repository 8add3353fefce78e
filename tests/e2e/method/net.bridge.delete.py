#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, dry, equal, fails, test, want

e2e.enter()


@test("net.bridge.delete removes a bridge of ours, and says false for one that isn't there")
def _():
    call("net.bridge.add", name="pt-br0")
    dry("net.bridge.delete", name="pt-br0")
    equal(call("net.bridge.delete", name="pt-br0")["removed"], True, "removed")
    want("pt-br0" not in e2e.links(), "it is still there")
    result = call("net.bridge.delete", name="pt-br0")
    equal((result["removed"], result["changed"]), (False, False), "the second time")


@test("net.bridge.delete of a bridge with ports is refused without force, and works with it")
def _():
    call("net.bridge.add", name="pt-br0")
    call("net.vm.create_tap", name="pt-t0", bridge="pt-br0")
    fails("net.bridge.delete", -32000, ("busy", "invalid_state"), name="pt-br0")
    want("pt-br0" in e2e.links(), "it is gone")
    equal(call("net.bridge.delete", name="pt-br0", force=True)["removed"], True, "removed")
    want("pt-t0" in e2e.links(), "its port went with it")
    call("net.vm.delete_tap", name="pt-t0")


@test("net.bridge.delete of a bridge that postern didn't make stays")
def _():
    for name in ("foreign0", "pt-br-foreign"):
        ground.run("ip", "link", "add", name, "type", "bridge")
        try:
            equal(call("net.bridge.delete", name=name, force=True)["removed"], False, "removed")
        except e2e.Error as e:
            want(e.data.get("kind") in ("denied_by_policy", "not_found", "invalid_state"), str(e))
        want(name in e2e.links(), name + " is gone")
        ground.run("ip", "link", "del", name)


e2e.main()
