#!/usr/bin/python3
"""postern-vsock with a real QEMU and a real Linux guest: the hybrid protocol, flow control, limits, resets.  LIMIT: 400"""
import os, re, select, signal, socket, struct, subprocess, sys, threading, time, traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from vsockvm import AS_VM, boot, read_all, read_exact, read_line

ECHO, SINK, SOURCE, LAZY, DIAL, EARLY, SLAM, REBOOT, NOBODY = 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 4444
TESTS = []


def test(sentence):
    return lambda run: TESTS.append((sentence, run))


def check(condition, why):
    if not condition:
        raise AssertionError(why)


def pattern(n):
    """What the guest's source sends."""
    period = bytes((i * 31 >> 3) & 255 for i in range(2048))  # 31 * 2048 / 8 is a multiple of 256
    return (period * (n // 2048 + 1))[:n]


def echo_works(vm, s=None):
    s = s or vm.connect(ECHO)
    s.sendall(b"ping")
    check(read_exact(s, 4) == b"ping", "no echo")
    return s


@test("a host client reaches a guest's port, and is told a host port from 2^30 on")
def _(vm):
    s = vm.connect()
    s.sendall(b"CONNECT %d\n" % ECHO)
    line = read_line(s)
    check(re.fullmatch(rb"OK \d+\n", line) and 1 << 30 <= int(line[3:]) < 1 << 31, repr(line))
    echo_works(vm, s)


@test("a CONNECT line may come byte by byte")
def _(vm):
    s = vm.connect()
    for c in b"CONNECT %d\n" % ECHO:
        s.sendall(bytes([c]))
        time.sleep(0.005)
    check(read_line(s).startswith(b"OK "), "no OK")
    echo_works(vm, s)


@test("bytes sent right behind the CONNECT line arrive, in order")
def _(vm):
    s = vm.connect()
    s.sendall(b"CONNECT %d\n" % ECHO + b"first " + b"second")
    check(read_line(s).startswith(b"OK "), "no OK")
    check(read_exact(s, 12) == b"first second", "pipelined bytes lost")


@test("a client that sends everything and shuts down at once gets its answer")
def _(vm):
    s = vm.connect()
    s.sendall(b"CONNECT %d\n" % SINK + struct.pack("<Q", 5) + b"\x01" * 5)
    s.shutdown(socket.SHUT_WR)
    check(read_line(s).startswith(b"OK "), "no OK")
    check(read_all(s) == struct.pack("<Q", 5), "no sum")


@test("a port that nobody listens on gives end of file and no OK")
def _(vm):
    s = vm.connect()
    s.sendall(b"CONNECT %d\n" % NOBODY)
    check(s.recv(16) == b"", "not refused")


@test("lines that aren't CONNECT give end of file")
def _(vm):
    for line in (b"HELLO 1000\n", b"CONNECT\n", b"CONNECT x\n", b"CONNECT -1\n", b"CONNECT 4294967296\n", b"CONNECT 1 2\n",
                 b"CONNECT 1000\0\n", b"C" * 32, b"\n", b"CONNECT1000\n", b"CONNECT 00000001000\n"):
        s = vm.connect()
        s.sendall(line)
        try:
            check(s.recv(16) == b"", "%r was taken" % line)
        except ConnectionResetError:
            pass  # bytes behind the refused ones were still unread
    s = vm.connect()
    s.sendall(b"CONNECT")
    s.close()
    echo_works(vm)


@test("a client that says nothing is dropped after the deadline")
def _(vm):
    s = vm.connect()
    start = time.monotonic()
    check(s.recv(1) == b"", "it was served")
    check(4.5 < time.monotonic() - start < 6.5, "after %.1f s" % (time.monotonic() - start))


@test("the host's half-close reaches the guest, and the guest's answer still comes back")
def _(vm):
    s = vm.connect(SINK)
    s.sendall(struct.pack("<Q", 3) + b"\x02\x02\x02")
    s.shutdown(socket.SHUT_WR)
    check(read_all(s) == struct.pack("<Q", 6), "no sum")


@test("the guest's half-close reaches the host, and the host's bytes still arrive")
def _(vm):
    s = vm.connect(EARLY)
    check(read_all(s) == b"tail\n", "no tail and end of file")
    s.sendall(b"x" * 123457)
    s.close()
    vm.wait_console(b"early: read 123457\r\n", deadline=10)


@test("100 MB from the guest arrive bit for bit")
def _(vm):
    n = 100 << 20
    s = vm.connect(SOURCE)
    s.sendall(struct.pack("<Q", n))
    start = time.monotonic()
    got = read_all(s)
    print("# 100 MiB from the guest in %.2f s" % (time.monotonic() - start))
    check(got == pattern(n), "%d bytes, or not those that were sent" % len(got))


@test("100 MB to the guest arrive with the right sum")
def _(vm):
    n = 100 << 20
    block = os.urandom(1 << 20)
    s = vm.connect(SINK, timeout=60)
    start = time.monotonic()
    s.sendall(struct.pack("<Q", n))
    for _ in range(100):
        s.sendall(block)
    got = struct.unpack("<Q", read_exact(s, 8))[0]
    print("# 100 MiB to the guest in %.2f s" % (time.monotonic() - start))
    check(got == 100 * sum(block), "wrong sum")


@test("a host that doesn't read stops only its own connection, and loses nothing")
def _(vm):
    n = 8 << 20
    slow = vm.connect(SOURCE)
    slow.sendall(struct.pack("<Q", n))
    time.sleep(1)
    for _ in range(20):
        echo_works(vm).close()
    check(read_all(slow) == pattern(n), "bytes lost")


@test("a guest that doesn't read stops only its own connection, and loses nothing")
def _(vm):
    n = 4 << 20
    s = vm.connect(LAZY)
    s.setblocking(False)
    data = memoryview(struct.pack("<Q", n) + b"\x07" * n)
    at, end = 0, time.monotonic() + 1
    while time.monotonic() < end:
        try:
            at += s.send(data[at:])
        except BlockingIOError:
            time.sleep(0.01)
    check(at < 3 << 20, "%d bytes went to a guest that reads none" % at)
    echo_works(vm).close()
    s.settimeout(20)
    s.sendall(data[at:])
    check(struct.unpack("<Q", read_exact(s, 8))[0] == 7 * n, "wrong sum")


@test("bulk in both directions at once doesn't deadlock")
def _(vm):
    n = 16 << 20
    s = vm.connect(ECHO, timeout=60)
    block = os.urandom(1 << 16)

    def feed():
        for _ in range(n >> 16):
            s.sendall(block)
    t = threading.Thread(target=feed)
    t.start()
    got = read_exact(s, n)
    t.join()
    check(got == block * (n >> 16), "echo differs")


@test("1023 connections work at once, and the next one gets end of file")
def _(vm):
    all_of_them = [vm.connect(ECHO, timeout=30) for _ in range(1023)]
    one_more = vm.connect()
    check(one_more.recv(1) == b"", "connection 1024 was served")
    for i, s in enumerate(all_of_them):
        s.sendall(struct.pack("<I", i))
    for i, s in enumerate(all_of_them):
        check(read_exact(s, 4) == struct.pack("<I", i), "connection %d mixed up" % i)
    for s in all_of_them:
        s.close()
    time.sleep(0.5)
    echo_works(vm)


@test("the backend's memory stays within its bound while 200 readers are slow")
def _(vm):
    def rss():
        with open("/proc/%d/status" % vm.backend.pid) as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1)) >> 10
    slow = [vm.connect_patiently(SOURCE) for _ in range(200)]
    for s in slow:
        s.sendall(struct.pack("<Q", 2 << 20))
    time.sleep(4)
    high = rss()
    print("# %d MiB anonymous memory with 200 slow readers" % high)
    check(high <= 70, "%d MiB" % high)
    for s in slow:
        s.close()
    time.sleep(1)
    check(rss() <= 4, "%d MiB afterwards" % rss())
    echo_works(vm)


@test("a guest connects to a host's listener on <socket>_<port>")
def _(vm):
    at = socket.socket(socket.AF_UNIX)
    at.bind(vm.name + "_5000")
    os.chmod(vm.name + "_5000", 0o777)
    at.listen(128)
    s = vm.connect(DIAL)
    s.sendall(struct.pack("<I", 5000))
    at.settimeout(10)
    c, _ = at.accept()
    c.settimeout(10)
    check(read_line(c) == b"hello from the guest\n", "no hello")
    check(read_exact(s, 4) == struct.pack("<I", 0), "the guest saw an error")
    at.close()


@test("a guest that connects to a port without a listener is refused at once")
def _(vm):
    s = vm.connect(DIAL)
    s.sendall(struct.pack("<I", 5001))
    start = time.monotonic()
    check(read_exact(s, 4) == struct.pack("<I", 104), "not ECONNRESET")
    check(time.monotonic() - start < 1.5, "slowly")


@test("a full backlog on the host refuses the guest and stalls nobody")
def _(vm):
    at = socket.socket(socket.AF_UNIX)
    at.bind(vm.name + "_5002")
    os.chmod(vm.name + "_5002", 0o777)
    at.listen(0)
    filler = socket.socket(socket.AF_UNIX)
    filler.connect(vm.name + "_5002")
    s = vm.connect(DIAL)
    s.sendall(struct.pack("<I", 5002))
    check(read_exact(s, 4) == struct.pack("<I", 104), "not ECONNRESET")
    echo_works(vm)


@test("a guest that closes on unread bytes ends the host's connection")
def _(vm):
    for _ in range(20):
        s = vm.connect(SLAM)
        s.sendall(b"x" * 100000)
        try:
            check(s.recv(1) == b"", "bytes from nowhere")
        except ConnectionResetError:
            pass


@test("hosts that close in the middle of a transfer leave nothing behind")
def _(vm):
    for _ in range(50):
        s = vm.connect(SOURCE)
        s.sendall(struct.pack("<Q", 1 << 30))
        s.recv(1000)
        s.close()
        s = vm.connect(SINK)
        s.sendall(struct.pack("<Q", 1 << 30) + b"y" * 50000)
        s.close()
    time.sleep(0.5)
    check(len(os.listdir("/proc/%d/fd" % vm.backend.pid)) < 20, "descriptors left open")
    echo_works(vm)


@test("300 connections in a row all work")
def _(vm):
    times = []
    for _ in range(300):
        start = time.perf_counter()
        s = vm.connect(ECHO)
        times.append(time.perf_counter() - start)
        echo_works(vm, s).close()
    times.sort()
    print("# connect: p50 %d us, p99 %d us" % (times[150] * 1e6, times[297] * 1e6))


@test("a round trip is quick")
def _(vm):
    s, times = vm.connect(ECHO), []
    for _ in range(500):
        start = time.perf_counter()
        s.sendall(b"x")
        s.recv(1)
        times.append(time.perf_counter() - start)
    times.sort()
    print("# round trip: p50 %d us, p99 %d us" % (times[250] * 1e6, times[495] * 1e6))
    check(times[250] < 0.02, "%d us" % (times[250] * 1e6))


@test("an idle backend uses no processor time")
def _(vm):
    def ticks():
        with open("/proc/%d/stat" % vm.backend.pid) as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    idle = [vm.connect(ECHO) for _ in range(10)]
    idle[0].shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    before = ticks()
    time.sleep(2)
    check(ticks() - before <= 1, "%d ticks in 2 s" % (ticks() - before))


@test("connections outlive a pause of the VM, and a CONNECT during the pause is answered after it")
def _(vm):
    s = echo_works(vm)
    vm.command("stop")
    s.sendall(b"while paused")
    waiting = vm.connect()
    waiting.sendall(b"CONNECT %d\n" % ECHO)
    time.sleep(0.5)
    check(not select.select([s, waiting], [], [], 0)[0], "a paused guest answered")
    vm.command("cont")
    check(read_exact(s, 12) == b"while paused", "bytes lost")
    check(read_line(waiting).startswith(b"OK "), "no OK after the pause")
    echo_works(vm, waiting)


@test("a CONNECT to a guest that never answers gets end of file at the deadline")
def _(vm):
    vm.command("stop")
    s = vm.connect()
    s.sendall(b"CONNECT %d\n" % ECHO)
    start = time.monotonic()
    check(s.recv(1) == b"", "a paused guest answered")
    check(4.5 < time.monotonic() - start < 6.5, "after %.1f s" % (time.monotonic() - start))
    vm.command("cont")
    echo_works(vm)


@test("system_reset ends the old connections, and the new driver's work")
def _(vm):
    old, ready = echo_works(vm), vm.console().count(b"guest: ready")
    vm.command("system_reset")
    vm.wait_ready(ready + 1)
    old.settimeout(10)
    check(old.recv(1) == b"", "a connection outlived its guest")
    echo_works(vm)
    s = vm.connect(SOURCE)
    s.sendall(struct.pack("<Q", 1 << 20))
    check(read_all(s) == pattern(1 << 20), "bulk after the reset")


@test("a guest's own reboot in the middle of a transfer does the same")
def _(vm):
    ready = vm.console().count(b"guest: ready")
    busy = vm.connect(SOURCE)
    busy.sendall(struct.pack("<Q", 1 << 40))
    busy.recv(1000)
    vm.connect(REBOOT)
    vm.wait_ready(ready + 1)
    busy.settimeout(10)
    while busy.recv(1 << 20):
        pass
    echo_works(vm)


@test("a CONNECT while the guest boots is kept until its driver is up")
def _(vm):
    ready = vm.console().count(b"guest: ready")
    vm.command("system_reset")
    time.sleep(0.2)
    s = vm.connect()
    start = time.monotonic()
    s.sendall(b"CONNECT %d\n" % ECHO)
    got = s.recv(3)
    # The driver is up before anybody listens, so the guest may refuse; but not before it booted.
    check(got in (b"OK ", b"") and time.monotonic() - start > 0.3, "%r after %.1f s" % (got, time.monotonic() - start))
    vm.wait_ready(ready + 1)
    echo_works(vm)


@test("the backend runs without new privileges, under seccomp, and can't be traced by its own uid")
def _(vm):
    with open("/proc/%d/status" % vm.backend.pid) as f:
        status = f.read()
    check(re.search(r"NoNewPrivs:\s+1\b", status) and re.search(r"Seccomp:\s+2\b", status), status)
    spy = subprocess.run(["cat", "/proc/%d/mem" % vm.backend.pid], stderr=subprocess.PIPE, text=True, env={}, **AS_VM)
    check("Permission denied" in spy.stderr, "its own uid reads its memory: %r" % spy.stderr)
    with open("/proc/%d/maps" % vm.backend.pid) as f:
        check(not re.search(r"^\S+ \S*wx", f.read(), re.M), "a page is writable and executable")


@test("a backend that was stopped and continued goes on")
def _(vm):
    s = echo_works(vm)
    os.kill(vm.backend.pid, signal.SIGSTOP)
    s.sendall(b"while stopped")
    time.sleep(0.2)
    os.kill(vm.backend.pid, signal.SIGCONT)
    check(read_exact(s, 13) == b"while stopped", "no echo")


@test("a guest with two processors and memory on both sides of the 4 GiB hole is served alike")
def _(vm):
    big = boot(memory="4G", smp=2)
    try:
        echo_works(big)
        s = big.connect(SOURCE)
        s.sendall(struct.pack("<Q", 20 << 20))
        check(read_all(s) == pattern(20 << 20), "bulk differs")
    finally:
        big.close()


@test("QEMU's end is the backend's, with exit code 0 and nothing to say")
def _(vm):
    vm.command("quit")
    check(vm.backend.wait(5) == 0, "exit code %s" % vm.backend.returncode)
    check("postern-vsock" not in vm.errors(), vm.errors())


def main():
    failed, vm = 0, boot()
    try:
        for sentence, run in TESTS:
            try:
                run(vm)
                print("ok - " + sentence)
            except Exception as e:  # a test's failure is its line; the others go on
                failed += 1
                where = traceback.extract_tb(e.__traceback__)
                print("not ok - %s: %s: %s (line %d)" % (sentence, type(e).__name__, e, where[1].lineno))
            sys.stdout.flush()
    finally:
        vm.close()
    return 1 if failed else 0


sys.exit(main())
