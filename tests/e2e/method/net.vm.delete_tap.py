#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, dry, equal, fails, test, want

e2e.enter()


@test("net.vm.delete_tap deletes one, or many in one request, and passes over what is gone")
def _():
    names = [t["name"] for t in call("net.vm.create_tap", count=20)["taps"]]
    dry("net.vm.delete_tap", names=names)
    equal(call("net.vm.delete_tap", name=names[0])["removed"], 1, "removed")
    equal(call("net.vm.delete_tap", names=names)["removed"], 19, "removed of the rest")
    want(not set(names) & set(e2e.links()), "some are still there")
    result = call("net.vm.delete_tap", names=names)
    equal((result["removed"], result["changed"]), (0, False), "the second time")
    equal(call("net.vm.list")["taps"], [], "the managed taps")


@test("net.vm.delete_tap leaves alone what postern didn't make, and spares all when one of them isn't ours")
def _():
    ground.run("ip", "tuntap", "add", "pt-foreign", "mode", "tap")
    call("net.vm.create_tap", name="pt-t0")
    call("net.bridge.add", name="pt-br0")
    for names in (["pt-foreign"], ["pt-t0", "pt-foreign"], ["up0"], ["pt-br0"]):
        try:
            call("net.vm.delete_tap", names=names)
        except e2e.Error as e:
            want(e.data.get("kind") in ("denied_by_policy", "not_found", "invalid_state"), str(e))
        want({"pt-foreign", "up0", "pt-br0"} <= set(e2e.links()), "one of %r is gone" % names)
    ground.run("ip", "link", "del", "pt-foreign")
    call("net.vm.delete_tap", name="pt-t0")
    call("net.bridge.delete", name="pt-br0")
    fails("net.vm.delete_tap", -32602)


e2e.main()
