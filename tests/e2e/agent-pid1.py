#!/usr/bin/env python3
"""postern-init as process 1 of user, pid, mount, net, ipc and uts namespaces of its own: no root, no VM.

AF_VSOCK is kept from it by a seccomp filter, since this machine may be a guest itself: the agent then waits for a driver for ever.
"""
import ctypes, os, platform, shutil, signal, struct, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from agenttest import BUILD, alive, check, children, equal, eventually  # noqa: E402

INIT = os.path.join(BUILD, "bin", "postern-init")
LIBC = ctypes.CDLL(None, use_errno=True)
TESTS = []


def test(sentence):
    return lambda run: TESTS.append((sentence, run))


def without_vsock():
    """Makes socket(AF_VSOCK, …) fail with EAFNOSUPPORT in this process and its children (seccomp(2), classic BPF)."""
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    rows = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 40), (0x06, 0, 0, 0x00050000 | 97), (0x06, 0, 0, 0x7FFF0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *r) for r in rows))
    fprog = struct.pack("@HP", len(rows), ctypes.addressof(program))
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, fprog, 0, 0):
        os._exit(99)


class Init:
    """A running postern-init; pid is its number out here."""

    def __init__(self, postern_json=None, before=""):
        self.root = tempfile.mkdtemp(prefix="postern-pid1-")
        for d in "bin dev etc proc root run sys tmp".split():
            os.mkdir(os.path.join(self.root, d))
        shutil.copy(INIT, os.path.join(self.root, "postern-init"))
        shutil.copy(shutil.which("busybox"), os.path.join(self.root, "bin/busybox"))
        os.symlink("busybox", os.path.join(self.root, "bin/sh"))
        if postern_json is not None:
            with open(os.path.join(self.root, "postern.json"), "wb") as f:
                f.write(postern_json)
        self.log = os.path.join(self.root, "console")
        script = 'mount --bind "$0" "$0"; cd "$0"; : >dev/null; mount --bind /dev/null dev/null; exec %s chroot . /postern-init' % before
        with open(self.log, "wb") as log:
            self.unshare = subprocess.Popen(["unshare", "-r", "-p", "-m", "-n", "-i", "-u", "--fork", "--kill-child", "sh", "-c", script, self.root],
                                            preexec_fn=without_vsock, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: children(self.unshare.pid), "no namespaces: " + self.console())
        self.pid = children(self.unshare.pid)[0]
        eventually(lambda: "vsock port 1024" in self.console(), "no agent; console: " + self.console())

    def console(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def agent(self):
        found = children(self.pid)
        return found[0] if found else None

    def inside(self, script):
        """Starts a shell script in the namespaces, where its orphans are process 1's."""
        return subprocess.Popen(["nsenter", "-t", str(self.pid), "-U", "-p", "-m", "-n", "--preserve-credentials", "-r", "-w",
                                 "/bin/busybox", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def output(self, script):
        out, err = self.inside(script).communicate(timeout=20)
        return out.decode() + err.decode()

    def close(self):
        if self.unshare.poll() is None:
            os.kill(self.pid, signal.SIGKILL)  # and unshare, which waits for it, ends
        self.unshare.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def queue(pid, number, value):
    """sigqueue(3)."""
    LIBC.sigqueue(pid, number, ctypes.c_void_p(value))


@test("started by hand it refuses: it is process 1 or nothing")
def _(_):
    run = subprocess.run([INIT], capture_output=True, text=True)
    equal((run.returncode, run.stderr), (1, "postern-init: runs as process 1 of a guest only\n"))


@test("what can't be mounted is said, one line each, and survived")
def _(init):
    for line in ("mount /dev: Operation not permitted", "mount /sys/fs/cgroup: "):
        check("postern-init: " + line in init.console(), init.console())
    check(alive(init.pid))
    check("tmpfs /run tmpfs" in init.output("/bin/busybox cat /proc/mounts"), "what can be mounted, is")


@test("the loopback is up and the hostname is the file's")
def _(_):
    init = Init(postern_json=b'{"hostname": "inside"}')
    try:
        check("127.0.0.1" in init.output("/bin/busybox ip addr"), init.output("/bin/busybox ip addr"))
        out = subprocess.run(["nsenter", "-t", str(init.pid), "-U", "-u", "--preserve-credentials", "hostname"], capture_output=True, text=True)
        equal(out.stdout.strip(), "inside")
    finally:
        init.close()


@test("a malformed postern.json is said with its place, and what came before it holds")
def _(_):
    init = Init(postern_json=b'{"hostname": "half", "network": oops}')
    try:
        check("/postern.json at byte 32: " in init.console(), init.console())
        out = subprocess.run(["nsenter", "-t", str(init.pid), "-U", "-u", "--preserve-credentials", "hostname"], capture_output=True, text=True)
        equal(out.stdout.strip(), "half")
    finally:
        init.close()


@test("process 1 has one child, the agent, and blocks nothing in it")
def _(init):
    equal(len(children(init.pid)), 1)
    with open("/proc/%d/status" % init.agent()) as f:
        status = f.read()
    check("SigBlk:\t0000000000000000" in status, status)


@test("an agent that dies is started again, at once and then with a growing pause")
def _(init):
    times = []
    for _ in range(4):
        old = init.agent()
        began = time.monotonic()
        os.kill(old, signal.SIGKILL)
        eventually(lambda: init.agent() not in (None, old), "no new agent", 3)
        times.append(time.monotonic() - began)
    check(times[0] < 0.09 and times[1] >= 0.1 and times[2] >= 0.2 and times[3] >= 0.4 and times[3] < 1.5, times)
    equal(init.console().count("the agent died"), 4)


@test("100 orphans are reaped")
def _(init):
    init.inside("i=0; while [ $i -lt 100 ]; do (/bin/busybox sleep 0.3 &) ; i=$((i+1)); done").wait(20)
    eventually(lambda: len(children(init.pid)) > 50, "they never became process 1's")
    eventually(lambda: len(children(init.pid)) == 1, "%d are left" % len(children(init.pid)))


@test("signals that mean nothing to process 1 leave it alone")
def _(init):
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGQUIT, signal.SIGWINCH):
        os.kill(init.pid, number)
    time.sleep(0.2)
    check(alive(init.pid) and "powering off" not in init.console())


@test("power off: TERM to all, the grace that was asked for, KILL, and then reboot(2)")
def _(init):
    # In the background of a shell that ends: process 1's children then, as everything in a real guest is in the end.
    init.inside("exec >/root/out 2>&1; (trap 'echo polite >/root/polite; exit 0' TERM; echo >/root/1; while :; do /bin/busybox sleep 0.05; done) & "
                "(trap '' TERM; echo >/root/2; while :; do /bin/busybox sleep 0.05; echo >/root/stubborn; done) &").wait(10)
    eventually(lambda: os.path.exists(init.root + "/root/1") and os.path.exists(init.root + "/root/2"), "they don't run")
    began = time.monotonic()
    queue(init.pid, signal.SIGUSR2, 700)
    init.unshare.wait(10)
    took = time.monotonic() - began
    check(0.7 <= took < 2.5, took)
    check(os.path.exists(init.root + "/root/polite"), "no TERM")
    check(time.time() - os.path.getmtime(init.root + "/root/stubborn") < 0.5, "it didn't get its grace")
    log = init.console()
    check(log.find("powering off") < log.find("killing what is left") and "postern-init: reboot" not in log, log)
    # reboot(2) in a pid namespace ends its process 1 by SIGINT for power off, by SIGHUP for a reboot (pid_namespaces(7)).
    check(init.unshare.returncode in (-signal.SIGINT, 128 + signal.SIGINT), init.unshare.returncode)


@test("without anything to wait for, the end comes at once; SIGTERM is a reboot")
def _(init):
    began = time.monotonic()
    os.kill(init.pid, signal.SIGTERM)
    init.unshare.wait(10)
    check(time.monotonic() - began < 1, "it waited")
    check("rebooting" in init.console() and "killing" not in init.console(), init.console())
    check(init.unshare.returncode in (-signal.SIGHUP, 128 + signal.SIGHUP), init.unshare.returncode)


@test("process 1 never exits: not even when reboot(2) is refused")
def _(_):
    init = Init(before="setpriv --bounding-set -sys_boot --inh-caps -sys_boot")
    try:
        os.kill(init.pid, signal.SIGUSR1)
        eventually(lambda: "reboot: Operation not permitted" in init.console(), init.console())
        time.sleep(0.3)
        check(alive(init.pid), "it has exited")
    finally:
        init.close()


def attempt(sentence, run):
    init = None
    try:
        init = Init()
        run(init)
    except Exception as e:
        print("not ok - %s: %s: %s" % (sentence, type(e).__name__, " ".join(str(e).split())[:900]), flush=True)
        return False
    finally:
        if init:
            init.close()
    print("ok - " + sentence, flush=True)
    return True


def main():
    if subprocess.call(["unshare", "-r", "-p", "-m", "-n", "--fork", "true"], stderr=subprocess.DEVNULL) != 0:
        print("ok - postern-init as process 1 without root # SKIP this machine allows no user namespaces")
        return
    good = True
    for sentence, run in TESTS:
        if len(sys.argv) < 2 or sys.argv[1] in sentence:
            good = attempt(sentence, run) and good
    sys.exit(0 if good else 1)


main()
