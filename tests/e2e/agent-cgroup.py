#!/usr/bin/env python3
"""The agent's commands in cgroups of their own, on this machine's kernel: in a cgroup namespace whose root the agent takes for the whole.

On a kernel with clone3(2) a command is born in its cgroup, on an older one, played by a seccomp filter, it enters it."""
import ctypes, os, signal, struct, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import ground  # noqa: E402
from agenttest import BUILD, Agent, alive, check, eventually  # noqa: E402

CLONE3 = 435  # of every architecture
NAME = "%s%d-%d" % (ground.CGROUP_PREFIX, os.getpid(), ground.start_time(os.getpid()))
WRAPPER = """#!/bin/sh
echo $$ >%s/cgroup.procs || exit 1
exec %s unshare -m -C sh -c 'mount -t cgroup2 none /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/exec && exec "$0" "$@"' %s "$@"
"""


def refuse_clone3():
    """Makes clone3 fail with ENOSYS in this process and its children (seccomp(2), classic BPF)."""
    libc = ctypes.CDLL(None, use_errno=True)
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, CLONE3), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *r) for r in rows))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, struct.pack("@HP", len(rows), ctypes.addressof(program))):
        sys.exit("no filter")


def wrapped(directory, top, before):
    path = os.path.join(directory, "agent")
    with open(path, "w") as f:
        f.write(WRAPPER % (top, before, os.path.join(BUILD, "tests/guest/agent_unix")))
    os.chmod(path, 0o755)
    return Agent(path)


def own_cgroup(agent):
    for _ in range(3):
        exit_, out, err = agent.run("cat", "/proc/self/cgroup")
        line = [w for w in out.decode().split("\n") if w.startswith("0::")][0]
        check(line.startswith("0::/exec/") and exit_["code"] == 0, "the command is in %r; %s" % (line, err))


def escapee(agent):
    c = agent.conn()
    c.start("sh", "-c", "(setsid sh -c 'echo $$; exec sleep 1000' &) ; wait; sleep 1000")
    pid = int(c.expect("stdout_data")["data"])
    check(alive(pid), "it doesn't run")
    c.send("signal", number=signal.SIGKILL)
    while c.next()[0] != "exit":
        pass
    c.send("ack")
    eventually(lambda: not alive(pid), "what left the session lives on")


def main():
    if os.getuid() != 0 or ground.cgroup_mounts()[0] is None:
        print("ok - commands have cgroups of their own # SKIP needs root and a version 2 cgroup hierarchy")
        return
    mounts = ground.cgroup_mounts()
    ground.cgroup_sweep(mounts)
    top = os.path.join(mounts[0], NAME)
    good = True
    os.mkdir(top)
    try:
        for kernel, before in (("a kernel with clone3", ""), ("a kernel without clone3", "%s %s refuse" % (sys.executable, os.path.abspath(__file__)))):
            for sentence, run in (("a command has a cgroup of its own", own_cgroup), ("what has left the command's session ends with it", escapee)):
                good = attempt("on %s %s" % (kernel, sentence), run, top, before) and good
    finally:
        ground.cgroup_remove(mounts, NAME)
    sys.exit(0 if good else 1)


def attempt(sentence, run, top, before):
    agent, why = None, ""
    with tempfile.TemporaryDirectory(prefix="postern-agent-") as directory:
        try:
            agent = wrapped(directory, top, before)
            run(agent)
            left = lambda: [d for d in os.listdir(os.path.join(top, "exec")) if os.path.isdir(os.path.join(top, "exec", d))]
            eventually(lambda: left() == [], "cgroups are left")
        except Exception as e:  # a test's own bug is a failure too
            why = "%s: %s" % (type(e).__name__, e)
        if agent:
            agent.close()
    print("ok - " + sentence if not why else "not ok - %s: %s" % (sentence, why), flush=True)
    return not why


if sys.argv[1:2] == ["refuse"]:
    refuse_clone3()
    os.execvp(sys.argv[2], sys.argv[2:])
main()
