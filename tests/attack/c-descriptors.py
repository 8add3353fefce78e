#!/usr/bin/python3
"""C: descriptors that come with a daemon's packets, and those that the helper gives back.  LIMIT: 240"""
import array
import fcntl
import os
import socket
import stat
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import OP, Failed, Helper, Quiet, equal, pack, sealed_memfd, test, want

hostile.enter()
PING = pack([1, OP["ping"], {}])
COMMIT = pack([1, OP["fw_commit"], {"count": 0}])
_before = None


def malformed(packet, fds=(), extra=()):
    """The packet ends the helper with exit 3, and every descriptor in it is closed."""
    global _before
    if _before is None:
        _before = hostile.state()
    helper = Helper()
    read, write = os.pipe()
    try:
        helper.ends_malformed(packet, list(fds) + ([write] if fds else []), extra)
        if fds:
            os.close(write)
            write = None
            os.set_blocking(read, False)
            equal(os.read(read, 1), b"", "the pipe's end: somebody still holds a descriptor")
    finally:
        helper.close()
        os.close(read)
        if write is not None:
            os.close(write)
    hostile.nothing_of_helper_runs()
    hostile.unchanged(_before)


def wrong(packet, fd):
    """This one descriptor isn't what the operation wants: exit 3."""
    global _before
    if _before is None:
        _before = hostile.state()
    helper = Helper()
    try:
        helper.ends_malformed(packet, [fd])
    finally:
        helper.close()
    hostile.unchanged(_before)


@test("C1: descriptors where none are wanted")
def _():
    null = os.open("/dev/null", os.O_RDWR)
    for n in (0, 1, 2, 3, 4, 5, 100, 251):
        malformed(PING, [null] * n) if n else None
    os.close(null)


@test("C1: none, or more than the one that is wanted")
def _():
    records = sealed_memfd(b"")
    malformed(COMMIT)
    for n in (1, 2, 3, 4, 5, 250):
        malformed(COMMIT, [records] * n)  # and one more: see malformed()
    os.close(records)


@test("C1: 10,000 commits with a descriptor each leave no descriptor behind")
def _():
    with Helper() as helper, Quiet(helper):
        for _ in range(10000):
            records = sealed_memfd(b"")
            helper.ok("fw_commit", {"count": 0}, [records])
            os.close(records)


@test("C2: more descriptors than the helper makes room for (MSG_CTRUNC)")
def _():
    null = os.open("/dev/null", os.O_RDWR)
    for n in (4, 5, 8, 16, 64, 251):
        malformed(COMMIT, [null] * n)
    os.close(null)


@test("C3: forged or foreign control messages")
def _():
    SCM_CREDENTIALS = 2
    own = struct.pack("iII", os.getpid(), 0, 0)
    with Helper() as helper, Quiet(helper):
        # Without SO_PASSCRED on its side the kernel drops these: nothing is seen, nothing is believed.
        helper.send(PING, extra=[(socket.SOL_SOCKET, SCM_CREDENTIALS, own)])
        equal(helper.receive()[0][1], 0, "the status")

        def forge():
            hostile.become_daemon()
            try:
                helper.sock.sendmsg([PING], [(socket.SOL_SOCKET, SCM_CREDENTIALS, own)])
            except PermissionError:
                return 7
            return 0
        pid = os.fork()
        if pid == 0:
            os._exit(forge())
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7, "the kernel's answer to a forged credential")


@test("C4: there is no descriptor index on the wire, so a named one is an unknown key")
def _():
    for value in (-1, 0, 1 << 31, 0xffffffff):
        malformed(pack([1, OP["fw_commit"], {"count": 0, "records": value}]))


@test("C5: the helper's own socket, a socket that carries sockets, an epoll, as argument")
def _():
    import select
    helper = Helper()
    mine = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [mine[1].fileno(), mine[0].fileno()]))])
    loop = select.epoll()
    inner = select.epoll()
    loop.register(inner.fileno())
    helper.close()
    for fd in (mine[0].fileno(), mine[1].fileno(), loop.fileno()):
        wrong(COMMIT, fd)
    helper = Helper()
    helper.ends_malformed(COMMIT, [helper.sock.fileno()])
    helper.close()
    hostile.nothing_of_helper_runs()


@test("C6: descriptors that aren't a memfd sealed against writing, growing and shrinking")
def _():
    S = fcntl
    opened = [os.open("/dev/null", os.O_RDWR), os.open("/dev/zero", os.O_RDWR), os.open("/", os.O_RDONLY), os.open("/", os.O_PATH), os.open("/etc/passwd", os.O_RDONLY),
              os.open("/proc/self/mem", os.O_RDWR), os.open("/proc/self/status", os.O_RDONLY), os.pipe()[0], os.memfd_create("x"),
              os.memfd_create("x", os.MFD_ALLOW_SEALING), sealed_memfd(b"", 0), sealed_memfd(b"", S.F_SEAL_WRITE), sealed_memfd(b"", S.F_SEAL_WRITE | S.F_SEAL_GROW | S.F_SEAL_SEAL),
              sealed_memfd(b"", S.F_SEAL_WRITE | S.F_SEAL_SHRINK | S.F_SEAL_SEAL), sealed_memfd(b"", S.F_SEAL_GROW | S.F_SEAL_SHRINK | S.F_SEAL_SEAL),
              sealed_memfd(b"", S.F_SEAL_WRITE | S.F_SEAL_GROW | S.F_SEAL_SHRINK), os.pidfd_open(os.getpid())]
    os.mkfifo(hostile.SCRATCH + "/fifo")
    opened.append(os.open(hostile.SCRATCH + "/fifo", os.O_RDWR))
    master, slave = os.openpty()
    opened += [master, slave]
    deleted = os.open(hostile.SCRATCH + "/deleted", os.O_CREAT | os.O_RDWR)
    os.unlink(hostile.SCRATCH + "/deleted")
    opened.append(deleted)
    whole = sealed_memfd(b"")
    opened.append(os.open("/proc/self/fd/%d" % whole, os.O_PATH))
    for fd in opened:
        try:
            wrong(COMMIT, fd)
        except Failed as e:
            raise Failed("%s: %s" % (os.readlink("/proc/self/fd/%d" % fd), e))
    for fd in opened + [whole]:
        os.close(fd)
    os.unlink(hostile.SCRATCH + "/fifo")


@test("C6: descriptors that aren't a plain file open for reading, given as a VM's disk")
def _():
    give = pack([1, OP["jail_give"], {"vmm": hostile.VMM_QEMU, "id": "c6", "slot": 2, "path": "default/root.ext4"}])
    path = hostile.SCRATCH + "/plain"
    with open(path, "w") as f:
        f.write("x")
    opened = [os.open("/dev/zero", os.O_RDONLY), os.open(hostile.SCRATCH, os.O_RDONLY), os.open(path, os.O_PATH), os.open(path, os.O_WRONLY), os.pipe()[0], os.openpty()[1]]
    for fd in opened:
        wrong(give, fd)
    for fd in opened:
        os.close(fd)
    os.unlink(path)


@test("C6: a plain file, a directory or another character device where a tap's queue is wanted")
def _():
    spec = sealed_memfd(bytes(64))
    spawn = pack([1, OP["jail_spawn"], {"vmm": hostile.VMM_QEMU, "id": "c6"}])
    before = hostile.state()
    for path, flags in (("/etc/passwd", os.O_RDONLY), ("/", os.O_RDONLY), ("/dev/null", os.O_RDWR), ("/dev/zero", os.O_RDWR), ("/dev/net/tun", os.O_RDONLY), ("/dev/net/tun", os.O_PATH)):
        fd = os.open(path, flags)
        helper = Helper()
        helper.ends_malformed(spawn, [spec, fd])
        helper.close()
        os.close(fd)
    hostile.unchanged(before)
    os.close(spec)


@test("C6: a memfd shorter than its records are said to be")
def _():
    with Helper() as helper, Quiet(helper):
        for size in (0, 1, 10, 80):
            records = sealed_memfd(bytes(size))
            helper.refused("fw_commit", {"count": 1000}, ("invalid", "denied", "io"), fds=[records])
            os.close(records)


@test("C10: the tap's queue comes back as that, close-on-exec, and cannot be turned into another tap")
def _():
    with Helper() as helper:
        before = hostile.state()
        results, fds = helper.ok("tap_create", {"name": "pt-c10", "want_fd": True})
        try:
            equal(len(fds), 1, "descriptors")
            st = os.fstat(fds[0])
            want(stat.S_ISCHR(st.st_mode) and st.st_rdev == os.makedev(10, 200), "it is no tap")
            TUNGETIFF, TUNSETIFF = 0x800454d2, 0x400454ca
            name = fcntl.ioctl(fds[0], TUNGETIFF, bytes(40))[:16].rstrip(b"\0")
            equal(name, b"pt-c10", "its name")
            pid = os.fork()
            if pid == 0:
                try:
                    hostile.become_daemon()
                    fcntl.ioctl(fds[0], TUNSETIFF, struct.pack("16sH22x", b"eth9", 0x1002))
                    os._exit(1)
                except OSError:
                    os._exit(0)
            equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "whether it became another tap")
        finally:
            for fd in fds:
                os.close(fd)
            helper.ok("links_del", {"names": ["pt-c10"]})
        helper.serves()
        hostile.unchanged(before)


@test("C10: an operation that answers no descriptor answers none")
def _():
    with Helper() as helper:
        for op, args in (("ping", {}), ("link_add", {"kind": 0, "name": "pt-br-c10"}), ("links_del", {"names": ["pt-br-c10"]}), ("tap_create", {"name": "pt-c10b"}), ("links_del", {"names": ["pt-c10b"]})):
            status, _, fds = helper.ask(op, args)
            equal((status, fds), ("ok", []), op)


hostile.main()
