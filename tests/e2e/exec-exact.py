#!/usr/bin/python3
"""Commands in a real guest through everything that lies between: postern, posternd's relay, the VMM's vsock, the agent.  LIMIT: 420

The parts have tests of their own (cli-exec.py, agent-*.py, method/compute.vm.exec*.py); here is what only the whole chain can get wrong:
bytes, codes, and above all ends: whatever ends a command ends everything it started, wherever its input or output is stuck.
"""
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
from clitest import Terminal
from e2e import VM, call, equal, main, test, until, want

e2e.enter()

BULK = 100 << 20
LONG = 240  # seconds for a bulk transfer: everything in the guest is emulated, and the machine is shared
# A command with a child in the background, which ignores INT as a shell without job control has it, a grandchild, one that ignores
# TERM and INT, and one that has left session and group.  The first line of output is their pids.
TREE = ("sleep 9000 & a=$!; (sleep 9001 & echo $! >/tmp/grandchild; wait) & b=$!; (trap '' TERM INT HUP; while :; do sleep 9002; done) & c=$!; "
        "setsid sh -c 'echo $$ >/tmp/escapee; exec sleep 9003' & until [ -s /tmp/grandchild ] && [ -s /tmp/escapee ]; do sleep 0.1; done; "
        "echo $$ $a $b $c $(cat /tmp/grandchild /tmp/escapee); rm /tmp/grandchild /tmp/escapee; wait; wait; wait")
LEAVES = ("sleep 9000", "sleep 9001", "sleep 9002", "sleep 9003")

vm = VM("exact")
SOCKET = os.environ["POSTERN_SOCKET"]


def start(*words, **files):
    return subprocess.Popen(["postern", "exec", "exact", "--", *words], **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                                                           "stderr": subprocess.PIPE, **files})


def running():
    """Command lines of the guest's processes."""
    script = "for p in /proc/[0-9]*; do tr '\\0' ' ' 2>/dev/null <$p/cmdline; echo; done"
    return [line.strip() for line in vm.run("sh", "-c", script)["stdout"].split("\n")]


def leaves():
    return [line for line in running() if line in LEAVES]


def all_end(pids):
    """The tree has gone, and so have its pids (or others have them)."""
    until(lambda: leaves() == [], 15, 0.2)
    left = vm.run("sh", "-c", "for p in %s; do tr '\\0' ' ' 2>/dev/null </proc/$p/cmdline; done" % " ".join(pids))["stdout"]
    want("sleep 90" not in left, "still there: " + left)


def tree(**files):
    p = start("sh", "-c", TREE, **files)
    pids = p.stdout.readline().decode().split()
    want(len(pids) == 6 and all(n.isdigit() for n in pids), "the tree says %r" % pids)
    equal(sorted(set(leaves())), sorted(LEAVES), "what runs")
    return p, pids


class Endless:
    """A pipe that somebody fills for ever, as the standard input of a command."""

    def __enter__(self):
        self.source = subprocess.Popen(["yes", "input"], stdout=subprocess.PIPE)
        return self.source.stdout

    def __exit__(self, *_):
        self.source.stdout.close()
        self.source.kill()
        self.source.wait()


@test("postern run gives standard output, standard error and exit code of a command, and leaves no VM")
def _():
    before = [v["id"] for v in call("compute.vm.list")["vms"]]
    equal(e2e.postern("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7"), (7, b"out\n", b"err\n"), "the command")
    equal([v["id"] for v in call("compute.vm.list")["vms"]], before, "the VMs")


@test("100 MB through standard input, and 100 MB through standard input and output at once, arrive bit for bit")
def _():
    with tempfile.TemporaryFile() as f:
        digest, block = hashlib.sha256(), os.urandom(1 << 20)
        for i in range(BULK >> 20):
            f.write(block[i:] + block[:i])
            digest.update(block[i:] + block[:i])
        f.seek(0)
        p = start("sha256sum", stdin=f)
        equal((p.communicate(timeout=LONG)[0].split()[0].decode(), p.returncode), (digest.hexdigest(), 0), "the sum in the guest")
        f.seek(0)
        p, back, n = start("cat", stdin=f), hashlib.sha256(), 0
        while data := p.stdout.read(1 << 20):
            back.update(data)
            n += len(data)
        equal((p.wait(LONG), n, back.hexdigest()), (0, BULK, digest.hexdigest()), "what came back")


@test("200 commands in a row all give the right code, those that a signal ended 128 and its number")
def _():
    for i in range(200):
        number = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP)[i % 4]
        if i % 5 == 4:
            equal(e2e.postern("exec", "exact", "--", "sh", "-c", "kill -%d $$; sleep 60" % number)[0], 128 + number, "command %d" % i)
        else:
            equal(e2e.postern("exec", "exact", "--", "sh", "-c", "exit %d" % (i * 37 % 256)), (i * 37 % 256, b"", b""), "command %d" % i)


@test("INT, TERM and HUP to postern exec end the command with child, grandchild and what has left the session")
def _():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p, pids = tree()
        p.send_signal(number)
        equal(p.wait(20), 128 + number, "the code")
        all_end(pids)


@test("kill -9 of postern exec ends the command with child, grandchild and what has left the session")
def _():
    p, pids = tree()
    p.kill()
    p.wait()
    all_end(pids)


@test("input that the command doesn't take holds up neither a signal nor the end of a killed client")
def _():
    for number, code in ((signal.SIGINT, 128 + signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)):
        with Endless() as source:
            p, pids = tree(stdin=source)
            until(lambda: stuck(p.pid))
            p.send_signal(number)
            equal(p.wait(20), code, "the code")
            all_end(pids)


def stuck(pid):
    """True once a process has read no more input for half a second."""
    def read():
        with open("/proc/%d/io" % pid) as f:
            return f.read().split("\n")[0]
    before = read()
    time.sleep(0.5)
    return read() == before


def busy():
    return [line for line in running() if line.endswith("yes output") or line in LEAVES]


@test("output that nobody takes holds up neither a signal nor the end of a killed client")
def _():
    for number, code in ((signal.SIGTERM, None), (signal.SIGKILL, -signal.SIGKILL)):
        p = start("sh", "-c", "sleep 9000 & yes output")
        time.sleep(1)  # every buffer on the way is full by then, or the test is merely easier
        want(busy(), "it doesn't run")
        p.send_signal(number)
        if number != signal.SIGKILL:
            p.stdout.close()
        p.wait(20)
        want(code is None or p.returncode == code, "the code is %r" % p.returncode)
        until(lambda: not busy(), 15, 0.2)


@test("Ctrl-C typed at a terminal ends the command with child, grandchild and what has left the session")
def _():
    t = Terminal("exec", "exact", "--", "sh", "-c", TREE, daemon=SOCKET)
    pids = t.until(b"\n", 30).split()
    want(len(pids) == 6, "the tree says %r" % pids)
    t.type(b"\x03")
    equal(t.end(20)[0], 130, "the code")
    all_end([n.decode() for n in pids])


@test("a terminal that is closed ends the command the same way")
def _():
    t = Terminal("exec", "exact", "--", "sh", "-c", TREE, daemon=SOCKET)
    pids = t.until(b"\n", 30).split()
    os.close(t.fd)
    os.waitpid(t.pid, 0)
    all_end([n.decode() for n in pids])


@test("a terminal in the guest has the size of the one here, and follows it")
def _():
    t = Terminal("exec", "exact", "--", "sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done", daemon=SOCKET, rows=33, cols=99)
    t.until(b"33 99", 30)
    for rows, cols in ((50, 132), (5, 20), (200, 500)):
        t.resize(rows, cols)
        t.until(b"%d %d" % (rows, cols), 30)
    t.type(b"\x03")
    equal(t.end(20)[0], 130, "the code")


@test("a terminal passes every byte: a full screen of output comes whole, what is typed comes back")
def _():
    t = Terminal("exec", "exact", "--", "sh", "-c", "i=0; while [ $i -lt 500 ]; do echo line-$i; i=$((i+1)); done; read x; echo got-$x; exit 9", daemon=SOCKET)
    shown = t.until(b"line-499", 30)
    equal(shown.replace(b"\r", b"").split(), [b"line-%d" % i for i in range(500)], "the lines")
    t.type(b"w\xc3\xb6rd\r")
    t.until(b"got-w\xc3\xb6rd", 30)
    equal(t.end(20)[0], 9, "the code")


@test("a command whose time is up ends with child, grandchild and what has left the session, whether or not they heed TERM")
def _():
    done = vm.run("sh", "-c", TREE, timeout_ms=4000)
    equal((done["timed_out"], done.get("signal"), done["exit_code"]), (True, signal.SIGTERM, 143), "the end")
    want(3900 <= done["duration_ms"] < 12000, "it took %d ms" % done["duration_ms"])
    all_end(done["stdout"].split())
    done = vm.run("sh", "-c", "trap '' TERM; while :; do sleep 1; done", timeout_ms=1000)
    equal((done["timed_out"], done.get("signal"), done["exit_code"]), (True, signal.SIGKILL, 137), "the end of one that ignores TERM")


@test("a command that closes its standard input goes on while the host still writes, and its code is its own")
def _():
    with Endless() as source:
        p = start("sh", "-c", "exec <&-; sleep 1; echo done; exit 3", stdin=source)
        equal((p.communicate(timeout=30)[0], p.returncode), (b"done\n", 3), "one that closes it at once")
    with Endless() as source:
        p = start("sh", "-c", "head -c 300000 | wc -c; exit 4", stdin=source)
        equal((p.communicate(timeout=30)[0].strip(), p.returncode), (b"300000", 4), "one that reads some of it")
    blob = "x" * 300000
    done = vm.run("sh", "-c", "exec <&-; sleep 1; echo done; exit 3", stdin=blob)
    equal((done["stdout"], done["exit_code"]), ("done\n", 3), "through compute.vm.exec")
    equal(vm.run("sh", "-c", "sleep 1; wc -c", stdin=blob)["stdout"].strip(), "300000", "input beyond a window, read late")


@test("what a command leaves running holds its exit for the drain deadline alone, is reported as cut off, and is ended")
def _():
    began = time.monotonic()
    p = start("sh", "-c", "(sleep 9000; echo late) & echo main; exit 5")
    out, err = p.communicate(timeout=30)
    equal((out, p.returncode), (b"main\n", 5), "output and code")
    want(b"cut off" in err, "standard error says %r" % err)
    want(time.monotonic() - began < 15, "it took %.1f s" % (time.monotonic() - began))
    until(lambda: leaves() == [], 15, 0.2)
    done = vm.run("sh", "-c", "(sleep 9000; echo late) & echo main; exit 5")
    equal((done["stdout"], done["exit_code"], done["truncated"]), ("main\n", 5, True), "through compute.vm.exec")


@test("output that lies in the pipes when the command ends is whole, however late it is read, and isn't cut off")
def _():
    p = start("sh", "-c", "head -c 3000000 /dev/zero; head -c 60000 /dev/zero >&2; (sleep 9000 >/dev/null 2>&1 &) ; exit 6")
    time.sleep(2)
    got = []
    reader = threading.Thread(target=lambda: got.append(p.stderr.read()))
    reader.start()
    equal(len(p.stdout.read()), 3000000, "standard output")
    reader.join()
    equal((p.wait(30), len(got[0])), (6, 60000), "code and standard error")
    until(lambda: leaves() == [], 15, 0.2)


@test("a command whose relay in posternd dies ends, and the VM takes the next one")
def _():
    p, pids = tree()
    os.kill(e2e.daemon()[1], signal.SIGKILL)
    equal(p.wait(20), 1, "the client's code")
    want(b"closed" in p.stderr.read(), "it doesn't say why")

    def answers():
        try:
            return vm.run("true")["exit_code"] == 0  # connects anew after a failure
        except (OSError, e2e.Failed):
            return False
    until(answers, 30, 0.2)
    all_end(pids)


@test("after all this the guest has no zombie, no cgroup and no command left")
def _():
    until(lambda: vm.run("sh", "-c", "ls -d /sys/fs/cgroup/exec/*/ | wc -l; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l")["stdout"].split() == ["1", "0"], 15, 0.2)


def clear():
    """What one test left behind isn't the next one's."""
    vm.run("sh", "-c", "killall -9 sleep yes; for p in /sys/fs/cgroup/exec/*/; do [ -d $p ] && ! grep -q ${p##*exec/} /proc/self/cgroup && echo 1 >$p/cgroup.kill; done")


main(clear)
