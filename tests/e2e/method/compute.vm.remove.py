#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.remove refuses a VM that runs, and with force takes it with everything of it")
def _():
    with VM("gone") as vm:
        fails("compute.vm.remove", -32000, ("busy", "invalid_state"), id="gone")
        equal(vm.status()["state"], "Running", "the state after a refused removal")
        equal(call("compute.vm.remove", id="gone", force=True)["removed"], True, "removed")
        want(not os.path.exists(ground.HOME + "/jail/qemu/gone"), "the jail stayed")
        want(not [n for n in e2e.processes() if n.startswith(("qemu", "postern-keeper", "postern-vsock"))], "something of it still runs")
        equal([d for d in os.listdir(os.environ["POSTERN_TEST_CGROUP"]) if "gone" in d], [], "its cgroups")
        equal(call("compute.vm.remove", id="gone")["removed"], False, "removed the second time")
    fails("compute.vm.status", -32000, "not_found", id="gone")


@test("compute.vm.remove of a VM with a network takes its tap along and leaves the bridge")
def _():
    call("net.bridge.add", name="pt-br0", address="10.78.0.1/24")
    before = set(e2e.links())
    with VM("net", nets=[{"bridge": "pt-br0"}]) as vm:
        taps = set(e2e.links()) - before
        equal(len(taps), 1, "taps")
    equal(set(e2e.links()), before, "the links")
    call("net.bridge.delete", name="pt-br0")


e2e.main()
