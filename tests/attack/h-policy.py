#!/usr/bin/python3
"""H: who may do what: the policy file itself, and operations on what was never granted.  LIMIT: 120"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import Failed, Helper, Quiet, equal, test, want

hostile.enter()
PATH = "/etc/postern/policy.conf"
GOOD = open(PATH).read()


def restore():
    if os.path.lexists(PATH):
        os.unlink(PATH)
    ground.directory("/etc/postern")
    ground.write(PATH, GOOD)


def refuses(why):
    """The helper refuses to start, in one line that names the file, and starts nothing."""
    helper = Helper(hello=False)
    helper.wait()
    said = helper.stderr()
    helper.close()
    equal(helper.exit, hostile.EXIT_REFUSED, "the exit code (%s; it said: %s)" % (why, said.strip()))
    equal(said.count("\n"), 1, "lines of the refusal")
    want("policy.conf" in said, "the refusal doesn't name the file: " + said)
    hostile.nothing_of_helper_runs()
    return said


def spoiled(why, spoil):
    try:
        spoil()
        return refuses(why)
    finally:
        restore()


@test("H1: operations on VMs, links and mounts that were never made find nothing and change nothing")
def _():
    vm = {"vmm": hostile.VMM_QEMU, "id": "never"}
    with Helper() as helper, Quiet(helper):
        for op in ("grant_api", "grant_vsock", "grant_console"):
            helper.refused(op, vm, ("pending", "not_found"))
        helper.refused("jail_signal", vm, ("pending", "not_found"))
        equal(helper.ok("jail_kill", vm), {"empty": True}, "jail_kill")
        equal(helper.ok("jail_remove", vm), {"changed": False}, "jail_remove")
        spec = hostile.sealed_memfd(bytes(64))
        helper.refused("jail_spawn", vm, ("pending", "not_found", "denied", "invalid"), fds=[spec])
        os.close(spec)
        equal(helper.ok("links_del", {"names": ["pt-never"]}), {"removed": 0}, "links_del")
        helper.refused("link_set", {"name": "pt-never", "up": True}, "not_found")
        helper.refused("address_add", {"device": "pt-never", "address": hostile.address("10.0.0.1/24")}, "not_found")
        equal(helper.ok("unmount", {"target": "never"}), {"changed": False}, "unmount")
        for vmm in (0, 1):  # the policy names QEMU alone
            helper.refused("jail_create", {"vmm": vmm, "id": "never", "uid": ground.VM_UIDS[0]}, "denied", "vmm")


@test("H3: a policy that isn't root's is refused")
def _():
    spoiled("owner", lambda: os.chown(PATH, ground.DAEMON, 0))
    spoiled("directory's owner", lambda: os.chown("/etc/postern", ground.DAEMON, 0))


@test("H3: a policy, or a directory above it, that group or others may write is refused")
def _():
    for mode in (0o664, 0o646, 0o666, 0o620):
        spoiled("mode %o" % mode, lambda: os.chmod(PATH, mode))
    for mode in (0o775, 0o757, 0o1777):
        spoiled("directory's mode %o" % mode, lambda: os.chmod("/etc/postern", mode))


@test("H3: a policy that is a symlink, a FIFO, a directory or a device is refused, and nobody waits for a FIFO's writer")
def _():
    def replace(make):
        def spoil():
            os.unlink(PATH)
            make()
        return spoil
    ground.write("/etc/postern/other.conf", GOOD)
    try:
        spoiled("symlink", replace(lambda: os.symlink("other.conf", PATH)))
        spoiled("dangling symlink", replace(lambda: os.symlink("nowhere", PATH)))
        spoiled("FIFO", replace(lambda: os.mkfifo(PATH, 0o600)))
        spoiled("device", replace(lambda: os.mknod(PATH, 0o20600, os.makedev(1, 3))))
    finally:
        os.unlink("/etc/postern/other.conf")
    os.unlink(PATH)
    os.mkdir(PATH)
    try:
        refuses("directory")
    finally:
        os.rmdir(PATH)
        restore()


@test("H3: a symlink in place of the directory is refused")
def _():
    os.rename("/etc/postern", "/etc/postern-real")
    os.symlink("postern-real", "/etc/postern")
    try:
        refuses("symlinked directory")
    finally:
        os.unlink("/etc/postern")
        os.rename("/etc/postern-real", "/etc/postern")


@test("H3: a policy of 1 GiB, and one a byte too long, is refused without being read whole")
def _():
    spoiled("1 GiB", lambda: os.truncate(PATH, 1 << 30))
    spoiled("65537 bytes", lambda: ground.write(PATH, GOOD + "#" * (65537 - len(GOOD) - 1) + "\n"))


@test("H3: unknown keywords, broken values, NUL bytes and contradictions are refused with their line number")
def _():
    for line in ("nosuch x", "daemon-uid", "daemon-uid x", "daemon-uid 0", "daemon-uid -1", "daemon-uid 4294967296", "uid-range 5", "uid-range 20-10", "uid-range 0-10", "interface-prefix", "mount-root relative",
                 "mount-fstype ext9", "limit taps x", "limit nosuch 5", "vmm qemu relative", "vmm nosuch /x", "route-table 5-3", "uplink a/b", "bridge *x", "jail-root /a/../b", "a\0b", "\x1b[2J", "daemon-uid 0x10", "daemon-uid 64990 64991"):
        said = spoiled("line %r" % line, lambda: ground.write(PATH, GOOD + "# a comment\n\n" + line + "\n"))
        want(":%d: " % (GOOD.count("\n") + 3) in said, "%r: the line isn't named: %s" % (line, said))


@test("H3: mount root, jail root and image root that overlap are refused")
def _():
    for a, b in (("mount-root", "jail"), ("mount-root", "images"), ("mount-root", "jail/inside"), ("mount-root", "")):
        text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(a)) + "\n%s %s/%s\n" % (a, ground.HOME, b)
        spoiled("%s %s" % (a, b), lambda: ground.write(PATH, text.replace("/\n", "\n")))


@test("H3: a mount root, jail root or image root below a directory that somebody else may change is refused")
def _():
    above = ground.HOME + "/theirs"
    for keyword in ("mount-root", "jail-root", "image-root"):
        for uid, mode in ((ground.DAEMON, 0o755), (0, 0o777)):
            ground.directory(above + "/root")
            ground.directory(above, uid, 0, mode)
            ground.write(PATH, "\n".join(line for line in GOOD.splitlines() if not line.startswith(keyword)) + "\n%s %s/root\n" % (keyword, above))
            try:
                helper = Helper(hello=False)
                equal(helper.wait(), hostile.EXIT_REFUSED, "the exit code with %s below a directory of %d, mode %o" % (keyword, uid, mode))
                want(keyword in helper.stderr(), "the refusal names it")
                helper.close()
                hostile.nothing_of_helper_runs()
                equal(os.stat(above + "/root").st_uid, 0, "the owner of what lies there")
            finally:
                restore()
                os.rmdir(above + "/root")
                os.rmdir(above)


@test("H3: a last line without its end is read as it stands")
def _():
    ground.write(PATH, GOOD.rstrip("\n"))
    try:
        with Helper() as helper:
            helper.serves()
    finally:
        restore()


@test("H5: with no more than its uids the policy allows links of postern's prefix and no more; without them nobody may start it")
def _():
    uids = "\n".join(line for line in GOOD.splitlines() if "-uid " in line) + "\n"
    ground.write(PATH, uids)
    try:
        with Helper() as helper, Quiet(helper):
            helper.refused("mount", {"source": "loop0", "target": "x", "fstype": 0}, "denied", "mount-root")
            helper.refused("jail_create", {"vmm": hostile.VMM_QEMU, "id": "x", "uid": ground.VM_UIDS[0]}, "denied")
            record = hostile.struct.pack("<I", 0) + hostile.address("10.0.0.0/8") + bytes(18 + 18 + 10) + b"up0".ljust(16, b"\0") + bytes(32)
            fd = hostile.sealed_memfd(record)
            helper.refused("fw_commit", {"count": 1}, ("denied", "invalid"), fds=[fd])
            os.close(fd)
        os.unlink(PATH)
        helper = Helper(hello=False)
        equal(helper.wait(), hostile.EXIT_REFUSED, "the exit code without a policy, whose default daemon-uid isn't ours")
        helper.close()
    finally:
        restore()


@test("H6: a prefix of a name isn't the name: bridges and prefixes match whole")
def _():
    ground.write(PATH, GOOD.replace("bridge pt-br*", "bridge pt-only").replace("interface-prefix pt-", "interface-prefix ab-"))
    try:
        with Helper() as helper, Quiet(helper):
            for name in ("pt-onl", "pt-only1", "PT-ONLY", "ab-", "a-x", "abx", "pt-x"):
                helper.refused("link_add", {"kind": 0, "name": name}, "denied")
    finally:
        restore()


@test("H2: more requests a second than the policy's limit wait their turn")
def _():
    import time
    ground.write(PATH, GOOD.replace("requests-per-second 5000", "requests-per-second 100"))
    try:
        with Helper() as helper:
            began = time.monotonic()
            for _ in range(250):
                helper.serves()
            took = time.monotonic() - began
            want(1.0 <= took <= 6.0, "250 requests at 100 a second took %.2f s" % took)
    finally:
        restore()


hostile.main(restore)
