#!/usr/bin/env python3
"""How the guest agent's commands end: by themselves, by signal, by time, by the host's going; terminals; what may stay behind."""
import os, signal, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from agenttest import alive, check, children, descendants, equal, eventually, main, test  # noqa: E402
from guestwire import Gone, STDIN_WINDOW, message  # noqa: E402


def sh(script):
    return ("sh", "-c", script)


def say_pids(c, script):
    """Starts a script whose first line of output is pids; gives them."""
    c.start(*sh(script))
    return [int(p) for p in c.expect("stdout_data")["data"].split()]


@test("a command killed by signal n gives code 128+n and the signal")
def _(agent):
    for n in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        e = agent.run(*sh("kill -%d $$" % n))[0]
        equal((e["code"], e["signal"]), (128 + n, n))
    equal(agent.run(*sh("exit 143"))[0].get("signal"), None)


@test("a signal reaches the whole process group")
def _(agent):
    c = agent.conn()
    pids = say_pids(c, "sleep 1000 & echo $$ $!; wait")
    c.send("signal", number=signal.SIGTERM)
    equal(c.finish()[0]["signal"], signal.SIGTERM)
    eventually(lambda: not any(map(alive, pids)), "something lives on")


@test("a signal that comes with the request isn't lost, however little of the command there is yet")
def _(agent):
    for _ in range(100):
        c = agent.conn()
        c.sock.sendall(message("exec", argv=[b"sleep", b"1000"]) + message("signal", number=signal.SIGTERM))
        c.expect("hello")
        c.expect("started")
        equal(c.finish()[0]["signal"], signal.SIGTERM)


@test("a signal that a command handles is the command's own affair")
def _(agent):
    c = agent.conn()
    c.start(*sh("trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done"))
    c.expect("stdout_data")
    c.send("signal", number=signal.SIGUSR1)
    e, out, _ = c.finish()
    equal((e["code"], out), (3, b"usr1\n"))


@test("a command that outlives timeout_ms gets TERM, and exit says timed_out")
def _(agent):
    e, out, _ = agent.run(*sh("trap 'echo term; exit 5' TERM; while :; do sleep 0.05; done"), timeout_ms=300)
    equal((e["code"], e["timed_out"], out), (5, True, b"term\n"))
    check(300 <= e["duration_ms"] < 1200, e)


@test("a command that ignores TERM at its timeout is killed a second later")
def _(agent):
    e = agent.run(*sh("trap '' TERM; while :; do sleep 0.05; done"), timeout_ms=200)[0]
    equal((e["code"], e["signal"], e["timed_out"]), (137, 9, True))
    check(1100 <= e["duration_ms"] < 2500, e)


@test("a command that ends within its timeout isn't timed_out")
def _(agent):
    e = agent.run(*sh("sleep 0.1; exit 4"), timeout_ms=5000)[0]
    equal((e["code"], e.get("timed_out"), e["duration_ms"] < 2000), (4, None, True))


@test("when the connection goes, the whole group ends, a stopped process and one that ignores TERM included")
def _(agent):
    c = agent.conn()
    pids = say_pids(c, "sleep 1000 & a=$!; (trap '' TERM; while :; do sleep 1; done) & b=$!; kill -STOP $a; echo $$ $a $b; wait $b")
    worker = children(agent.pid)[0]
    c.close()
    eventually(lambda: not any(map(alive, pids)), "something lives on")
    eventually(lambda: not alive(worker), "the connection's process lives on")


@test("when the connection goes, a command that ignores its pipes and its input ends too")
def _(agent):
    c = agent.conn()
    pid = c.start(*sh("exec sleep 1000"), want_stdin=True)
    c.send("stdin_data", data=b"x" * 61440)
    c.send("stdin_data", data=b"x" * 61440)
    time.sleep(0.1)
    check(alive(pid))
    c.close()
    eventually(lambda: not alive(pid), "the command lives on")


def stuffed(agent, *argv):
    """A command, and a host that has sent it its whole window of input."""
    c = agent.conn(features=1)
    pid = c.start(*argv, want_stdin=True)
    for n in (61440, 61440, STDIN_WINDOW - 2 * 61440):
        c.send("stdin_data", data=b"x" * n)
    return c, pid


@test("input that no command takes holds up neither a signal nor the news that the host is gone")
def _(agent):
    c, pid = stuffed(agent, "sleep", "1000")
    c.send("signal", number=signal.SIGINT)
    while (got := c.next())[0] != "exit":
        equal(got[0], "stdin_taken")
    equal(got[1].get("signal"), signal.SIGINT)
    c, pid = stuffed(agent, "sleep", "1000")
    c.close()
    eventually(lambda: not alive(pid), "the command lives on")


@test("the agent tells what a command, or nobody, has taken of its input, all of it in the end")
def _(agent):
    for script in ("cat >/dev/null; read x", "exec <&-; sleep 0.3"):
        c, _ = stuffed(agent, *sh(script))
        taken = 0
        while taken < STDIN_WINDOW:
            taken += c.expect("stdin_taken")["bytes"]
        equal(taken, STDIN_WINDOW)
        c.close()


@test("a host that sends more than its window is hung up on, and its command ends")
def _(agent):
    c, pid = stuffed(agent, "sleep", "1000")
    for _ in range(2):  # the first may fit, since the pipe has taken its part
        c.send("stdin_data", data=b"x" * 61440)
    try:
        while True:
            equal(c.next()[0], "stdin_taken")
    except Gone:
        pass
    eventually(lambda: not alive(pid), "the command lives on")


@test("end of input comes behind all that was sent, with and without windows")
def _(agent):
    for features in (0, 1):
        c = agent.conn(features=features)
        c.start(*sh("sleep 0.2; wc -c"), want_stdin=True)
        for n in (61440, 61440):
            c.send("stdin_data", data=b"x" * n)
        c.send("stdin_eof")
        while (got := c.next())[0] == "stdin_taken":
            pass
        equal((got[0], got[1]["data"].strip()), ("stdout_data", b"122880"))
        c.close()


@test("a supervisor that is killed takes its command with it")
def _(agent):
    c = agent.conn()
    pid = c.start("sleep", "1000")
    supervisor = [p for p in children(agent.pid) if pid in children(p)]  # others may be on their way out still
    os.kill(supervisor[0], signal.SIGKILL)
    eventually(lambda: not alive(pid), "the command lives on")
    equal(agent.request("health")[0], "healthy")


@test("a detached command lives on without its connection")
def _(agent):
    c = agent.conn()
    pid = c.start("sleep", "1000", detach=True, tag=b"sleeper")
    c.send("ack")
    c.close()
    time.sleep(1.5)
    check(alive(pid), "it has ended")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not children(agent.pid), "its supervisor lives on")


@test("a detached command's exit is told to a host that waits, and its timeout holds without one")
def _(agent):
    c = agent.conn()
    c.start(*sh("sleep 0.1; exit 9"), detach=True)
    equal(c.finish()[0]["code"], 9)
    c = agent.conn()
    pid = c.start("sleep", "1000", detach=True, timeout_ms=500)
    c.close()
    check(alive(pid), "it has ended with its connection")
    eventually(lambda: not alive(pid), "its timeout is forgotten")


@test("what a command leaves running behind its exit is ended")
def _(agent):
    c = agent.conn()
    pids = say_pids(c, "sleep 1000 >/dev/null 2>&1 & echo $!")
    e = c.finish()[0]
    equal((e["code"], e.get("truncated")), (0, None))
    eventually(lambda: not any(map(alive, pids)), "it lives on")


@test("a grandchild that keeps the pipe open doesn't hold up the exit: 200 ms later it comes as truncated")
def _(agent):
    began = time.monotonic()
    e, out, _ = agent.run(*sh("sleep 1000 & echo out"))
    took = time.monotonic() - began
    equal((e["code"], out, e["truncated"]), (0, b"out\n", True))
    check(0.2 <= took < 1, took)


@test("a grandchild that writes without end doesn't hold up the exit either")
def _(agent):
    began = time.monotonic()
    e = agent.run(*sh("yes & exit 6"))[0]
    equal((e["code"], e["truncated"]), (6, True))
    check(time.monotonic() - began < 2)


@test("the agent closes only after the ack")
def _(agent):
    c = agent.conn()
    c.start("true")
    c.finish(ack=False)
    try:
        c.next(0.7)
        check(False, "something behind the exit")
    except TimeoutError:
        pass
    c.send("ack")
    try:
        c.next(2)
        check(False, "something behind the ack")
    except Gone:
        pass


@test("a terminal is a terminal, of the size asked for, with the command in its foreground")
def _(agent):
    e, out, err = agent.run(*sh("tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo three; echo err >&2; echo $TERM"), tty_rows=33,
                            tty_cols=111)
    equal((e["code"], err), (0, b""))
    lines = out.split(b"\r\n")
    check(lines[0].startswith(b"/dev/pts/"), out)
    equal(lines[1:], [b"33 111", b"three", b"err", b"xterm", b""])


@test("a resize is a new size and SIGWINCH")
def _(agent):
    c = agent.conn()
    c.start(*sh("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done"), tty_rows=24, tty_cols=80)
    c.expect("stdout_data")
    c.send("resize", rows=50, cols=132)
    equal(c.finish()[1], b"50 132\r\n")


@test("Ctrl-C typed at a terminal interrupts its foreground, and Ctrl-D or stdin_eof ends its input")
def _(agent):
    c = agent.conn()
    c.start(*sh("echo ready; exec sleep 1000"), tty_rows=24, tty_cols=80, want_stdin=True)
    c.expect("stdout_data")
    c.send("stdin_data", data=b"\x03")
    equal(c.finish()[0]["signal"], signal.SIGINT)
    for end in (lambda c: c.send("stdin_data", data=b"\x04"), lambda c: c.send("stdin_eof")):
        c = agent.conn()
        c.start(*sh("stty -echo; echo ready; cat; echo end"), tty_rows=24, tty_cols=80, want_stdin=True)
        c.expect("stdout_data")
        c.send("stdin_data", data=b"line\n")
        equal(c.expect("stdout_data")["data"], b"line\r\n")
        end(c)
        equal(c.finish()[1], b"end\r\n")


@test("when the connection goes, what runs on its terminal ends")
def _(agent):
    c = agent.conn()
    c.start(*sh("(sleep 1000) & echo $$ $!; wait"), tty_rows=24, tty_cols=80)
    pids = [int(p) for p in c.expect("stdout_data")["data"].split()]
    c.close()
    eventually(lambda: not any(map(alive, pids)), "something lives on")


@test("output behind a terminal's last process is whole")
def _(agent):
    e, out, _ = agent.run(*sh("stty -opost; head -c 200000 /dev/zero"), tty_rows=24, tty_cols=80)
    equal((e["code"], len(out), e.get("truncated")), (0, 200000, None))


@test("the agent reaps: after all this nothing of it is a zombie, and nothing runs")
def _(agent):
    for _ in range(20):
        agent.run(*sh("(sleep 0.01 &) ; true"))
    agent.conn().close()
    eventually(lambda: not descendants(agent.pid), "%r" % descendants(agent.pid))


main()
