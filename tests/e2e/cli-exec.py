#!/usr/bin/env python3
"""postern exec and run, against the guest's real agent on a Unix socket and a daemon that only hands that socket out."""
import hashlib, os, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from agenttest import Agent, alive, eventually  # noqa: E402
from clitest import BUILD, POSTERN, Daemon, Failure, Terminal, check, environment, equal, main, postern, test  # noqa: E402

LIMIT = 120  # seconds of one command
BULK = 100 << 20
DIRECTORY = tempfile.TemporaryDirectory(prefix="postern-cli-")
AGENT = Agent(os.path.join(BUILD, "tests/guest/agent_unix"))


def daemon(**answers):
    given = dict(compute__vm__exec__endpoint={"path": AGENT.path}, compute__vm__create=lambda p: {"id": p["name"], "state": "Configured", "changed": True},
                 compute__vm__start={"state": "Running", "changed": True}, compute__vm__remove={"removed": True, "changed": True})
    given.update(answers)
    return Daemon(DIRECTORY.name, **given)


def start(*words, d, **files):
    return subprocess.Popen([POSTERN, *words], env=environment(d), **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **files})


def agent_children():
    from agenttest import descendants
    return set(descendants(AGENT.pid))


@test("output, error output and exit code are the command's")
def _():
    d = daemon()
    equal(postern("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7", daemon=d), (7, "out\n", "err\n"))
    equal(d.calls, [("compute.vm.exec.endpoint", {"id": "web"})])
    equal(postern("exec", "web", "sh", "-c", "kill -9 $$", daemon=d)[0], 137)
    equal(postern("exec", "web", "--", "/nonexistent/program", daemon=d)[0], 127)
    d.close()


@test("environment and directory reach the command")
def _():
    d = daemon()
    equal(postern("exec", "-e", "A=1 2", "--env=B=x=y", "web", "-w", "/tmp", "--", "sh", "-c", 'echo "$A|$B|$PWD"', daemon=d)[1], "1 2|x=y|/tmp\n")
    d.close()


@test("bytes that aren't UTF-8 pass through arguments, input and output")
def _():
    d = daemon()
    p = subprocess.run([POSTERN, "exec", "web", "--", "sh", "-c", b'printf "%s" "$0"; cat', b"\xff\xfe"], env=environment(d), input=b"\x00\x80\r\n\x04", capture_output=True)
    equal(p.stdout, b"\xff\xfe\x00\x80\r\n\x04")
    d.close()


@test("200 commands in a row all give the right code")
def _():
    d = daemon()
    for i in range(200):
        equal(postern("exec", "web", "--", "sh", "-c", "exit %d" % i, daemon=d)[0], i)
    d.close()


def digest(stream, into):
    h, n = hashlib.sha256(), 0
    while data := stream.read(1 << 20):
        h.update(data)
        n += len(data)
    into.append((n, h.hexdigest()))


@test("100 MB through standard input and back through standard output arrive bit for bit, both ways at once")
def _():
    d = daemon()
    block = os.urandom(1 << 20)
    p, got, want = start("exec", "web", "--", "cat", d=d, stdin=subprocess.PIPE), [], hashlib.sha256()
    reader = threading.Thread(target=digest, args=(p.stdout, got))
    reader.start()
    began = time.monotonic()
    for i in range(BULK >> 20):
        data = block[i:] + block[:i]
        want.update(data)
        p.stdin.write(data)
    p.stdin.close()
    equal(p.wait(LIMIT), 0)
    reader.join()
    equal(got, [(BULK, want.hexdigest())])
    check(time.monotonic() - began < 30, "took %.1f s" % (time.monotonic() - began))
    d.close()


@test("a reader that waits doesn't hold up what goes in")
def _():
    d = daemon()
    # The command reads all before it writes; its output is read here only after all has been written.
    p = start("exec", "web", "--", "sh", "-c", "yes a | head -c 3000000; cat | wc -c >&2", d=d, stdin=subprocess.PIPE)
    p.stdin.write(b"x" * 50000)
    p.stdin.close()
    time.sleep(0.3)
    equal(len(p.stdout.read()), 3000000)
    equal((p.stderr.read(), p.wait(LIMIT)), (b"50000\n", 0))
    p = start("exec", "web", "--", "cat", d=d, stdin=subprocess.PIPE)
    for _ in range(20):  # more than the pipe here holds, less than all buffers on the way
        p.stdin.write(b"y" * 10000)
    p.stdin.close()
    equal((len(p.stdout.read()), p.wait(LIMIT)), (200000, 0))
    d.close()


@test("a command that doesn't read its input ends all the same")
def _():
    d = daemon()
    with open("/dev/zero", "rb") as zero:
        p = start("exec", "web", "--", "sh", "-c", "sleep 0.2; exit 3", d=d, stdin=zero)
        equal(p.wait(LIMIT), 3)
    d.close()


@test("standard input that is closed, or empty, is an end of file")
def _():
    d = daemon()
    equal(postern("exec", "web", "--", "wc", "-c", daemon=d)[1].strip(), "0")
    p = subprocess.run(["sh", "-c", '"$0" exec web -- wc -c <&-', POSTERN], env=environment(d), capture_output=True, timeout=LIMIT)
    equal((p.returncode, p.stdout.strip()), (0, b"0"))
    d.close()


@test("a reader that goes away ends the command the way a pipe would")
def _():
    d = daemon()
    p = subprocess.run(["sh", "-c", '"$0" exec web -- yes | head -n 2; echo done', POSTERN], env=environment(d), capture_output=True, timeout=LIMIT)
    equal(p.stdout, b"y\ny\ndone\n")
    eventually(lambda: not agent_children() or all(not alive(c) for c in agent_children() if b"yes" in command_of(c)), "the command lives on")
    d.close()


def command_of(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read()
    except OSError:
        return b""


def group(d, *options):
    """A command with a grandchild, and the pids of both."""
    p = start("exec", *options, "web", "--", "sh", "-c", "sleep 1000 & echo $$ $!; wait", d=d)
    return p, [int(n) for n in p.stdout.readline().split()]


@test("Ctrl-C, and TERM, HUP and QUIT, end the whole group in the guest")
def _():
    d = daemon()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        p, pids = group(d)
        p.send_signal(number)
        code = p.wait(10)
        if number != signal.SIGINT:  # a shell in the background ignores INT for its own children
            equal(code, 128 + number)
        eventually(lambda: not any(map(alive, pids)), "%s: %s still run" % (number, pids))
    d.close()


@test("INT ends a command that a script started in the background, and HUP one that nohup didn't protect")
def _():
    d = daemon()
    script = '"$0" exec web -- sleep 1000 & sleep 0.5; kill -%s $!; wait $!; echo $?'
    equal(subprocess.run(["sh", "-c", script % "INT", POSTERN], env=environment(d), capture_output=True, timeout=LIMIT).stdout, b"130\n")
    script = 'trap "" HUP; "$0" exec web -- sh -c "sleep 1; exit 3" & sleep 0.3; kill -HUP $!; wait $!; echo $?'
    equal(subprocess.run(["sh", "-c", script, POSTERN], env=environment(d), capture_output=True, timeout=LIMIT).stdout, b"3\n")
    d.close()


@test("a command that ignores INT is given up with the third, and its group ended")
def _():
    d = daemon()
    p = start("exec", "web", "--", "sh", "-c", "trap '' INT; sleep 1000 & echo $$ $!; wait; wait", d=d)
    pids = [int(n) for n in p.stdout.readline().split()]
    for _ in range(3):
        p.send_signal(signal.SIGINT)
        time.sleep(0.2)
    equal(p.wait(10), 1)
    eventually(lambda: not any(map(alive, pids)), "%s still run" % pids, 10)
    d.close()


@test("killing the command line ends the group in the guest")
def _():
    d = daemon()
    p, pids = group(d)
    p.kill()
    p.wait()
    eventually(lambda: not any(map(alive, pids)), "%s still run" % pids, 10)
    d.close()


@test("on a terminal the command gets one of the same size, and learns of a new size")
def _():
    d = daemon()
    t = Terminal("exec", "web", "--", "sh", "-c", "trap 'stty size' WINCH; tty >/dev/null && stty size; while :; do sleep 0.1; done", daemon=d, rows=33, cols=99)
    t.until(b"33 99")
    t.resize(50, 132)
    t.until(b"50 132")
    t.type(b"\x03")
    equal(t.end()[0], 130)
    d.close()


@test("on a terminal what is typed goes to the command raw, Ctrl-C and Ctrl-D with it")
def _():
    d = daemon()
    t = Terminal("exec", "web", "--", "sh", "-c", "echo ready; cat; echo end", daemon=d)
    t.until(b"ready")
    t.type(b"hello\r")
    t.until(b"hello\r\nhello")
    t.type(b"\x04")
    equal((t.end()[0]), 0)
    t = Terminal("exec", "web", "--", "sh", "-c", "sleep 1000 & echo ready; wait", daemon=d)
    t.until(b"ready")
    t.type(b"\x03")
    equal(t.end()[0], 130)
    d.close()


@test("the terminal is given back as it was")
def _():
    d = daemon()
    script = '"$0" exec web -- sh -c "exit 5"; echo code $?; stty -a | grep -o -- "-*icanon"'
    import pty
    pid, fd = pty.fork()
    if pid == 0:
        os.execve("/bin/sh", ["sh", "-c", script, POSTERN], environment(d))
    out = b""
    while True:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        out += data
    os.waitpid(pid, 0)
    check(b"code 5" in out and b"-icanon" not in out and b"icanon" in out, out)
    d.close()


@test("-T and a pipe give no terminal, -t gives one")
def _():
    d = daemon()
    script = ["--", "sh", "-c", "test -t 1 && echo tty || echo none"]
    equal(postern("exec", "web", *script, daemon=d)[1].strip(), "none")
    equal(postern("exec", "-t", "web", *script, daemon=d)[1].strip(), "tty")
    equal(Terminal("exec", "-T", "web", *script, daemon=d).end()[1].strip(), "none")
    d.close()


@test("an agent that hangs up or talks nonsense is told from a command's end")
def _():
    import socket
    for words, said in ((b"", "closed"), (b"\x92\x00\x82\xa7version\x01\xa8features\x00\xc1", "broke the protocol")):
        path = os.path.join(DIRECTORY.name, "bad.sock")
        listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(1)

        def serve():
            conn = listener.accept()[0]
            conn.recv(65536)
            conn.sendall(words)
            time.sleep(0.1)
            conn.close()
        threading.Thread(target=serve, daemon=True).start()
        d = daemon(compute__vm__exec__endpoint={"path": path})
        code, _, err = postern("exec", "web", "--", "true", daemon=d)
        check(code == 1 and said in err, err)
        d.close()
        listener.close()


@test("a command line that is too long is refused with the limit")
def _():
    d = daemon()
    code, _, err = postern("exec", "web", "--", "echo", "x" * 70000, daemon=d)
    check(code == 1 and "too long" in err, (code, err))
    equal(len(postern("exec", "web", "--", "echo", "x" * 50000, daemon=d)[1]), 50001)
    d.close()


@test("run creates, starts, runs and removes, with the command's exit code")
def _():
    d = daemon()
    equal(postern("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7", daemon=d), (7, "out\n", "err\n"))
    equal(d.names(), ["compute.vm.create", "compute.vm.start", "compute.vm.exec.endpoint", "compute.vm.remove"])
    name = d.calls[0][1]["name"]
    check(len(name) == 12 and name.startswith("run-"), name)
    equal(d.calls[0][1], {"name": name})
    equal(d.calls[3][1], {"id": name, "force": True})
    d.close()


@test("run's options describe the VM")
def _():
    d = daemon()
    equal(postern("run", "--image", "web", "--kernel=k", "--cpus", "2", "--memory", "512", "--net", "pt-br0", "-e", "A=b", "--", "sh", "-c", "echo $A", daemon=d)[1], "b\n")
    made = dict(d.calls[0][1])
    del made["name"]
    equal(made, {"disks": [{"image": "web"}], "kernel": "k", "vcpus": 2, "memory_mib": 512, "nets": [{"bridge": "pt-br0"}]})
    d.close()


@test("run --keep leaves the VM and says its name")
def _():
    d = daemon()
    code, _, err = postern("run", "--keep", "--", "true", daemon=d)
    check(code == 0 and "compute.vm.remove" not in d.names() and d.calls[0][1]["name"] in err, err)
    d.close()


def refuse(_):
    raise Failure(-32000, "failed", kind="invalid_state", detail="agent_timeout")


@test("run removes what was made when the start fails, and nothing when the create does")
def _():
    d = daemon(compute__vm__start=refuse)
    code, _, err = postern("run", "--", "true", daemon=d)
    check(code == 1 and "agent_timeout" in err, err)
    equal(d.names()[-1], "compute.vm.remove")
    d.close()
    d = daemon(compute__vm__create=refuse)
    equal(postern("run", "--", "true", daemon=d)[0], 1)
    equal(d.names(), ["compute.vm.create"])
    d.close()


@test("a signal while the VM starts ends run, after the VM has been removed")
def _():
    for number in (signal.SIGINT, signal.SIGTERM):
        waiting, go_on = threading.Event(), threading.Event()

        def slow(_):
            waiting.set()
            go_on.wait(20)
            return {"state": "Running", "changed": True}
        d = daemon(compute__vm__start=slow)
        p = start("run", "--", "true", d=d)
        check(waiting.wait(10))
        p.send_signal(number)
        equal(p.wait(10), 128 + number)
        go_on.set()
        equal(d.names(), ["compute.vm.create", "compute.vm.start", "compute.vm.remove"])
        d.close()


@test("run asks for the removal again while the VM is busy")
def _():
    tries = []

    def busy(_):
        tries.append(1)
        if len(tries) < 3:
            raise Failure(-32000, "failed", kind="busy", detail="starting")
        return {"removed": True, "changed": True}
    d = daemon(compute__vm__remove=busy)
    equal(postern("run", "--", "true", daemon=d), (0, "", ""))
    equal(len(tries), 3)
    d.close()


@test("the console passes both ways and ends at ^]")
def _():
    import socket
    path = os.path.join(DIRECTORY.name, "console.sock")
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    got = []

    def serve():
        conn = listener.accept()[0]
        conn.sendall(b"login: ")
        while data := conn.recv(100):
            got.append(data)
            try:
                conn.sendall(data.upper())
            except BrokenPipeError:  # the escape came
                return
    threading.Thread(target=serve, daemon=True).start()
    d = daemon(compute__vm__console__endpoint={"path": path, "type": "unix"})
    t = Terminal("console", "web", daemon=d)
    t.until(b"login: ")
    t.type(b"root\r\x03")
    t.until(b"ROOT\r\x03")
    t.type(b"bye\x1dnot sent")
    equal(t.end()[0], 0)
    equal(b"".join(got), b"root\r\x03bye")
    d.close()
    listener.close()


try:
    main()
finally:
    said = AGENT.close()
    if said:
        print("not ok - the agent ran without a word of the sanitizers: " + " ".join(said.split())[:500])
