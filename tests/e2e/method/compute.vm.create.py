#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, fails, invalid, test, want

e2e.enter()
e2e.guest_needed()


@test("compute.vm.create prepares jail and configuration, and answers Configured and a context id")
def _():
    result = call("compute.vm.create", name="one", vcpus=2, memory_mib=300, labels={"a": "b"}, limits={"cpu_percent": 150, "pids_max": 200})
    equal((result["changed"], result["id"], result["state"]), (True, "one", "Configured"), "the answer")
    want(result["cid"] >= 3, "context id %r" % result["cid"])
    want(os.path.isdir(ground.HOME + "/jail/qemu/one/root"), "there is no jail")
    vm = call("compute.vm.status", id="one")["vm"]
    equal((vm["vcpus"], vm["memory_mib"], vm["labels"], vm["vmm"]), (2, 300, {"a": "b"}, "qemu"), "the VM")
    want(ground.VM_UIDS[0] <= vm["uid"] <= ground.VM_UIDS[1], "uid %d" % vm["uid"])


@test("compute.vm.create of the same description again changes nothing, of another is refused")
def _():
    equal(call("compute.vm.create", name="one", vcpus=2, memory_mib=300, labels={"a": "b"}, limits={"cpu_percent": 150, "pids_max": 200})["changed"], False, "changed")
    fails("compute.vm.create", -32000, "already_exists", name="one", vcpus=1)


@test("compute.vm.create gives every VM a uid and a context id of its own")
def _():
    two = call("compute.vm.create", name="two")
    one = call("compute.vm.status", id="one")["vm"]
    vm = call("compute.vm.status", id="two")["vm"]
    want(vm["uid"] != one["uid"] and two["cid"] != one["cid"], "they share a uid or a context id")
    call("compute.vm.remove", id="two")


@test("compute.vm.create with dry_run makes nothing")
def _():
    equal(call("compute.vm.create", name="dry", dry_run=True)["changed"], True, "changed")
    want(not os.path.exists(ground.HOME + "/jail/qemu/dry"), "there is a jail")
    fails("compute.vm.status", -32000, "not_found", id="dry")


@test("compute.vm.create names the parameter that is wrong, and takes no path out of the image directory")
def _():
    for named, bad in (("name", "UPPER"), ("name", ""), ("name", "-a"), ("name", "a" * 65), ("name", "a/b"), ("vcpus", 0), ("memory_mib", 0), ("kernel", "../../etc/passwd"), ("kernel", "/etc/passwd"), ("vmm", "bochs"), ("nosuch", 1)):
        invalid("compute.vm.create", named, **dict({"name": "bad"}, **{named: bad}))
    fails("compute.vm.create", -32000, "not_found", name="bad", kernel="default/nosuch")
    want(not os.path.exists(ground.HOME + "/jail/qemu/bad"), "a refused VM left a jail")
    call("compute.vm.remove", id="one")


e2e.main()
