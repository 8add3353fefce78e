#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, dry, equal, fails, test, want

e2e.enter()


@test("net.bridge.add_port makes a tap a port, once")
def _():
    call("net.bridge.add", name="pt-br0")
    call("net.vm.create_tap", name="pt-t0")
    equal(dry("net.bridge.add_port", bridge="pt-br0", port="pt-t0")["changed"], True, "changed of the dry run")
    equal(call("net.bridge.add_port", bridge="pt-br0", port="pt-t0")["changed"], True, "changed")
    equal(e2e.links()["pt-t0"]["master"], "pt-br0", "the bridge of the port")
    equal(call("net.bridge.add_port", bridge="pt-br0", port="pt-t0")["changed"], False, "changed the second time")


@test("net.bridge.add_port refuses ports and bridges that aren't ours or aren't there")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    call("net.vm.create_tap", name="pt-t1")
    before = e2e.shown()
    fails("net.bridge.add_port", -32000, ("denied_by_policy", "not_found", "invalid_state", "busy"), bridge="foreign0", port="pt-t0")
    for run in (False, True):
        fails("net.bridge.add_port", -32000, ("denied_by_policy", "invalid_state"), bridge="pt-br0", port="up0", dry_run=run)
    fails("net.bridge.add_port", -32000, "not_found", bridge="pt-br0", port="pt-absent")
    fails("net.bridge.add_port", -32000, ("denied_by_policy", "not_found", "invalid_state"), bridge="foreign0", port="pt-t1")
    fails("net.bridge.add_port", -32000, "not_found", bridge="pt-br-no", port="pt-t1")
    equal(e2e.shown(), before, "the state")
    ground.run("ip", "link", "del", "foreign0")
    call("net.vm.delete_tap", names=["pt-t0", "pt-t1"])
    call("net.bridge.delete", name="pt-br0")


e2e.main()
