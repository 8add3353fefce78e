#!/usr/bin/python3
"""The way in through init: root starts the helper with a listening socket as descriptor 3, and it accepts the daemon and nobody else."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import hostile
import ground
from hostile import equal, test, want

hostile.enter()
PATH = "/run/postern-helper-test.sock"


class Listening:
    """A helper started by root on a listening socket; connect() gives the other end, as a given uid."""

    def __init__(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.path.exists(PATH):
            os.unlink(PATH)
        listener.bind(PATH)
        os.chmod(PATH, 0o666)  # the helper must keep strangers out by itself
        listener.listen(8)
        mine, spare = socket.socketpair()
        self.helper = hostile.Helper(as_daemon=False, hello=False, pair=(mine, listener.dup()))
        self.keep = [spare, listener]  # as init keeps its socket

    def connect(self, uid):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.setegid(uid)
        os.seteuid(uid)
        try:
            s.connect(PATH)
        finally:
            os.seteuid(0)
            os.setegid(0)
        s.settimeout(5)
        return s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.helper.close()
        for s in self.keep:
            s.close()
        os.unlink(PATH)


@test("A35: started by init, it serves the daemon that connects, and ends with it")
def _():
    with Listening() as one:
        one.helper.sock = one.connect(ground.DAEMON)
        one.helper.hello()
        one.helper.serves()
        one.helper.sock.close()
        equal(one.helper.wait(), hostile.EXIT_PEER, "its exit code")


@test("A36: started by init, it turns strangers away unheard, root among them, and still serves the daemon")
def _():
    with Listening() as one:
        for uid in (0, 1, ground.NET, ground.DAEMON + 100):
            stranger = one.connect(uid)
            try:
                stranger.send(hostile.pack([0, 1, {"rows": hostile.ROWS_HASH}]))
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                got = stranger.recv(1024)
            except ConnectionResetError:
                got = b""
            equal(got, b"", "what a stranger of uid %d hears" % uid)
            stranger.close()
        one.helper.sock = one.connect(ground.DAEMON)
        one.helper.hello()
        one.helper.serves()


@test("B22: started by init, a second daemon isn't served beside the first")
def _():
    with Listening() as one:
        one.helper.sock = one.connect(ground.DAEMON)
        one.helper.hello()
        second = one.connect(ground.DAEMON)
        second.settimeout(0.5)
        try:
            want(second.recv(1024) == b"", "the second was answered")
        except socket.timeout:
            pass
        second.close()
        one.helper.serves()


@test("a second helper doesn't start beside the first, and starts once that is gone")
def _():
    with hostile.Helper() as first:
        second = hostile.Helper(hello=False)
        equal(second.wait(5), hostile.EXIT_REFUSED, "the second's exit code")
        want("another helper is running" in second.stderr(), "the second says why")
        second.close()
        first.serves()
    with hostile.Helper() as third:
        third.serves()


def has_ended(pid):
    try:
        return hostile.status_of(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


@test("killed one by one, each process takes the whole helper with it within a second")
def _():
    for name in ["postern-helper"] + hostile.CELLS:
        with hostile.Helper() as helper:
            processes = helper.processes()
            os.kill(processes[name], 9)
            code = helper.wait(1)
            equal(code, -9 if name == "postern-helper" else hostile.EXIT_DIED, "the exit code when %s dies" % name)
            for other, pid in processes.items():
                for _ in range(100):
                    if has_ended(pid):
                        break
                    hostile.time.sleep(0.01)
                else:
                    want(False, "%s outlives %s" % (other, name))


hostile.main()
