#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import time

import e2e
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.status tells state, pid, uptime, console, transitions, and after a stop the exit")
def _():
    with VM("st", cmdline="quiet", labels={"who": "me"}) as vm:
        s = vm.status()
        equal((s["id"], s["state"], s["labels"]), ("st", "Running", {"who": "me"}), "the VM")
        want("quiet" in s["cmdline"], "cmdline %r" % s["cmdline"])
        want(os.path.exists("/proc/%d" % s["pid"]), "there is no process %d" % s["pid"])
        want(0 <= s["uptime_secs"] < 120, "uptime %r" % s["uptime_secs"])
        want(abs(s["created_unix"] - time.time()) < 120, "created %r" % s["created_unix"])
        states = [(t["from"], t["to"]) for t in s["transitions"]]
        equal(states, [("Pending", "Provisioning"), ("Provisioning", "Configured"), ("Configured", "Starting"), ("Starting", "Running")], "the transitions")
        call("compute.vm.stop", id="st")
        s = vm.status()
        equal((s["state"], "pid" in s), ("Stopped", False), "state and pid after stop")
        equal([t["to"] for t in s["transitions"]][-2:], ["Stopping", "Stopped"], "the last transitions")
    fails("compute.vm.status", -32000, "not_found", id="st")


e2e.main()
