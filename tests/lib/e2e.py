"""End-to-end tests: a JSON-RPC client, and a VM to try things on.  `enter()` at a program's top runs it under tests/with-daemon."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import ground
from report import Failed, Skipped, equal, main, test, want

BOOT = 60.0  # seconds that a VM may take to run, on two shared cores without hardware virtualization


def enter(*options):
    """Runs the calling program again beside a private daemon, unless it is there already."""
    if "POSTERN_SOCKET" not in os.environ or "POSTERN_TEST_WORLD" not in os.environ:
        os.execv(os.path.join(ground.TOP, "tests", "with-daemon"), ["with-daemon", *options, os.path.realpath(sys.argv[0]), *sys.argv[1:]])


def enter_with(policy=None, config=None):
    """The same with a policy.conf or postern.toml of this text; in the policy @CGROUP@ becomes the world's cgroup."""
    if "POSTERN_SOCKET" in os.environ and "POSTERN_TEST_WORLD" in os.environ:
        return
    with tempfile.TemporaryDirectory(prefix="postern-e2e-") as d:
        command = [os.path.join(ground.TOP, "tests", "with-daemon")]
        for option, text in (("--policy", policy), ("--config", config)):
            if text is not None:
                ground.write(os.path.join(d, option[2:]), text)
                command += [option, os.path.join(d, option[2:])]
        sys.exit(subprocess.run(command + [os.path.realpath(sys.argv[0]), *sys.argv[1:]]).returncode)


class Error(Failed):
    """A JSON-RPC error."""

    def __init__(self, method, error):
        self.code, self.message, self.data = error["code"], error["message"], error.get("data") or {}
        super().__init__("%s: %d %s %s" % (method, self.code, self.message, json.dumps(self.data)))


class Client:
    """One connection with line framing."""

    def __init__(self, path=None, timeout=BOOT + 30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path or os.environ["POSTERN_SOCKET"])
        self.file = self.sock.makefile("rwb")
        self.id = 0

    def close(self):
        try:
            self.file.close()
        except OSError:
            pass  # what it still held goes nowhere
        self.sock.close()

    def ask(self, method, params=None):
        """The whole answer."""
        self.id += 1
        request = {"jsonrpc": "2.0", "id": self.id, "method": method}
        if params is not None:
            request["params"] = params
        self.file.write(json.dumps(request).encode() + b"\n")
        self.file.flush()
        line = self.file.readline()
        want(line, "%s: the daemon closed the connection" % method)
        answer = json.loads(line)
        equal((answer.get("jsonrpc"), answer.get("id")), ("2.0", self.id), "the envelope of %s" % method)
        return answer

    def __call__(self, method, **params):
        answer = self.ask(method, params)
        if "error" in answer:
            raise Error(method, answer["error"])
        if not params.get("dry_run"):
            succeeded(method)
        return answer["result"]


def succeeded(method, noted=set()):
    """Notes for tests/methods that a method did what it is for."""
    if method in noted:
        return
    noted.add(method)
    try:
        os.makedirs(ground.BUILD + "/test-output/succeeded", exist_ok=True)
        open(ground.BUILD + "/test-output/succeeded/" + method, "w").close()
    except OSError:
        pass  # in a guest, which has no build directory


_client = None


def call(method, **params):
    """Calls a method and gives back its result; an error fails the test."""
    global _client
    if _client is None:
        _client = Client()
    try:
        return _client(method, **params)
    except (OSError, ValueError, Failed) as e:
        if not isinstance(e, Error):
            _client = None
        raise


def fails(method, code, kind=None, **params):
    """The call is answered with this error, and its data says this kind."""
    try:
        result = call(method, **params)
    except Error as e:
        equal(e.code, code, "the code of %s" % e)
        if kind is not None:
            kinds = kind if isinstance(kind, tuple) else (kind,)
            want(e.data.get("kind") in kinds, "kind of %s isn't %s" % (e, " or ".join(kinds)))
        return e
    raise Failed("%s %r succeeded: %r" % (method, params, result))


def invalid(method, named, **params):
    """The parameters are refused with -32602, and the message names the one to blame."""
    e = fails(method, -32602, **params)
    want(named in e.message + json.dumps(e.data), "%s doesn't name %s" % (e, named))


def dry(method, **params):
    """With dry_run the method says what would change and changes nothing that ip, nft and mountinfo show."""
    before = shown()
    result = call(method, dry_run=True, **params)
    equal(shown(), before, "the state after a dry run of " + method)
    return result


def shown():
    text = ground.run("ip", "-o", "-d", "link") + ground.run("ip", "-o", "address") + ground.run("nft", "list", "ruleset")
    text = re.sub(r"\S*_timer\s+[\d.]+|NO-CARRIER,|,LOWER_UP|state \w+| tentative|valid_lft \S+ preferred_lft \S+", "", text)
    return text + open("/proc/self/mountinfo").read()


def links():
    """By name; where a link goes under its dump, ip prints nothing."""
    text = ""
    for _ in range(20):
        text = text or ground.run("ip", "-j", "-d", "link").strip()
    return {link["ifname"]: link for link in json.loads(text)}


def until(what, seconds=5.0, step=0.02):
    """Waits until what() is true and gives back its value; a failure when it never is."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        want(time.monotonic() < end, "it didn't come true within %g s" % seconds)
        time.sleep(step)


# ---- VMs -----------------------------------------------------------------------------------------------------------------------------------

def guest_needed():
    if not os.path.exists(ground.HOME + "/images/default/kernel"):
        raise Failed("there is no guest: make guest")


class VM:
    """A VM that runs for a with block, and is removed after."""

    def __init__(self, name, start=True, **description):
        guest_needed()
        self.name = name
        call("compute.vm.create", name=name, **description)
        if start:
            try:
                equal(call("compute.vm.start", id=name)["state"], "Running", "the state after start")
            except Failed as e:
                reason = "%s\nserial: %s" % (e, self.tail("serial"))
                self.remove()
                raise Failed(reason)

    def tail(self, source):
        try:
            return call("compute.vm.logs", id=self.name, source=source, tail_lines=10)["data"]
        except Failed as e:
            return str(e)

    def remove(self):
        call("compute.vm.remove", id=self.name, force=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.remove()
        except Failed:
            if kind is None:
                raise

    def status(self):
        return call("compute.vm.status", id=self.name)["vm"]

    def run(self, *argv, **more):
        return call("compute.vm.exec", id=self.name, argv=list(argv), **more)


# ---- processes -----------------------------------------------------------------------------------------------------------------------------

def processes():
    """{name: [pids]} of all processes in this world that haven't ended."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                name, _, rest = f.read().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest.split()[0] not in "ZX":
            found.setdefault(name, []).append(int(pid))
    return found


def parent_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rpartition(")")[2].split()[1])


def daemon():
    """(pid of posternd's parent, pid of its worker)."""
    pids = [p for name, its in processes().items() if name.startswith("posternd") for p in its]
    parents = [p for p in pids if parent_of(p) not in pids]
    workers = [p for p in pids if parent_of(p) in pids]
    want(len(parents) == 1 and len(workers) == 1, "posternd's processes are %r" % pids)
    return parents[0], workers[0]


def postern(*arguments, stdin=b"", timeout=BOOT + 30):
    """Runs the command line: (exit code, stdout, stderr)."""
    done = subprocess.run(["postern", *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
    return done.returncode, done.stdout, done.stderr
