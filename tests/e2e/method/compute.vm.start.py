#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.start boots a VM until its agent answers, as its own uid, with no capability and namespaces of its own")
def _():
    with VM("boot") as vm:
        status = vm.status()
        equal(status["state"], "Running", "the state")
        uid = status["uid"]
        mine = {n: os.readlink("/proc/self/ns/" + n) for n in ("mnt", "pid", "ipc", "uts", "net")}
        seen = 0
        for name, pids in e2e.processes().items():
            for pid in pids:
                if not (name.startswith(("qemu-system", "postern-keeper", "postern-vsock"))):
                    continue
                seen += 1
                fields = dict(line.split(":", 1) for line in open("/proc/%d/status" % pid))
                equal(fields["Uid"].split(), [str(uid)] * 4, "uids of " + name)
                for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                    equal(int(fields[which], 16), 0, "%s of %s" % (which, name))
                equal((fields["NoNewPrivs"].strip(), fields["Seccomp"].strip(), fields["Groups"].strip()), ("1", "2", ""), "confinement of " + name)
                for n, link in mine.items():
                    want(os.readlink("/proc/%d/ns/%s" % (pid, n)) != link, "%s shares the %s namespace" % (name, n))
        equal(seen, 3, "processes of the VM: keeper, vsock backend and QEMU")


@test("compute.vm.start of a VM that runs changes nothing; of none is not_found")
def _():
    with VM("again") as vm:
        equal(call("compute.vm.start", id="again")["changed"], False, "changed")
    fails("compute.vm.start", -32000, "not_found", id="again")


@test("a VM whose kernel isn't one fails to start, says why, leaves nothing running and can be removed")
def _():
    with open(ground.HOME + "/images/junk", "w") as f:
        f.write("no kernel")
    os.makedirs(ground.HOME + "/images/default2", exist_ok=True)
    os.rename(ground.HOME + "/images/junk", ground.HOME + "/images/default2/junk")
    os.chmod(ground.HOME + "/images/default2/junk", 0o644)
    call("compute.vm.create", name="junk", kernel="default2/junk")
    fails("compute.vm.start", -32000, id="junk")
    vm = call("compute.vm.status", id="junk")["vm"]
    equal(vm["state"], "StartFailed", "the state")
    want(vm["last_error"], "it doesn't say why")
    e2e.until(lambda: not [n for n in e2e.processes() if n.startswith(("qemu", "postern-keeper"))])
    call("compute.vm.remove", id="junk")
    want(not os.path.exists(ground.HOME + "/jail/qemu/junk"), "the jail stayed")


e2e.main()
