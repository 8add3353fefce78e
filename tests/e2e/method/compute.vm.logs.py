#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.logs reads the serial log from an offset, its last lines, and the VMM's log")
def _():
    with VM("log") as vm:
        vm.run("sh", "-c", "for i in 1 2 3; do echo line-$i >/dev/console; done")
        e2e.until(lambda: "line-3" in call("compute.vm.logs", id="log")["data"])
        whole = call("compute.vm.logs", id="log")
        equal(whole["size"], whole["next_offset"], "size and next offset of a short log")
        want("Linux version" in whole["data"] or "postern" in whole["data"] or len(whole["data"]) > 0, "the log is %r" % whole["data"][:200])
        last = call("compute.vm.logs", id="log", tail_lines=1)["data"]
        equal(last.strip(), "line-3", "the last line")
        part = call("compute.vm.logs", id="log", offset=5, limit=10)
        equal((part["data"], part["next_offset"]), (whole["data"][5:15], 15), "a part")
        equal(call("compute.vm.logs", id="log", offset=whole["next_offset"])["data"], "", "what is behind the end")
        want(call("compute.vm.logs", id="log", source="vmm")["size"] >= 0, "the VMM's log")
    fails("compute.vm.logs", -32000, "not_found", id="log")


e2e.main()
