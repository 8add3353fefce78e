#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import loop
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()
ROOT = ground.HOME + "/mnt"


@test("vol.unmount unmounts once, refuses what is busy, and detaches it when asked to be lazy")
def _():
    with loop.Loop(ground.HOME) as disk:
        call("vol.mount", source=disk.path, target="u", fstype="ext4", create_target=True)
        dry("vol.unmount", path="u")
        held = os.open(ROOT + "/u", os.O_RDONLY)
        fails("vol.unmount", -32000, "busy", path="u")
        equal(call("vol.unmount", path="u", lazy=True)["removed"], True, "removed")
        os.close(held)
        want(ROOT + "/u" not in open("/proc/self/mountinfo").read(), "it is still mounted")
        result = call("vol.unmount", path="u")
        equal((result["removed"], result["changed"]), (False, False), "the second time")


@test("vol.unmount takes no path out of the mount root, and leaves foreign mounts")
def _():
    for bad in ("../..", "/", "/proc", "", "a//b"):
        invalid("vol.unmount", "path", path=bad)
    want(os.path.exists("/proc/self"), "/proc is gone")


e2e.main()
