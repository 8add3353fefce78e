#!/usr/bin/python3
"""H: Open vSwitch's sockets: handed out where the policy says so, and only what is certainly root's.  LIMIT: 180"""
import fcntl
import os
import shutil
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import OP, Helper, Quiet, equal, pack, test, want

hostile.enter()
POLICY = "/etc/postern/policy.conf"
GOOD = "".join(line for line in open(POLICY) if not line.startswith("ovs "))
RUN = "/run/openvswitch"
DATABASE, SWITCH = 0, 1
PID = 4242


class Ovs:
    """The directory as Open vSwitch leaves it, with two sockets that a test listens on; spoil() runs before anything is asked."""

    def __init__(self, spoil=None):
        self.spoil = spoil

    def __enter__(self):
        os.mkdir(RUN, 0o755)
        self.doors = [self.listen("db.sock"), self.listen("ovs-vswitchd.%d.ctl" % PID)]
        ground.write(RUN + "/ovs-vswitchd.pid", "%d\n" % PID)
        if self.spoil is not None:
            self.spoil(self)
        return self

    def __exit__(self, *_):
        for door in self.doors:
            door.close()
        if os.path.islink(RUN):
            os.unlink(RUN)
        shutil.rmtree(RUN, ignore_errors=True)
        shutil.rmtree(RUN + ".real", ignore_errors=True)

    @staticmethod
    def listen(name, backlog=8):
        s = socket.socket(socket.AF_UNIX)
        s.bind(os.path.join(RUN, name))
        os.chmod(os.path.join(RUN, name), 0o750)
        s.listen(backlog)
        s.setblocking(False)
        return s

    def knocked(self):
        """Whether anybody has connected."""
        for door in self.doors:
            try:
                door.accept()[0].close()
                return True
            except OSError:
                pass
        return False


def allowed(doors="database switch"):
    ground.write(POLICY, GOOD + ("ovs %s\n" % doors if doors else ""))
    try:
        return Helper()
    finally:
        ground.write(POLICY, GOOD)


def each_refused(status, rule, door, *spoils):
    with allowed() as helper:
        for spoil in spoils:
            with Ovs(spoil) as ovs, Quiet(helper):
                helper.refused("ovs_socket", {"door": door}, status, rule)
                want(not ovs.knocked(), "somebody connected")


def connected(helper, door):
    _, fds = helper.ok("ovs_socket", {"door": door})
    equal(len(fds), 1, "descriptors")
    return socket.socket(fileno=fds[0])


@test("H5: without a word in the policy neither of Open vSwitch's sockets is handed out")
def _():
    with allowed("") as helper, Ovs() as ovs, Quiet(helper):
        for door in (DATABASE, SWITCH):
            helper.refused("ovs_socket", {"door": door}, "denied", "ovs")
        want(not ovs.knocked(), "somebody connected")


@test("each of Open vSwitch's sockets is allowed apart")
def _():
    for name, yes, no in (("database", DATABASE, SWITCH), ("switch", SWITCH, DATABASE)):
        with allowed(name) as helper, Ovs():
            connected(helper, yes).close()
            helper.refused("ovs_socket", {"door": no}, "denied", "ovs")


@test("a policy line about Open vSwitch that names another socket, or none, is a refusal to start")
def _():
    for line in ("ovs on", "ovs", "ovs database switch database", "ovs Database", "ovs 3"):
        ground.write(POLICY, GOOD + line + "\n")
        helper = Helper(hello=False)
        equal(helper.wait(), hostile.EXIT_REFUSED, "the exit code with " + line)
        ground.write(POLICY, GOOD)
        helper.close()


@test("the socket handed out is connected to that very socket, by uid 0, doesn't block, and carries bytes both ways")
def _():
    with allowed() as helper, Ovs() as ovs:
        for door in (DATABASE, SWITCH):
            ours = connected(helper, door)
            theirs, _ = ovs.doors[door].accept()
            theirs.setblocking(True)
            pid, uid, _ = struct.unpack("3i", theirs.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            equal(uid, 0, "uid of the peer")
            want(pid not in helper.processes().values(), "a process of the helper itself connected")
            want(fcntl.fcntl(ours.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK, "it blocks")
            ours.send(b"to them")
            equal(theirs.recv(64), b"to them", "what arrives there")
            theirs.send(b"to us")
            equal(ours.recv(64), b"to us", "what arrives here")
            theirs.close()
            ours.close()


@test("where Open vSwitch isn't there, or left its socket behind, the answer is unsupported")
def _():
    with allowed() as helper, Quiet(helper):
        for door in (DATABASE, SWITCH):
            helper.refused("ovs_socket", {"door": door}, "unsupported", "ovs")
    each_refused("unsupported", "ovs", DATABASE, lambda o: os.unlink(RUN + "/db.sock"), lambda o: o.doors[0].close())
    each_refused("unsupported", "ovs", SWITCH, lambda o: os.unlink(RUN + "/ovs-vswitchd.pid"), lambda o: os.unlink(RUN + "/ovs-vswitchd.%d.ctl" % PID),
                 lambda o: o.doors[1].close())


def becomes_link(o):
    os.rename(RUN, RUN + ".real")
    os.symlink(RUN + ".real", RUN)


@test("H3, D2: a directory that isn't root's alone, or is a symlink or a file, is refused, and nobody connects")
def _():
    spoils = [lambda o: os.chown(RUN, ground.DAEMON, 0), lambda o: os.chmod(RUN, 0o775), lambda o: os.chmod(RUN, 0o757), lambda o: os.chmod(RUN, 0o1777),
              becomes_link]
    for door in (DATABASE, SWITCH):
        each_refused("denied", "ovs directory", door, *spoils)
    with allowed() as helper, Quiet(helper):
        ground.write(RUN, "")
        helper.refused("ovs_socket", {"door": DATABASE}, "denied", "ovs directory")
        os.unlink(RUN)


def another(make):
    """What lies at the socket's name is something else."""
    def spoil(o):
        os.rename(RUN + "/db.sock", RUN + "/other.sock")
        make(RUN + "/db.sock")
    return spoil


@test("D2: a socket that is a symlink, a file, a FIFO, a directory, a device or another user's is refused, and nobody connects")
def _():
    each_refused("denied", "ovs socket", DATABASE, another(lambda p: os.symlink("other.sock", p)), another(lambda p: ground.write(p, "")), another(os.mkfifo),
                 another(os.mkdir), another(lambda p: os.mknod(p, 0o20666, os.makedev(1, 3))), lambda o: os.chown(RUN + "/db.sock", ground.DAEMON, ground.DAEMON))


@test("a pidfile that holds anything but one process's number is refused, and nobody connects")
def _():
    def holds(text):
        return lambda o: ground.write(RUN + "/ovs-vswitchd.pid", text)
    each_refused("denied", "ovs pidfile", SWITCH, *map(holds, ("", "\n", "0\n", "%d" % PID, "0%d\n" % PID, "-1\n", " %d\n" % PID, "%d \n" % PID, "%d\n%d\n" % (PID, PID), "4194305\n",
                 "99999999999999999999\n", "../db\n", "%d.ctl/../../x\n" % PID, "4242\0\n", "4" * 100, "$PID\n", "0x1092\n")))


@test("H3, D2: a pidfile that is a symlink, a FIFO, a directory, another user's or others' to write is refused, and nobody connects or waits")
def _():
    path = RUN + "/ovs-vswitchd.pid"

    def replace(make):
        def spoil(o):
            os.rename(path, path + ".real")
            make(path)
        return spoil
    each_refused("denied", "ovs pidfile", SWITCH, replace(lambda p: os.symlink("ovs-vswitchd.pid.real", p)), replace(os.mkfifo), replace(os.mkdir),
                 lambda o: os.chown(path, ground.DAEMON, 0), lambda o: os.chmod(path, 0o664), lambda o: os.chmod(path, 0o646))


@test("a server that takes no more connections holds nobody up")
def _():
    def fill(o):
        o.doors[0].listen(0)
        o.clients = []
        for _ in range(4):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            o.clients.append(s)
            try:
                s.connect(RUN + "/db.sock")
            except BlockingIOError:
                break
    with allowed() as helper, Ovs(fill), Quiet(helper):
        helper.refused("ovs_socket", {"door": DATABASE}, "io", "connect")


@test("two hundred connections leave no descriptor and no process behind")
def _():
    with allowed() as helper, Ovs() as ovs:
        connected(helper, DATABASE).close()
        before = helper.descriptors()
        for _ in range(200):
            connected(helper, DATABASE).close()
            ovs.doors[0].accept()[0].close()
        spawn = helper.processes()["postern-spawn"]
        end = time.monotonic() + 10
        # Fewer is well: the broker may have had the first connection's end open still when they were counted.
        while any(n > before[name] for name, n in helper.descriptors().items()) or hostile.children(spawn):
            want(time.monotonic() < end, "left: %r of %r, and children %r" % (helper.descriptors(), before, hostile.children(spawn)))
            time.sleep(0.05)


@test("a door that there isn't is malformed")
def _():
    for door in (2, 255, 0xffffffff):
        helper = allowed()
        helper.ends_malformed(pack([1, OP["ovs_socket"], {"door": door}]))
        helper.close()


ground.write(POLICY, GOOD)
hostile.main()
