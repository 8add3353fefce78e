#!/usr/bin/python3
"""D and E: paths and mounts, by a daemon that was taken over.  (Paths below the image and jail roots: jail_test.c and grant_test.c.)  LIMIT: 240"""
import ctypes
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
import loop
from hostile import OP, Failed, Helper, Quiet, equal, pack, test, want

hostile.enter()
libc = ctypes.CDLL(None, use_errno=True)
ROOT = ground.HOME + "/mnt"
EXT4, BTRFS, VFAT, XFS = 0, 1, 2, 3
RENAME_EXCHANGE = 2
REFUSED = ("denied", "invalid", "not_found", "busy", "exists", "io", "unsupported")
disk = other = None


def mounts(below=ROOT):
    """{target: (attributes, fstype, source)} of what is mounted below the mount root."""
    found = {}
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, _, right = line.partition(" - ")
            target = left.split()[4]
            if target.startswith(below + "/"):
                found[target] = (left.split()[5].split(","), *right.split()[:2])
    return found


def exchange(a, b):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def mount_args(target, **more):
    return dict({"source": os.path.basename(disk.path), "target": target, "fstype": EXT4}, **more)


def racer(step):
    """Runs step() again and again beside the caller until the block ends."""
    class Race:
        def __enter__(self):
            self.stop = False
            self.thread = threading.Thread(target=self.go)
            self.thread.start()

        def go(self):
            while not self.stop:
                try:
                    step()
                except OSError:
                    pass

        def __exit__(self, *_):
            self.stop = True
            self.thread.join()
    return Race()


def no_mount_elsewhere(before):
    now = [l for l in open("/proc/self/mountinfo") if l.split()[4] != ROOT and not l.split()[4].startswith(ROOT + "/")]
    was = [l for l in before["mounts"].splitlines(True) if l.split()[4] != ROOT and not l.split()[4].startswith(ROOT + "/")]
    equal(now, was, "the mounts outside the mount root")


@test("D1: dot-dot, slashes, dots, empty, overlong and control characters in a path are malformed")
def _():
    before = hostile.state()
    long = "/".join(["d" * 60] * 5)
    for path in ("..", "/", "//", ".", "", "a/..", "../a", "a/../b", "a/./b", "./a", "a//b", "/a", "a/", "/etc", "a\0b", "a\nb", "a\x1b", long, "c" * 256, "x" * 4096):
        for op, args in (("mount", mount_args(path)), ("unmount", {"target": path}), ("mount", mount_args("ok", source=path))):
            helper = Helper()
            try:
                helper.ends_malformed(pack([1, OP[op], hostile.in_order(op, args)]))
            except Failed as e:
                raise Failed("%s %r: %s" % (op, path, e))
            finally:
                helper.close()
    hostile.unchanged(before)


@test("D2: a symlink at any component of a target, dangling or in a loop, is refused")
def _():
    os.makedirs(ROOT + "/real/sub", exist_ok=True)
    links = {"out": "/etc", "in": "real", "dangling": "nowhere", "loop": "loop", "real/out": "/etc", "real/sub/up": ".."}
    for name, to in links.items():
        os.symlink(to, os.path.join(ROOT, name))
    with Helper() as helper, Quiet(helper):
        for target in ("out", "out/ssh", "in", "in/sub", "dangling", "loop", "loop/x", "real/out", "real/out/ssh", "real/sub/up", "real/sub/up/sub"):
            for create in (False, True):
                helper.refused("mount", mount_args(target, create_target=create), REFUSED)
            status, results, _ = helper.ask("unmount", {"target": target})
            want(status in REFUSED or results == {"changed": False}, "unmounting %s: %s" % (target, status))
    for name in links:
        os.unlink(os.path.join(ROOT, name))
    clear()


@test("D3: magic links of /proc are no way out")
def _():
    held = os.open("/etc", os.O_RDONLY)
    for i, to in enumerate(("/proc/self/fd/%d" % held, "/proc/1/root", "/proc/self/cwd", "/dev/fd/%d" % held, "/proc/%d/root/etc" % os.getpid())):
        os.symlink(to, "%s/magic%d" % (ROOT, i))
    with Helper() as helper, Quiet(helper):
        for i in range(5):
            helper.refused("mount", mount_args("magic%d" % i), REFUSED)
            helper.refused("mount", mount_args("magic%d/x" % i, create_target=True), REFUSED)
    for i in range(5):
        os.unlink("%s/magic%d" % (ROOT, i))
    os.close(held)


@test("D4: a component that is exchanged with a symlink to /etc, over and over, never brings a mount there (800 rounds)")
def _():
    os.makedirs(ROOT + "/a/b")
    os.symlink("/etc", ROOT + "/evil")
    before = hostile.state()
    won = 0
    with Helper() as helper:
        with racer(lambda: exchange(ROOT + "/a", ROOT + "/evil")):
            for i in range(400):
                won += helper.ask("mount", mount_args("a/b"))[0] == "ok"
                helper.ask("unmount", {"target": "a/b", "lazy": True})
                helper.ask("mount", mount_args("a/ssh", create_target=True))
                helper.ask("unmount", {"target": "a/ssh", "lazy": True})
        helper.serves()
        no_mount_elsewhere(before)
    want(won > 0, "the race never let a mount through at all: it proves nothing")
    equal(hostile.state()["etc"], before["etc"], "/etc/postern")
    while mounts():
        for target in mounts():
            ground.run("umount", "-l", target)
    subprocess.run(["rm", "-rf", ROOT + "/a", ROOT + "/evil"], check=True)


@test("D5: a component that is mounted over between check and use keeps the mount below the mount root (300 rounds)")
def _():
    os.makedirs(ROOT + "/a/b")
    before = hostile.state()

    def cover():
        libc.mount(b"x", (ROOT + "/a").encode(), b"tmpfs", 0, None)
        libc.umount2((ROOT + "/a").encode(), 2)
    with Helper() as helper:
        with racer(cover):
            for i in range(300):
                helper.ask("mount", mount_args("a/b", create_target=True))
                helper.ask("unmount", {"target": "a/b", "lazy": True})
        helper.serves()
        no_mount_elsewhere(before)
    while mounts():
        for target in sorted(mounts(), reverse=True):
            libc.umount2(target.encode(), 2)
    subprocess.run(["rm", "-rf", ROOT + "/a"], check=True)


@test("D6: a hard link as source is still the device it names, and one to a plain file is refused")
def _():
    with open("/dev/shm/postern-plain", "w"):
        pass
    try:
        with Helper() as helper, Quiet(helper):
            helper.refused("mount", mount_args("x", source="shm/postern-plain", create_target=True), "denied")
    finally:
        os.unlink("/dev/shm/postern-plain")
        clear()


@test("D7: a FIFO, a socket, a device or a file where a directory is expected is refused")
def _():
    os.mkfifo(ROOT + "/fifo")
    os.mknod(ROOT + "/node", 0o20600, os.makedev(1, 3))
    open(ROOT + "/file", "w").close()
    s = socket.socket(socket.AF_UNIX)
    s.bind(ROOT + "/socket")
    with Helper() as helper, Quiet(helper):
        for name in ("fifo", "node", "file", "socket"):
            helper.refused("mount", mount_args(name), REFUSED)
            helper.refused("mount", mount_args(name + "/x", create_target=True), REFUSED)
            status, results, _ = helper.ask("unmount", {"target": name})
            want(status in REFUSED or results == {"changed": False}, "unmounting a %s: %s" % (name, status))
    s.close()
    clear()


@test("D14: where openat2 fails with ENOSYS or EPERM (a service manager's filter), nothing falls back to a weaker way")
def _():
    clear()
    for number in (38, 1):
        before = hostile.state()
        helper = Helper(hello=False, as_daemon=False, prepare=lambda: (hostile.deny_call(437, number), hostile.become_daemon()))
        try:
            helper.hello()
        except Failed:
            want(helper.exit not in (None, 0), "it neither served nor refused")
        else:
            helper.refused("mount", mount_args("x", create_target=True), REFUSED)
        helper.close()
        hostile.unchanged(before)


@test("E1: there are no option strings: a bit outside the list, or another type, is refused")
def _():
    with Helper() as helper, Quiet(helper):
        for bits in (1 << 5, 1 << 31, 0xffffffff):
            helper.refused("mount", mount_args("x", options=bits, create_target=True), ("invalid", "denied"))
        helper.refused("mount", mount_args("x", options=1 << 3, create_target=True), "invalid")  # btrfs's on ext4
    for value in ("suid", "dev", "exec", "user=root", "--target=/etc", "a,b", "a=b", "\\", ["suid"], b"suid"):
        helper = Helper()
        helper.ends_malformed(pack([1, OP["mount"], hostile.in_order("mount", mount_args("x", options=value))]))
        helper.close()


@test("E2: a file system outside the enumeration is malformed, one that the policy doesn't list is denied")
def _():
    for value in (4, 5, 255, 0xffffffff, "overlay", "fuse", "nfs", "proc", "9p", "ext4"):
        helper = Helper()
        helper.ends_malformed(pack([1, OP["mount"], hostile.in_order("mount", mount_args("x", fstype=value))]))
        helper.close()
    policy = open("/etc/postern/policy.conf").read()
    ground.write("/etc/postern/policy.conf", policy.replace("mount-fstype ext4 btrfs vfat xfs", "mount-fstype btrfs"))
    try:
        with Helper() as helper, Quiet(helper):
            helper.refused("mount", mount_args("x", create_target=True), "denied", "mount-fstype")
    finally:
        ground.write("/etc/postern/policy.conf", policy)


@test("E3: at no moment is a mount seen without nosuid and nodev, nor without noexec unless asked (200 mounts)")
def _():
    clear()
    bad, seen = [], [0]

    def look():
        for target, (attributes, _, _) in mounts().items():
            seen[0] += 1
            missing = {"nosuid", "nodev", "noexec"} - set(attributes)
            if missing:
                bad.append((target, sorted(missing)))
    with Helper() as helper, racer(look):
        for i in range(200):
            helper.ok("mount", mount_args("poll", create_target=True))
            helper.ok("unmount", {"target": "poll"})
    want(seen[0] > 0, "the poller saw no mount: it proves nothing")
    equal(bad, [], "mounts seen without their flags")
    clear()


@test("E3: mount and unmount: flags, read-only, exec and noatime as asked; again is no change; unmounted is gone")
def _():
    clear()
    with Helper() as helper:
        before = hostile.state()
        equal(helper.ok("mount", mount_args("one/two", create_target=True)), {"changed": True}, "the mount")
        attributes, fstype, source = mounts()[ROOT + "/one/two"]
        equal((fstype, source), ("ext4", disk.path), "what is mounted")
        want({"rw", "nosuid", "nodev", "noexec"} <= set(attributes), "its attributes are %s" % attributes)
        equal(helper.ok("mount", mount_args("one/two")), {"changed": False}, "the same again")
        helper.refused("mount", mount_args("one/two", readonly=True), "busy")
        equal(helper.ok("unmount", {"target": "one/two"}), {"changed": True}, "unmounting")
        equal(helper.ok("unmount", {"target": "one/two"}), {"changed": False}, "unmounting again")
        helper.ok("mount", mount_args("one/two", readonly=True, exec=True, options=1))
        attributes = mounts()[ROOT + "/one/two"][0]
        want({"ro", "nosuid", "nodev", "noatime"} <= set(attributes) and "noexec" not in attributes, "its attributes are %s" % attributes)
        helper.ok("unmount", {"target": "one/two"})
        clear()
        hostile.unchanged(before)


@test("E4: nothing can be mounted on the mount root itself, on a covered directory, or outside")
def _():
    clear()
    os.mkdir(ROOT + "/covered")
    ground.run("mount", "-t", "tmpfs", "x", ROOT + "/covered")
    with Helper() as helper, Quiet(helper):
        helper.refused("mount", mount_args("covered"), "busy")
        helper.refused("mount", mount_args("absent"), "not_found")
    ground.run("umount", ROOT + "/covered")
    clear()


@test("E5: a source that isn't listed, isn't a block device, or is a link out of /dev is denied")
def _():
    with Helper() as helper, Quiet(helper):
        for source in ("null", "zero", "vda", "loop-control", "shm/x", "disk/by-id/x", "net/tun", "loopx/../vda"[:5] + "y"):
            helper.refused("mount", mount_args("x", source=source, create_target=True), ("denied", "not_found"))
    clear()


@test("E5: a listed link that is swapped to another device while mounting never mounts a device that the answer doesn't mean (200 rounds)")
def _():
    clear()
    directory = "/dev/postern-test-%d" % os.getpid()
    os.mkdir(directory)
    policy = open("/etc/postern/policy.conf").read()
    ground.write("/etc/postern/policy.conf", policy + "mount-source %s/*\n" % directory)
    try:
        link = directory + "/disk"
        os.symlink("../" + os.path.basename(disk.path), link)
        os.symlink("../" + os.path.basename(other.path), link + "2")
        os.symlink("/etc/passwd", directory + "/out")
        os.symlink("../../etc/passwd", directory + "/up")
        with Helper() as helper:
            for name in ("out", "up"):
                helper.refused("mount", mount_args("x", source=directory[5:] + "/" + name, create_target=True), "denied")
            with racer(lambda: exchange(link, link + "2")):
                for _ in range(200):
                    status, _, _ = helper.ask("mount", mount_args("x", source=directory[5:] + "/disk", create_target=True))
                    now = mounts().get(ROOT + "/x")
                    if status == "ok":
                        want(now is not None and now[2] in (disk.path, other.path), "mounted %r" % (now,))
                        st = os.stat(ROOT + "/x")
                        equal(st.st_dev, os.stat(now[2]).st_rdev, "the mounted device beside the one it says")
                    helper.ask("unmount", {"target": "x"})
            helper.serves()
    finally:
        ground.write("/etc/postern/policy.conf", policy)
        subprocess.run(["rm", "-rf", directory], check=True)
        clear()


@test("E3: directories made for a mount belong to the vol cell, and everybody can pass through them to the mount")
def _():
    clear()
    with Helper() as helper:
        helper.ok("mount", mount_args("made/on/the/way", create_target=True))
        for made in ("made", "made/on", "made/on/the"):
            st = os.stat(os.path.join(ROOT, made))
            equal((st.st_uid, st.st_gid, st.st_mode & 0o7777), (ground.VOL, ground.VOL, 0o755), "owner, group and mode of " + made)
        helper.ok("unmount", {"target": "made/on/the/way"})
    clear()


@test("E8: what is busy stays mounted, and goes when asked for lazily")
def _():
    clear()
    with Helper() as helper:
        helper.ok("mount", mount_args("busy", create_target=True))
        held = os.open(ROOT + "/busy", os.O_RDONLY)
        helper.refused("unmount", {"target": "busy"}, "busy")
        want(ROOT + "/busy" in mounts(), "it went though it was busy")
        equal(helper.ok("unmount", {"target": "busy", "lazy": True}), {"changed": True}, "the lazy way")
        os.close(held)
        want(not mounts(), "it stayed")
    clear()


def clear():
    for target in sorted(mounts(), reverse=True):
        libc.umount2(target.encode(), 2)
    for name in os.listdir(ROOT):
        subprocess.run(["rm", "-rf", os.path.join(ROOT, name)], check=False)


disk = loop.Loop(hostile.SCRATCH)
other = loop.Loop(hostile.SCRATCH)
hostile.main(clear)
