#!/usr/bin/env python3
"""The guest agent's exec: what a command gets, what it gives, how its streams flow.  No VM: the agent listens on a Unix socket."""
import os, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from agenttest import Agent, Skip, check, children, descendants, equal, eventually, main, test  # noqa: E402
from guestwire import message  # noqa: E402


def sh(script):
    return ("sh", "-c", script)


@test("stdout, stderr and exit code of a command come apart")
def _(agent):
    equal(agent.run(*sh("echo out; echo err >&2; exit 7"))[1:], (b"out\n", b"err\n"))
    equal(agent.run(*sh("exit 7"))[0]["code"], 7)


@test("exit says how long the command ran")
def _(agent):
    took = agent.run("sleep", "0.3")[0]["duration_ms"]
    check(300 <= took < 1500, took)


@test("200 execs in a row all give the right code")
def _(agent):
    for i in range(200):
        equal(agent.run(*sh("exit %d" % i))[0]["code"], i)


@test("arguments, environment and output needn't be UTF-8")
def _(agent):
    odd = bytes(range(1, 256))
    equal(agent.run("printf", "%s", odd)[1], odd)
    equal(agent.run(*sh('printf %s "$ODD"'), env=[b"ODD=" + odd])[1], odd)


@test("an argument may be empty, and there may be 1024 of them")
def _(agent):
    equal(agent.run("printf", "<%s>", "", "x")[1], b"<><x>")
    equal(agent.run("echo", *["a"] * 1023)[1], b" ".join([b"a"] * 1023) + b"\n")


@test("a program that isn't there gives 127 with the reason on stderr")
def _(agent):
    for name in ("no-such-program", "/no/such/program"):
        e, out, err = agent.run(name)
        equal((e["code"], out), (127, b""))
        check(name.encode() in err and b"No such file" in err, err)


@test("a file that can't be executed gives 126 with the reason on stderr")
def _(agent):
    with tempfile.NamedTemporaryFile() as f:
        for name in (f.name, "/"):
            e, _, err = agent.run(name)
            equal(e["code"], 126)
            check(b"Permission denied" in err, err)


@test("the program is looked up in the PATH of its own environment")
def _(agent):
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/tool", "w") as f:
            f.write("#!/bin/sh\necho found\n")
        os.chmod(d + "/tool", 0o755)
        equal(agent.run("tool")[0]["code"], 127)
        equal(agent.run("tool", env=[b"PATH=/nowhere:" + d.encode()])[1], b"found\n")


@test("env adds to the image's environment and replaces what has the same name")
def _(agent):
    other = Agent(agent.program, config='{"env": {"COLOUR": "red", "SIZE": "9"}}')
    try:
        out = other.run("env", env=[b"COLOUR=blue", b"EXTRA=1=2"])[1].split(b"\n")
        for line in (b"COLOUR=blue", b"SIZE=9", b"EXTRA=1=2"):
            check(line in out, out)
        check(any(line.startswith(b"PATH=") for line in out) and b"COLOUR=red" not in out, out)
    finally:
        other.close()


@test("env_clear leaves nothing but env")
def _(agent):
    equal(agent.run("/usr/bin/env", env=[b"A=1"], env_clear=True)[1], b"A=1\n")
    equal(agent.run("/usr/bin/env", env_clear=True)[1], b"")


@test("an env word without a name or a value is refused")
def _(agent):
    for word in (b"NAME", b"=value", b""):
        name, fields = agent.request("exec", argv=[b"true"], env=[word])
        equal((name, fields["err"]), ("error", 22))


@test("a command runs in cwd, by default in /; without that directory it gives 126 with the reason")
def _(agent):
    equal(agent.run("pwd")[1], b"/\n")
    equal(agent.run("pwd", cwd=b"/usr/bin")[1], b"/usr/bin\n")
    e, _, err = agent.run("pwd", cwd=b"/no/such")
    equal(e["code"], 126)
    check(b"/no/such" in err, err)


@test("user gives the command that user's ids, groups and home, and takes root's away")
def _(agent):
    if os.getuid() != 0:
        raise Skip("only root can change users")
    equal(agent.run(*sh("id -u; id -g; id -G; echo $USER; pwd"), user=b"daemon")[1], b"1\n1\n1\ndaemon\n/usr/sbin\n")
    equal(agent.run(*sh("id -u; id -g; id -G"), uid=4242)[1], b"4242\n4242\n4242\n")
    equal(agent.run(*sh("id -u; id -g"), uid=4242, gid=77)[1], b"4242\n77\n")
    equal(agent.run(*sh("id -u; id -g"), user=b"1")[1], b"1\n1\n")
    equal(agent.run(*sh("grep CapEff /proc/self/status"), user=b"daemon")[1], b"CapEff:\t0000000000000000\n")


@test("a user that isn't there, two kinds of user at once, and a gid alone are errors")
def _(agent):
    for fields in ({"user": b"no-such"}, {"user": b"root", "uid": 0}, {"gid": 0}):
        name, answer = agent.request("exec", argv=[b"true"], **fields)
        equal((name, answer["err"]), ("error", 22))


@test("a command has its own session and process group, default signals, and no descriptor but its three")
def _(agent):
    stat = agent.run("cat", "/proc/self/stat")[1].rpartition(b")")[2].split()
    equal((stat[2], stat[3]), (stat[3], stat[2]))
    pid = agent.run(*sh("echo $$; cut -d' ' -f5,6 /proc/$$/stat"))[1].split()
    equal(pid, [pid[0]] * 3)
    status = agent.run("grep", "^Sig", "/proc/self/status")[1]
    check(b"SigIgn:\t0000000000000000" in status and b"SigBlk:\t0000000000000000" in status, status)
    equal(agent.run(*sh("ls /proc/$$/fd"))[1], b"0\n1\n2\n")


@test("without stdin a command reads end of file at once")
def _(agent):
    equal(agent.run("cat")[:2][1], b"")
    check(os.path.samefile("/dev/null", agent.run("readlink", "/proc/self/fd/0")[1].strip()))


@test("stdin arrives, and stdin_eof ends it")
def _(agent):
    c = agent.conn()
    c.start("cat", want_stdin=True)
    c.send("stdin_data", data=b"one\n")
    equal(c.expect("stdout_data"), {"data": b"one\n"})
    c.send("stdin_data", data=b"\x00\xff")
    equal(c.expect("stdout_data"), {"data": b"\x00\xff"})
    c.send("stdin_eof")
    equal(c.finish()[0]["code"], 0)


@test("30 MB go in and out at the same time, bit for bit")
def _(agent):
    data = os.urandom(30 << 20)
    e, out, _ = agent.run("cat", stdin=data)
    equal(e["code"], 0)
    check(out == data, "%d bytes came back" % len(out))


@test("10 MB on stdout and 10 MB on stderr come whole, by turns")
def _(agent):
    e, out, err = agent.run(*sh("head -c 10000000 /dev/zero >&2 & head -c 10000000 /dev/zero; wait"))
    equal((e["code"], len(out), len(err)), (0, 10000000, 10000000))


@test("input that a command doesn't read doesn't hold up its output")
def _(agent):
    c = agent.conn()
    c.start(*sh("head -c 3000000 /dev/zero; wc -c"), want_stdin=True)
    e, out, _ = c.finish(stdin=b"x" * 3000000)  # both directions are full long before wc reads
    equal((e["code"], len(out), out[3000000:].strip()), (0, 3000007 + 1, b"3000000"))


@test("a command that closes its stdin goes on, and what still comes is passed over")
def _(agent):
    e, out, _ = agent.run(*sh("exec <&-; sleep 0.2; echo on"), stdin=b"x" * 500000)
    equal((e["code"], out), (0, b"on\n"))


@test("a host that doesn't read holds the command back, in bounded memory")
def _(agent):
    if "/san/" in agent.program:
        raise Skip("a sanitizer's memory isn't the agent's")
    c = agent.conn()
    c.start(*sh("head -c 20000000 /dev/zero; echo done >&2"))
    time.sleep(0.7)
    worker = children(agent.pid)[0]
    with open("/proc/%d/status" % worker) as f:
        rss = [int(line.split()[1]) for line in f if line.startswith("RssAnon")][0]
    check(rss < 700, "%d kB" % rss)
    check(len(descendants(worker)) >= 1, "the command has ended")
    e, out, err = c.finish()
    equal((e["code"], len(out), err), (0, 20000000, b"done\n"))


FILL = """
import os, time
os.set_blocking(1, False)
n = idle = 0
while idle < 10:
    try:
        n += os.write(1, b"x" * 4096)
        idle = 0
    except BlockingIOError:
        idle += 1
        time.sleep(0.02)
os.write(2, b"%d" % n)
"""


@test("what lies in the pipes when a command ends is delivered, however late the host reads")
def _(agent):
    c = agent.conn()
    c.start("python3", "-c", FILL)  # leaves its pipe full
    worker = children(agent.pid)[0]
    eventually(lambda: not descendants(worker), "the command hangs")
    time.sleep(1)  # five times the drain deadline
    e, out, err = c.finish()
    equal((len(out), e.get("truncated")), (int(err), None))


@test("everything a host has to say may come in one write, and byte by byte")
def _(agent):
    whole = (message("hello", version=1, features=0) + message("exec", argv=[b"cat"], want_stdin=True) +
             message("stdin_data", data=b"abc") + message("stdin_eof"))
    for step in (len(whole), 1):
        c = agent.conn(hello=False)
        for i in range(0, len(whole), step):
            c.sock.sendall(whole[i:i + step])
        c.expect("hello")
        c.expect("started")
        e, out, _ = c.finish()
        equal((e["code"], out), (0, b"abc"))


@test("60 commands at once get 60 right answers, and one that hangs harms none")
def _(agent):
    hung = agent.conn()
    hung.start("sleep", "1000")
    conns = [agent.conn() for _ in range(60)]
    for i, c in enumerate(conns):
        c.start(*sh("sleep 0.2; echo %d; exit %d" % (i, i)))
    for i, c in enumerate(conns):
        e, out, _ = c.finish()
        equal((e["code"], out), (i, b"%d\n" % i))


main()
