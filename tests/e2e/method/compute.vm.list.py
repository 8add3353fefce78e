#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import VM, call, equal, test, want

e2e.enter()


@test("compute.vm.list lists VMs sorted by name, in pages, and by state")
def _():
    equal(call("compute.vm.list")["vms"], [], "the VMs at the start")
    for name in ("c", "a", "b"):
        call("compute.vm.create", name=name)
    equal([(v["id"], v["state"]) for v in call("compute.vm.list")["vms"]], [(n, "Configured") for n in "abc"], "the VMs")
    page = call("compute.vm.list", limit=2)
    equal([v["id"] for v in page["vms"]], ["a", "b"], "the first page")
    equal([v["id"] for v in call("compute.vm.list", limit=2, cursor=page["next_cursor"])["vms"]], ["c"], "the second page")
    with VM("d"):
        equal([v["id"] for v in call("compute.vm.list", state="Running")["vms"]], ["d"], "the running ones")
    for name in ("a", "b", "c"):
        call("compute.vm.remove", id=name)


e2e.main()
