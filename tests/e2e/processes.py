#!/usr/bin/python3
"""Every process that runs while a VM does, read back from /proc: uid, groups, capabilities, no_new_privs, filters, namespaces, descriptors."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
from e2e import VM, equal, test, want

e2e.enter()
CHOWN, FOWNER, KILL, SETGID, SETUID, NET_ADMIN, SYS_ADMIN, MKNOD = 0, 3, 5, 6, 7, 12, 21, 27
NAMESPACES = ("mnt", "pid", "ipc", "uts", "net")
VM_UID = None  # stands for the VM's own
# name: (how many, uid, gid, capabilities, filters at least, namespaces of its own).  posternd is two: its parent has no filter, for it executes a setuid program.
TABLE = {
    "postern-helper": (1, ground.BROKER, ground.BROKER, (), 1, ()),
    "postern-broker": (1, ground.BROKER, ground.BROKER, (), 1, ()),
    "postern-net": (1, ground.NET, ground.NET, (NET_ADMIN,), 1, ()),
    "postern-reaper": (1, ground.NET, ground.NET, (NET_ADMIN,), 1, ()),
    "postern-vol": (1, ground.VOL, ground.VOL, (SYS_ADMIN,), 1, ()),
    "postern-jail": (1, 0, ground.DAEMON, (CHOWN, FOWNER, KILL), 1, ("mnt",)),  # a root of its own: i-sandbox.py
    "postern-spawn": (1, 0, ground.DAEMON, (SETGID, SETUID, SYS_ADMIN, MKNOD), 1, ()),
    "postern-keeper": (1, VM_UID, VM_UID, (), 3, NAMESPACES),  # the spawner's, the VM's, its own
    "postern-vsock": (1, VM_UID, VM_UID, (), 3, NAMESPACES),
    "qemu-system-x86": (1, VM_UID, VM_UID, (), 3, NAMESPACES),
}


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return {k: v.strip() for k, _, v in (line.partition(":") for line in f)}


def sets(st):
    return {which: tuple(i for i in range(64) if int(st[which], 16) >> i & 1) for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def running():
    """The product's processes: {name: [pid]}, posternd's parent and worker apart."""
    found = {n: p for n, p in e2e.processes().items() if n.startswith(("postern", "qemu-system"))}
    parent, worker = e2e.daemon()
    equal(sorted(found.pop("posternd")), sorted([parent, worker]), "processes called posternd")
    return found, parent, worker


@test("while a VM runs there are these processes and no others of the product's")
def _():
    with VM("table"):
        found, _, _ = running()
        equal({n: len(p) for n, p in found.items()}, {n: row[0] for n, row in TABLE.items()}, "processes")


@test("each has the uid, gid, capabilities, no_new_privs, filters and namespaces of the table, down to every thread")
def _():
    mine = {n: os.readlink("/proc/self/ns/" + n) for n in NAMESPACES}
    with VM("table") as vm:
        found, _, _ = running()
        own_uid = vm.status()["uid"]
        want(ground.VM_UIDS[0] <= own_uid <= ground.VM_UIDS[1], "the VM's uid is %d" % own_uid)
        for name, (_, uid, gid, caps, filters, own) in TABLE.items():
            uid, gid = (own_uid, own_uid) if uid is VM_UID else (uid, gid)
            for pid in found[name]:
                for thread in os.listdir("/proc/%d/task" % pid):
                    st = status(int(thread))
                    equal((st["Uid"].split(), st["Gid"].split(), st["Groups"]), ([str(uid)] * 4, [str(gid)] * 4, ""), "ids of " + name)
                    equal(sets(st), {"CapInh": (), "CapPrm": tuple(sorted(caps)), "CapEff": tuple(sorted(caps)), "CapBnd": (), "CapAmb": ()}, "capabilities of " + name)
                    equal((st["NoNewPrivs"], st["Seccomp"]), ("1", "2"), "no_new_privs and seccomp mode of " + name)
                    want(int(st["Seccomp_filters"]) >= filters, "%s has %s filters" % (name, st["Seccomp_filters"]))
                    equal(st["NSpid"].split()[:1], [thread], "%s as this namespace counts" % name)
                different = tuple(n for n, link in mine.items() if os.readlink("/proc/%d/ns/%s" % (pid, n)) != link)
                equal(different, own, "namespaces of its own of " + name)


@test("posternd's worker has no capability, no_new_privs and a filter; its parent no capability either")
def _():
    _, parent, worker = running()
    for pid in (parent, worker):
        for thread in os.listdir("/proc/%d/task" % pid):
            st = status(int(thread))
            equal((st["Uid"].split(), st["Gid"].split()), ([str(ground.DAEMON)] * 4, [str(ground.DAEMON)] * 4), "ids of posternd")
            held = sets(st)
            equal([held[w] for w in ("CapInh", "CapPrm", "CapEff", "CapAmb")], [()] * 4, "capabilities of posternd")
            if pid == worker:
                equal((st["NoNewPrivs"], st["Seccomp"]), ("1", "2"), "no_new_privs and seccomp mode of a thread of the worker")


@test("a VM's processes hold no descriptor of the host but its own files, sockets, taps and memory")
def _():
    with VM("table", nets=[]) as vm:
        found, _, _ = running()
        for name in ("postern-keeper", "postern-vsock", "qemu-system-x86"):
            for pid in found[name]:
                for fd in os.listdir("/proc/%d/fd" % pid):
                    target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                    want(target == "/run" or target.startswith(("socket:", "pipe:", "anon_inode:", "/memfd:", "/dev/null", "/dev/zero", "/dev/urandom", "/run/", "/vm/")) or
                         "/jail/qemu/%s/root/" % vm.name in target or target.startswith(ground.HOME + "/images/"), "%s holds %s" % (name, target))


e2e.main()
