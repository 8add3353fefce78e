#!/usr/bin/python3
"""postern-vsock alone: what it refuses to start with, and how it ends when its QEMU breaks the protocol."""
import os, re, shutil, socket, struct, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from guestkit import BUILD, CID, VSOCK_MAGIC
from vsockvm import spawn

GOOD = struct.pack("=IIQ", VSOCK_MAGIC, 1, CID)
TESTS = []


def test(sentence):
    return lambda run: TESTS.append((sentence, run))


def check(condition, why):
    if not condition:
        raise AssertionError(why)


class Backend:
    """postern-vsock with a fake QEMU on the other end; boot: the bytes of fd 5, leave_out: a descriptor not given."""

    def __init__(self, boot=GOOD, leave_out=None, nofile=4096, kind=socket.SOCK_STREAM):
        self.dir = tempfile.mkdtemp(prefix="postern-vsock-")
        self.qemu, theirs = socket.socketpair(socket.AF_UNIX, kind)
        self.qemu.settimeout(5)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(self.dir, "vsock.sock"))
        listener.listen(128)
        r, w = os.pipe()
        os.write(w, boot)
        os.close(w)
        fds = {3: theirs.fileno(), 4: listener.fileno(), 5: r}
        fds.pop(leave_out, None)
        os.chmod(self.dir, 0o755)
        program = shutil.copy(os.path.join(BUILD, "bin", "postern-vsock"), self.dir)
        limit = ["prlimit", "--nofile=%d:%d" % (nofile, nofile), program]
        self.process = spawn(limit, fds, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for s in (theirs, listener):
            s.close()
        os.close(r)

    def send(self, request, payload=b"", flags=1):
        self.qemu.sendall(struct.pack("=III", request, flags, len(payload)) + payload)

    def end(self):
        """(exit code, stderr) once it ended."""
        try:
            _, err = self.process.communicate(timeout=5)
        finally:
            self.process.kill()
            self.process.wait()
            self.qemu.close()
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.process.returncode, err.decode()


def ends(backend, code):
    got, err = backend.end()
    check(got == code, "exit code %s: %s" % (got, err))
    check(code == 0 and err == "" or re.fullmatch(r"postern-vsock: [^\n]+\n", err), "not one line on stderr: %r" % err)


@test("it answers QEMU's first question, and ends with 0 when QEMU closes")
def _():
    b = Backend()
    b.send(1)
    check(b.qemu.recv(64) == struct.pack("=IIIQ", 1, 5, 8, 0x140000000), "wrong features")
    b.qemu.shutdown(socket.SHUT_RDWR)
    ends(b, 0)


@test("it refuses to start without a good vsock_boot on fd 5")
def _():
    for boot in (b"", GOOD[:15], struct.pack("=IIQ", 1, 1, CID), struct.pack("=IIQ", VSOCK_MAGIC, 2, CID),
                 struct.pack("=IIQ", VSOCK_MAGIC, 1, 2), struct.pack("=IIQ", VSOCK_MAGIC, 1, 1 << 32)):
        ends(Backend(boot), 2)


@test("it refuses to start without each of its descriptors")
def _():
    for fd in (3, 4, 5):
        ends(Backend(leave_out=fd), 2)


@test("it refuses to start when it may not open enough files for 1023 connections")
def _():
    ends(Backend(nofile=1024), 2)


@test("a request that isn't offered ends it with 1 and one line")
def _():
    for request in (0, 4000, 20, 0xffffffff):
        b = Backend()
        b.send(request)
        ends(b, 1)


@test("a torn message, a wrong version and an endless one end it with 1 and one line")
def _():
    b = Backend()
    b.qemu.sendall(b"\1\0\0")
    b.qemu.shutdown(socket.SHUT_WR)
    ends(b, 1)
    for flags, size in ((0, 0), (5, 0), (1, 0xffffffff)):
        b = Backend()
        b.qemu.sendall(struct.pack("=III", 1, flags, size))
        ends(b, 1)


@test("a QEMU that asks and never reads ends it with 1 rather than blocking it")
def _():
    b = Backend()
    b.qemu.settimeout(2)
    try:
        for _ in range(100000):
            b.send(1)
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        pass
    ends(b, 1)


@test("a client that connects while QEMU says nothing is held, then dropped at the deadline")
def _():
    b = Backend()
    b.send(1)
    b.qemu.recv(64)
    c = socket.socket(socket.AF_UNIX)
    c.settimeout(8)
    start = time.monotonic()
    c.connect(os.path.join(b.dir, "vsock.sock"))
    c.sendall(b"CONNECT 1024\n")
    check(c.recv(1) == b"" and 4.5 < time.monotonic() - start < 6.5, "after %.1f s" % (time.monotonic() - start))
    b.qemu.shutdown(socket.SHUT_RDWR)
    ends(b, 0)


def main():
    failed = 0
    for sentence, run in TESTS:
        try:
            run()
            print("ok - " + sentence)
        except Exception as e:  # a test's failure is its line; the others go on
            failed += 1
            print("not ok - %s: %s: %s" % (sentence, type(e).__name__, e))
        sys.stdout.flush()
    return 1 if failed else 0


sys.exit(main())
