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


@test("vol.mount mounts a device below the mount root, nosuid, nodev and noexec; again is no change")
def _():
    with loop.Loop(ground.HOME) as disk:
        asked = dict(source=disk.path, target="a/b", fstype="ext4", create_target=True)
        equal(dry("vol.mount", **asked)["changed"], True, "changed of the dry run")
        result = call("vol.mount", **asked)
        mount = result["mount"]
        equal((result["changed"], mount["target"], mount["source"], mount["fstype"], mount["managed"]), (True, ROOT + "/a/b", disk.path, "ext4", True), "the answer")
        want({"nosuid", "nodev", "noexec"} <= set(mount["options"]), "its options are %r" % mount["options"])
        with open(ROOT + "/a/b/file", "w") as f:
            f.write("x")
        equal(call("vol.mount", **asked)["changed"], False, "changed the second time")
        fails("vol.mount", -32000, ("busy", "already_exists", "invalid_state"), **dict(asked, readonly=True))
        call("vol.unmount", path="a/b")


@test("vol.mount finds the file system out where none is named, and takes readonly, exec and noatime")
def _():
    for mkfs, fstype in ((("mkfs.ext4", "-q", "-F"), "ext4"), (("mkfs.btrfs", "-q", "-f"), "btrfs")):
        with loop.Loop(ground.HOME, mkfs, 128 << 20) as disk:
            mount = call("vol.mount", source=disk.path, target=fstype, create_target=True, readonly=True, options=["exec", "noatime"])["mount"]
            equal(mount["fstype"], fstype, "the file system")
            want({"ro", "nosuid", "nodev", "noatime"} <= set(mount["options"]) and "noexec" not in mount["options"], "its options are %r" % mount["options"])
            call("vol.unmount", path=fstype)


@test("vol.mount outside the policy or the mount root is refused, and nothing is mounted")
def _():
    with loop.Loop(ground.HOME) as disk:
        before = e2e.shown()
        fails("vol.mount", -32000, "denied_by_policy", source="/dev/vda", target="x", fstype="ext4", create_target=True)
        fails("vol.mount", -32000, "not_found", source=disk.path, target="absent", fstype="ext4")
        for named, bad in (("target", "../etc"), ("target", "/etc"), ("target", "a/../b"), ("target", ""), ("fstype", "overlay"), ("source", "relative"), ("options", ["suid"]), ("options", ["dev"])):
            invalid("vol.mount", named, **dict(dict(source=disk.path, target="x", fstype="ext4"), **{named: bad}))
        e = fails("vol.mount", -32000, ("io", "invalid_state", "unsupported"), source=disk.path, target="x", fstype="xfs", create_target=True)
        want(e.data.get("detail"), "the error says nothing: %s" % e)
        equal(e2e.shown(), before, "the state")


e2e.main()
