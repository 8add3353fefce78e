#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import loop
from e2e import call, equal, test, want

e2e.enter()


@test("vol.list_mounts lists what mountinfo lists, and says which are postern's")
def _():
    with loop.Loop(ground.HOME) as disk:
        call("vol.mount", source=disk.path, target="listed", fstype="ext4", create_target=True)
        ours = {m["id"]: m for m in pages()}
        theirs = {}
        for line in open("/proc/self/mountinfo"):
            left, _, right = line.rstrip("\n").partition(" - ")
            theirs[int(left.split()[0])] = (left.split(), right.split())
        equal(sorted(ours), sorted(theirs), "the ids")
        for ident, (left, right) in theirs.items():
            m = ours[ident]
            unescape = lambda s: s.encode().decode("unicode_escape") if "\\" in s else s
            equal((m["parent_id"], m["device"], m["root"], m["target"], m["options"], m["fstype"], m["source"]),
                  (int(left[1]), left[2], unescape(left[3]), unescape(left[4]), left[5].split(","), right[0], unescape(right[1])), "mount %d" % ident)
        equal([m["target"] for m in ours.values() if m["managed"]], [ground.HOME + "/mnt/listed"], "postern's mounts")
        call("vol.unmount", path="listed")


def pages():
    found, cursor = [], None
    while True:
        page = call("vol.list_mounts", limit=4, **({"cursor": cursor} if cursor else {}))
        want(len(page["mounts"]) <= 4, "a page of %d" % len(page["mounts"]))
        found += page["mounts"]
        cursor = page.get("next_cursor")
        if not cursor:
            equal([m["id"] for m in found], sorted(m["id"] for m in found), "the order")
            return found


e2e.main()
