#!/usr/bin/env python3
"""posternd as a process: start, confinement, reload, death and restart, without a helper.  LIMIT: 120"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from rpctest import TOP, Line, Skip, call, check, equal, eventually, run_tests, test  # noqa: E402

BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
UID = 64990 if os.getuid() == 0 else os.getuid()
IS_ROOT = os.getuid() == 0


class Daemon:
    """A posternd of its own in a directory of its own."""

    def __init__(self, config="", acl=None):
        self.d = tempfile.mkdtemp(prefix="postern-life-")
        os.makedirs(self.d + "/state")
        os.makedirs(self.d + "/run")
        shutil.copy(BUILD + "/bin/posternd", self.d + "/posternd")
        self.write("postern.toml", config)
        self.write("acl.toml", acl if acl is not None else '[policy]\nanonymous_local = "admin"\n')
        for p in (self.d, self.d + "/state", self.d + "/run"):
            os.chown(p, UID, UID)
        os.environ["POSTERN_SOCKET"] = self.socket = self.d + "/run/rpc.sock"
        self.process = None
        self.world = []  # command that the daemon is run by

    def write(self, name, text):
        with open(self.d + "/" + name, "w") as f:
            f.write(text)

    def spawn(self, *more, state=None):
        command = [self.d + "/posternd", "--config", self.d + "/postern.toml", "--acl", self.d + "/acl.toml", "--state-dir", state or self.d + "/state",
                   "--socket", self.socket, *more]
        if IS_ROOT:
            command = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "--inh-caps=-all", *command]
        command = self.world + command
        with open(self.d + "/log", "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, *more):
        self.process = self.spawn(*more)
        eventually(self.answers)
        return self

    def answers(self):
        try:
            c = Line()
            c.s.settimeout(2)
            fine = c.ask(call("rpc.health"))["id"] == 1
            c.close()
            return fine
        except Exception:  # not there yet
            return False

    def log(self):
        with open(self.d + "/log") as f:
            return f.read()

    def worker(self):
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE, universal_newlines=True).stdout.split()
        return int(found[0]) if found else None

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        shutil.rmtree(self.d)


def life(config="", acl=None):
    """Runs a test with a started daemon and stops it."""
    def wrap(function):
        def run():
            d = Daemon(config, acl)
            try:
                function(d.start())
            finally:
                d.stop()
        return run
    return wrap


def refuses(config="", acl=None):
    """Exit code and log of a daemon that isn't to start."""
    d = Daemon(config, acl)
    p = d.spawn()
    code = p.wait(10)
    text = d.log()
    d.stop()
    return code, text


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


@test("posternd doesn't run as root")
def _():
    if not IS_ROOT:
        raise Skip("only root can try")
    p = subprocess.run([BUILD + "/bin/posternd"], stderr=subprocess.PIPE, universal_newlines=True)
    equal(p.returncode, 2)
    check("never as root" in p.stderr, p.stderr)


@test("--help and --version answer, an unknown flag or an argument is a usage error")
def _():
    def run(*args):
        p = subprocess.run([BUILD + "/bin/posternd", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        return p.returncode, p.stdout, p.stderr
    equal(run("--help")[0], 0)
    check(re.fullmatch(r"posternd \d+\.\d+\.\d+\n", run("--version")[1]))
    for args in (("--nonsense",), ("word",), ("--config",)):
        code, out, err = run(*args)
        equal((code, out), (2, ""))
        check("usage: posternd" in err)


@test("a wrong configuration or access list stops the start and names file, line, column and key")
def _():
    for config, acl, want in (("[rpc]\nmax_body = 1\n", None, r'postern\.toml:2:12: unknown key "?.*max_body'),
                              ("[rpc]\nmax_body_bytes = 1\n", None, r"postern\.toml:2:18: .*max_body_bytes.* is 1, allowed is 4096 to"),
                              ("[log]\nlevel = 'loud'\n", None, r"postern\.toml:2:9: .*loud.* is no level"),
                              ("[vm]\nvmm = \"xen\"\n", None, r"postern\.toml:2:7: .*xen.* is no VMM"),
                              ("[state]\ndir = 'x'\n", None, r"postern\.toml:2:7: .*absolute path"),
                              ("", "[[ace]]\n", r"acl\.toml:1:1: .*right.* is missing")):
        code, log = refuses(config, acl)
        equal(code, 1)
        check(re.search(want, log), log)


@test("the socket has mode 0660")
@life()
def _(d):
    equal(os.stat(d.socket).st_mode & 0o7777, 0o660)


@test("a second daemon on the same state directory is refused and told who holds it, and the first goes on")
@life()
def _(d):
    held = d.worker()
    first, d.socket = d.socket, d.d + "/run/second.sock"
    equal(d.spawn().wait(10), 1)
    check("another posternd uses this state directory" in d.log() and "pid=%d" % held in d.log(), d.log())
    d.socket = first
    check(d.answers())


@test("a socket that nobody listens on is replaced, one in use and other files are not")
def _():
    d = Daemon()
    s = socket.socket(socket.AF_UNIX)
    s.bind(d.socket)
    os.chown(d.socket, UID, UID)
    s.listen()
    equal(d.spawn().wait(10), 1)
    check("already listens" in d.log(), d.log())
    s.close()
    d.start()
    d.process.terminate()
    d.process.wait(10)
    with open(d.socket, "w") as f:
        f.write("mine")
    equal(d.spawn().wait(10), 1)
    with open(d.socket) as f:
        equal(f.read(), "mine")
    d.stop()


@test("the worker has no capability, no_new_privs, a seccomp filter, and can't be traced by its own uid; the parent has no filter")
@life()
def _(d):
    s = status(d.worker())
    equal([s[c] for c in ("CapInh", "CapPrm", "CapEff", "CapAmb")], ["0" * 16] * 4)
    equal((s["NoNewPrivs"], s["Seccomp"], s["Uid"].split()), ("1", "2", [str(UID)] * 4))
    if IS_ROOT:
        equal(os.stat("/proc/%d/mem" % d.worker()).st_uid, 0)  # not dumpable
    s = status(d.process.pid)
    equal((s["NoNewPrivs"], s["Seccomp"], s["CapEff"]), ("0", "0", "0" * 16))


@test("each life of the worker has an address space of its own")
@life()
def _(d):
    def base():
        with open("/proc/%d/maps" % d.worker()) as f:
            return f.readline().split("-")[0]
    if not IS_ROOT:
        raise Skip("the worker isn't dumpable: only root can look")
    first = base()
    os.kill(d.worker(), signal.SIGKILL)
    eventually(d.answers)
    check(base() != first)


@test("a worker that is killed is back within 2 s, again and again")
@life()
def _(d):
    for _ in range(3):
        before = d.worker()
        os.kill(before, signal.SIGKILL)
        begun = time.monotonic()
        eventually(lambda: d.worker() not in (None, before) and d.answers(), 5)
        check(time.monotonic() - begun < 2, "it took %.1f s" % (time.monotonic() - begun))


@test("when the parent is killed the worker goes too, and leaves the way free")
@life()
def _(d):
    worker = d.worker()
    d.process.kill()
    d.process.wait()
    eventually(lambda: not os.path.exists("/proc/%d" % worker), 2)
    d.start()


@test("SIGTERM ends both with exit 0 and removes the socket")
@life()
def _(d):
    worker = d.worker()
    d.process.terminate()
    equal(d.process.wait(5), 0)
    check(not os.path.exists(d.socket))
    check(not os.path.exists("/proc/%d" % worker))


@test("SIGHUP puts a new access list in force, for connections that are open as well")
@life(acl='[policy]\nanonymous_local = "none"\n')
def _(d):
    c = Line()
    equal(c.ask(call("rpc.health"))["error"]["code"], -32001)
    d.write("acl.toml", '[policy]\nanonymous_local = "read"\n')
    d.process.send_signal(signal.SIGHUP)
    eventually(lambda: "result" in c.ask(call("rpc.health")))


@test("a reload with a mistake changes nothing, and the log says where it is")
@life()
def _(d):
    d.write("acl.toml", '[policy]\nanonymous_local = "everything"\n')
    d.write("postern.toml", "[rpc]\nmax_body_bytes = 4096\n")
    d.process.send_signal(signal.SIGHUP)
    eventually(lambda: "reload refused" in d.log())
    check("acl.toml:2:19" in d.log(), d.log())
    c = Line()
    equal(c.ask(call("rpc.whoami"))["result"]["rights"]["net"], "admin")
    check("result" in c.ask(call("rpc.health") + " " * 5000))


@test("a file put in place of the access list by rename is found by a reload")
@life()
def _(d):
    d.write("new", '[policy]\nanonymous_local = "read"\n')
    os.rename(d.d + "/new", d.d + "/acl.toml")
    d.process.send_signal(signal.SIGHUP)
    c = Line()
    eventually(lambda: c.ask(call("rpc.whoami"))["result"]["rights"]["net"] == "read")


@test("a thousand connections that come and go leave no descriptor behind")
@life()
def _(d):
    if not IS_ROOT:
        raise Skip("the worker isn't dumpable: only root can look")
    fds = "/proc/%d/fd" % d.worker()
    d.answers()
    before = len(os.listdir(fds))
    for i in range(1000):
        c = Line()
        if i % 3 == 0:
            c.send('{"half')
        elif i % 3 == 1:
            c.send(call("rpc.health") + "\n")
        c.close()
    eventually(lambda: len(os.listdir(fds)) == before)


# In a mount namespace of its own: a helper that says it saw a malformed packet, and a place for init's socket.
FAKE_HELPER = """
mount -t tmpfs none /usr/libexec && mkdir /usr/libexec/postern && printf '#!/bin/sh\\nsleep 0.05\\nexit %s\\n' >/usr/libexec/postern/postern-helper &&
chmod 755 /usr/libexec/postern/postern-helper && exec "$@"
"""
FAKE_INIT = """
mount --bind "$0" /mnt && mount -t tmpfs none /run && mkdir /run/postern-helper && mount --bind /mnt /run/postern-helper && exec "$@"
"""


@test("a helper that saw a malformed packet takes the worker with it, and both come back")
def _():
    if not IS_ROOT:
        raise Skip("only root may mount")
    d = Daemon()
    d.world = ["unshare", "--mount", "sh", "-c", FAKE_HELPER % 3, "sh"]
    d.start()
    try:
        eventually(lambda: d.log().count("saw a malformed packet") >= 2)
        eventually(d.answers)
        equal(len(set(re.findall(r"side=worker pid=(\d+)", d.log()))), d.log().count("side=worker"))
    finally:
        d.stop()


@test("a helper that ends otherwise leaves the worker alone, and is started again ever more slowly")
def _():
    if not IS_ROOT:
        raise Skip("only root may mount")
    d = Daemon()
    d.world = ["unshare", "--mount", "sh", "-c", FAKE_HELPER % 2, "sh"]
    d.start()
    try:
        worker = d.worker()
        time.sleep(4)
        check("side=worker" not in d.log(), d.log())
        starts = d.log().count("side=helper")
        check(3 <= starts <= 7, "%d starts in 4 s" % starts)
    finally:
        d.stop()


@test("where init listens for the helper it is connected to, and again when it ends")
def _():
    if not IS_ROOT:
        raise Skip("only root may mount")
    d = Daemon()
    os.makedirs(d.d + "/init")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(d.d + "/init/helper.sock")
    os.chmod(d.d + "/init/helper.sock", 0o666)
    listener.listen()
    listener.settimeout(5)
    d.world = ["unshare", "--mount", "sh", "-c", FAKE_INIT, d.d + "/init"]
    d.process = d.spawn()
    try:
        for _ in range(3):
            connection, _ = listener.accept()
            connection.settimeout(5)
            check(connection.recv(4096), "the worker said nothing")
            connection.close()
    finally:
        listener.close()
        d.stop()


@test("log lines are key=value, with time, level, program and event")
@life()
def _(d):
    for line in d.log().splitlines():
        check(re.fullmatch(r'time=\S+Z level=(error|warn|info|debug) prog=posternd event=("[^"]*"|\S+)( \w+=("([^"\\]|\\.)*"|\S+))*', line), line)


sys.exit(run_tests())
