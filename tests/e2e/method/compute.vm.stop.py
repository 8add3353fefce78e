#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import time

import e2e
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.stop shuts the guest down, ends everything of the VM, and again is no change; it can be started again")
def _():
    with VM("stop") as vm:
        equal(call("compute.vm.stop", id="stop")["state"], "Stopped", "the state")
        want(not [n for n in e2e.processes() if n.startswith(("qemu", "postern-keeper", "postern-vsock"))], "something of it still runs")
        equal(call("compute.vm.stop", id="stop")["changed"], False, "changed the second time")
        equal(call("compute.vm.start", id="stop")["state"], "Running", "the state after another start")
        began = time.monotonic()
        equal(call("compute.vm.stop", id="stop", force=True)["state"], "Stopped", "the state after force")
        want(time.monotonic() - began < 3, "force took %.1f s" % (time.monotonic() - began))
    fails("compute.vm.stop", -32000, "not_found", id="stop")


e2e.main()
