#!/usr/bin/python3
"""G: whose uid, which cgroup: what a daemon that was taken over can name when it makes and ends VMs.  LIMIT: 60"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import Helper, Quiet, equal, pack, test, want

hostile.enter()
CGROUP = os.environ["POSTERN_TEST_CGROUP"]
VM = {"vmm": hostile.VMM_QEMU, "id": "vm1"}
FIRST, LAST = ground.VM_UIDS
NO_IDS = ("../x", "cgroup.procs", "..", "/", "/sys/fs/cgroup", "a/b", "cgroup.kill", "a@b", ".", "", "-a", "A", "x" * 65, "a\0b")


def cgroups():
    return sorted(os.path.relpath(path, CGROUP) for path, _, _ in os.walk(CGROUP))


@test("G1: a jail for root, for the daemon, for a cell, for nobody, or for a uid beside the range is denied")
def _():
    with Helper() as helper, Quiet(helper):
        for uid in (1, ground.DAEMON, ground.BROKER, ground.NET, ground.VOL, 65534, FIRST - 1, LAST + 1, 1 << 31, (1 << 32) - 2):
            helper.refused("jail_create", dict(VM, uid=uid), "denied", "uid-range")


@test("G1: uid 0, 2^32-1, negative ones and ones of more than 32 bits are malformed")
def _():
    for uid in (0, (1 << 32) - 1, 1 << 32, (1 << 32) + FIRST, -1, -2):
        with Helper() as helper:
            helper.ends_malformed(pack([1, hostile.OP["jail_create"], hostile.in_order("jail_create", dict(VM, uid=uid))]))


@test("G1: a uid has one VM, and a VM one uid")
def _():
    with Helper() as helper:
        helper.ok("jail_create", dict(VM, uid=FIRST))
        helper.refused("jail_create", dict(VM, id="vm2", uid=FIRST), "busy", "uid")
        helper.refused("jail_create", dict(VM, uid=FIRST + 1), "exists", "uid")
        helper.ok("jail_remove", VM)


@test("G3: a VM's id that leads out of the cgroup root, or is the name of one of its files, is malformed in every operation that takes one")
def _():
    ops = [o for o, k, n, _ in hostile.ARGS if k == "vmid"]
    want(len(ops) >= 9, "operations that take an id: %r" % ops)
    for op in ops:
        more = {"jail_create": {"uid": FIRST}, "jail_give": {"slot": 0, "path": "x"}}.get(op, {})
        for bad in NO_IDS if op in ("jail_create", "jail_kill") else NO_IDS[:2]:  # it is one kind of argument: all with two, two with all
            with Helper() as helper:
                helper.ends_malformed(pack([1, hostile.OP[op], hostile.in_order(op, dict(VM, id=bad, **more))]))


@test("G3: a VM's cgroup lies straight below the root under a name that no controller's file can have, and goes with the jail")
def _():
    before = cgroups()
    with Helper() as helper:
        helper.ok("jail_create", dict(VM, uid=FIRST))
        equal(set(cgroups()) - set(before), {"qemu@vm1"}, "what came")
        st = os.stat(CGROUP + "/qemu@vm1")
        equal((st.st_uid, st.st_mode & 0o777), (0, 0o700), "owner and mode of the cgroup")
        equal(os.stat(CGROUP + "/qemu@vm1/cgroup.procs").st_uid, 0, "owner of cgroup.procs")
        helper.ok("jail_remove", VM)
    equal(cgroups(), before, "what stays")


@test("G3: jail_kill and jail_signal reach a VM's cgroup and no other's: nothing beside it, below the root or above, is killed")
def _():
    sleepers = []
    beside = CGROUP + "/beside"
    os.mkdir(beside)
    for cgroup in (CGROUP, beside):
        pid = os.fork()
        if pid == 0:
            with open(cgroup + "/cgroup.procs", "w") as f:
                f.write("0")
            while True:
                hostile.time.sleep(60)
        sleepers.append(pid)
    try:
        with Helper() as helper:
            helper.ok("jail_create", dict(VM, uid=FIRST))
            equal(helper.ok("jail_kill", VM), {"empty": True}, "jail_kill")
            helper.refused("jail_signal", dict(VM, kill=True), "not_found")
            helper.ok("jail_remove", VM)
        for pid in sleepers:
            equal(os.waitpid(pid, os.WNOHANG), (0, 0), "the end of a process that is no VM's")
    finally:
        for pid in sleepers:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        os.rmdir(beside)


hostile.main()
