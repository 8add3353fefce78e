#!/usr/bin/env python3
"""postern-init in a real guest: Debian's cloud kernel in QEMU without KVM, reached through postern-vsock.  No daemon, no jail.

LIMIT: 600
"""
import glob, os, re, shutil, subprocess, sys, tempfile, time, traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import guestkit  # noqa: E402

MAC = "52:54:00:0a:0b:0c"
NET = ["-netdev", "user,id=n0,restrict=on", "-device", "virtio-net-pci,netdev=n0,romfile=,mac=" + MAC]
CONFIG = ('{"hostname": "from-file", "network": [{"mac": "%s", "mtu": 1400, "addresses": ["10.7.0.2/24", "fd07::2/64"]}], '
          '"routes": [{"to": "default", "via": "10.7.0.1"}, {"to": "10.9.0.0/16", "via": "10.7.0.9"}], '
          '"nameservers": ["10.7.0.1"], "search": "lan", "env": {"FROM_FILE": "yes"}}' % MAC)
TESTS = []


def test(sentence):
    return lambda run: TESTS.append((sentence, run))


def check(condition, why=""):
    if not condition:
        raise AssertionError(why)


def equal(got, want):
    check(got == want, "%.400r, not %.400r" % (got, want))


def sh(g, script, **options):
    """Standard output of a script in the guest, which must succeed."""
    e, out, err = g.run("sh", "-c", script, **options)
    check(e["code"] == 0, "%r %r %r" % (e, out[-300:], err[-300:]))
    return out.decode()


def put(g, data, path, mode="644"):
    e, _, err = g.run("sh", "-c", 'cat >"$1" && chmod %s "$1"' % mode, "sh", path, stdin=data)
    check(e["code"] == 0, err)


@test("a stock Debian kernel boots with postern-init alone: modules, root, file systems, agent")
def _(g):
    check("Debian" in sh(g, "uname -a"))
    mounts = {line.split()[1]: line.split()[2] for line in sh(g, "cat /proc/mounts").splitlines()}
    for where, kind in (("/", "ext4"), ("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/dev/pts", "devpts"),
                        ("/dev/shm", "tmpfs"), ("/run", "tmpfs"), ("/tmp", "tmpfs"), ("/sys/fs/cgroup", "cgroup2")):
        equal(mounts.get(where), kind)
    equal(g.console().strip(), "")  # it had nothing to complain about


@test("nothing is mounted twice after the switch from the initramfs, and the initramfs is empty")
def _(g):
    points = [line.split()[4] for line in sh(g, "cat /proc/self/mountinfo").splitlines()]
    equal(sorted(points), sorted(set(points)))
    check("/newroot" not in points)


@test("network and hostname come from the command line")
def _(g):
    equal(sh(g, "hostname").strip(), "web1")
    out = sh(g, "ip addr show eth0; ip route; cat /etc/resolv.conf; ip addr show lo")
    for part in ("inet 10.0.0.2/24", "inet6 fd00::2/64", "default via 10.0.0.1 dev eth0", "nameserver 1.1.1.1", "nameserver 9.9.9.9",
                 "inet 127.0.0.1/8"):
        check(part in out, "%s not in %s" % (part, out))


@test("process 1 and the agent take at most 150 kB, and the program 64 KiB")
def _(g):
    check(os.path.getsize(guestkit.INIT) <= 65536, os.path.getsize(guestkit.INIT))
    pids = [p for p in sh(g, "cd /proc; grep -l '^postern-init' [0-9]*/comm").replace("/comm", "").split()]
    for pid in pids[:2]:
        kilobytes = sum(int(n) for n in re.findall(r"^Rss: +(\d+) kB", sh(g, "cat /proc/%s/smaps" % pid), re.M))
        check(0 < kilobytes <= 150, "process %s: %d kB" % (pid, kilobytes))


@test("exec over a real vsock: streams, codes, 127, a terminal")
def _(g):
    e, out, err = g.run("sh", "-c", "echo out; echo err >&2; exit 7")
    equal((e["code"], out, err), (7, b"out\n", b"err\n"))
    equal(g.run("no-such-program")[0]["code"], 127)
    equal(g.run("sh", "-c", "kill -9 $$")[0]["signal"], 9)
    e, out, _ = g.run("sh", "-c", "tty; stty size", tty_rows=33, tty_cols=99)
    equal(out, b"/dev/pts/0\r\n33 99\r\n")
    equal(sh(g, "id -u; id -g; id -G; echo $HOME; pwd", user=b"guest").split(), ["1000", "1000", "1000", "6", "100", "/home/guest",
                                                                               "/home/guest"])


@test("100 MB through stdin and 100 MB through stdout arrive bit for bit")
def _(g):
    data = os.urandom(1 << 20) * 100
    e, out, _ = g.run("cat", stdin=data)
    check(e["code"] == 0 and out == data, "%r, %d bytes" % (e, len(out)))


@test("200 execs in a row all give the right code")
def _(g):
    for i in range(200):
        equal(g.run("sh", "-c", "exit %d" % i)[0]["code"], i)


@test("a process that has left its session and its parent ends with its command: cgroup.kill finds it")
def _(g):
    script = "setsid sh -c 'trap \"\" TERM; echo $$ >/tmp/escaped; while :; do sleep 1; done' >/dev/null 2>&1 </dev/null & "
    for how in ("exit", "timeout", "gone"):
        c = g.conn()
        c.start("sh", "-c", script + "sleep 0.3; " + ("exit 0" if how == "exit" else "sleep 1000"),
                **({"timeout_ms": 1000} if how == "timeout" else {}))
        if how == "gone":
            time.sleep(1)
        else:
            c.finish()
        c.close()
        pid = sh(g, "cat /tmp/escaped; rm /tmp/escaped").strip()
        for _ in range(60):
            left = sh(g, "test -d /proc/%s && grep State /proc/%s/status || true" % (pid, pid))
            if not left or "Z" in left:
                break
            time.sleep(0.1)
        check(not left, "%s: %s lives on" % (how, pid))


@test("no cgroup and no zombie is left when commands have ended")
def _(g):
    for _ in range(50):
        left = sh(g, "ls -d /sys/fs/cgroup/exec/*/ | wc -l; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l").split()
        if left == ["1", "0"]:  # this command's own
            return
        time.sleep(0.1)
    equal(left, ["1", "0"])


@test("a command's memory limit is enforced, and exit says oom")
def _(g):
    e = g.run("sh", "-c", "tail /dev/zero", memory_mib=16)[0]
    equal((e["code"], e.get("oom")), (137, True))
    equal(g.run("true", memory_mib=16)[0].get("oom"), None)


@test("a command's limit of processes is enforced")
def _(g):
    e, out, err = g.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo started", pids=4)
    check(b"started" not in out and b"fork" in err, "%r %r" % (out, err))


@test("a guest process can't reach the agent, over loopback or by the guest's own CID")
def _(g):
    with tempfile.TemporaryDirectory() as d:
        for part, where in (("linux", ""), ("asm-generic", ""), ("asm", subprocess.check_output(["gcc", "-print-multiarch"], text=True).strip())):
            os.symlink(os.path.join("/usr/include", where, part), os.path.join(d, part))
        subprocess.check_call(["musl-gcc", "-static", "-Os", "-s", "-isystem", d, os.path.join(ROOT, "tests/guest-progs/vsock_client.c"),
                               "-o", d + "/client"])
        with open(d + "/client", "rb") as f:
            put(g, f.read(), "/tmp/client", "755")
    with open(glob.glob(guestkit.kernel_tree() + "/lib/modules/*/kernel/net/vmw_vsock/vsock_loopback.ko")[0], "rb") as f:
        put(g, f.read(), "/tmp/vsock_loopback.ko")
    sh(g, "insmod /tmp/vsock_loopback.ko")
    for cid in (1, guestkit.CID):
        out = g.run("/tmp/client", str(cid))[1]
        equal(out, b"connected closed\n")
    check("refused a connection" in g.console(), g.console())
    sh(g, "true")


@test("process 1 reaps what loses its parent, and steals no exit code meanwhile")
def _(g):
    sh(g, "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.1 & exit 0); done")
    for i in range(20):
        equal(g.run("sh", "-c", "(sleep 0.05 &); sleep 0.1; exit %d" % i)[0]["code"], i)


@test("an agent that is killed comes back, and running commands don't notice")
def _(g):
    c = g.conn()
    c.start("sh", "-c", "sleep 2; echo still here; exit 3")
    agent = sh(g, "cat /proc/1/task/1/children").split()[0]
    g.run("kill", "-9", agent)
    g.wait()
    check(agent not in sh(g, "cat /proc/1/task/1/children").split())
    e, out, _ = c.finish()
    equal((e["code"], out), (3, b"still here\n"))
    check("the agent died" in g.console(), g.console())


@test("nobody in the guest can take the agent's port while it is started again")
def _(g):
    c = g.conn()
    c.start("/tmp/client", "take")
    g.run("kill", "-9", sh(g, "cat /proc/1/task/1/children").split()[0])
    g.wait()
    e, out, _ = c.finish()
    equal((e["code"], out), (0, b"Address in use\n"))


@test("set_time sets the clock, and reseed is taken")
def _(g):
    equal(g.conn().request("set_time", unix_ms=2000000000000)[0], "done")
    check(abs(int(sh(g, "date +%s")) - 2000000000) < 30)
    equal(g.conn().request("reseed", seed=os.urandom(64))[0], "done")


@test("shutdown is orderly: TERM, then KILL for what ignores it, then the machine is off")
def _(g):
    c = g.conn()
    c.start("sh", "-c", "trap 'echo got term >/dev/ttyS0; exit' TERM; echo ready; while :; do sleep 0.1; done", detach=True)
    d = g.conn()
    d.start("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done", detach=True)
    time.sleep(0.5)
    began = time.monotonic()
    equal(g.conn().request("shutdown", grace_ms=1000)[0], "done")
    equal(g.qemu.wait(30), 0)
    check(1 <= time.monotonic() - began < 15)
    lines = g.console()
    order = [lines.find(s) for s in ("powering off", "got term", "killing what is left")]
    check(order == sorted(order) and order[0] >= 0, lines)
    check("panic" not in lines, lines)


def variants():
    """Boots of their own, each with one test."""
    @test("without root= the guest stays in its initramfs, with an agent; network comes from postern.json")
    def _(_):
        with tempfile.TemporaryDirectory() as d:
            image = os.path.join(d, "initrd")
            with open(os.path.join(guestkit.bundle(), "initrd"), "rb") as f:
                data = f.read()
            with open(shutil.which("busybox"), "rb") as f:
                data += guestkit.cpio({"bin": (0o040755, b""), "bin/busybox": (0o100755, f.read()), "bin/sh": (0o120777, b"busybox"),
                                       "etc": (0o040755, b""), "postern.json": (0o100644, CONFIG.encode())})
            with open(image, "wb") as f:
                f.write(data)
            os.chmod(d, 0o755)
            g = guestkit.boot(root=False, initrd=image, more=NET)
        try:
            e, out, _ = g.run("/bin/busybox", "sh", "-c", "busybox hostname; busybox ip addr; busybox ip route; busybox cat /etc/resolv.conf; "
                              "echo $FROM_FILE; busybox cat /proc/mounts")
            out = out.decode()
            for part in ("from-file", "inet 10.7.0.2/24", "inet6 fd07::2/64", "mtu 1400", "default via 10.7.0.1", "10.9.0.0/16 via 10.7.0.9",
                         "nameserver 10.7.0.1\nsearch lan", "\nyes\n", "rootfs / rootfs"):
                check(part in out, "%s not in %s" % (part, out))
        finally:
            g.close()

    @test("drivers are found by modalias, with what they need; the order of the list doesn't matter")
    def _(_):
        tree = guestkit.kernel_tree()
        release = os.path.basename(glob.glob(tree + "/lib/modules/*")[0])
        by_alias = ["failover", "net_failover", "virtio_net"]
        with tempfile.TemporaryDirectory() as d:
            files = {n: (0o040755, b"") for n in ("modules", "bin", "lib", "lib/modules", "lib/modules/" + release)}
            kept = [m for m in guestkit.MODULES if m not in by_alias]
            for name in guestkit.MODULES:
                for path in glob.glob("%s/lib/modules/*/kernel/**/%s.ko" % (tree, name), recursive=True):
                    with open(path, "rb") as f:
                        data = f.read()
                    if name in kept:
                        files["modules/%s.ko" % name] = (0o100644, data)
                    else:
                        files["lib/modules/%s/%s.ko" % (release, name)] = (0o100644, data)
                        os.makedirs("%s/lib/modules/%s" % (d, release), exist_ok=True)
                        shutil.copy(path, "%s/lib/modules/%s/%s.ko" % (d, release, name))
            files["modules/list"] = (0o100644, "".join(m + ".ko\n" for m in reversed(kept) if "modules/%s.ko" % m in files).encode())
            subprocess.check_call(["depmod", "-b", d, release], stderr=subprocess.DEVNULL)
            for name in ("modules.alias", "modules.dep"):
                with open("%s/lib/modules/%s/%s" % (d, release, name), "rb") as f:
                    files["lib/modules/%s/%s" % (release, name)] = (0o100644, f.read())
            for name, path in (("init", guestkit.INIT), ("bin/busybox", shutil.which("busybox"))):
                with open(path, "rb") as f:
                    files[name] = (0o100755, f.read())
            with open(d + "/initrd", "wb") as f:
                f.write(guestkit.cpio(files))
            os.chmod(d, 0o755)
            g = guestkit.boot(root=False, initrd=d + "/initrd", append="postern.ip=10.0.0.2/24", more=NET)
        try:
            out = g.run("/bin/busybox", "ip", "addr", "show", "eth0")[1].decode()
            check("inet 10.0.0.2/24" in out, out)
            equal(g.console().strip(), "")
        finally:
            g.close()

    @test("a root that isn't there is said on the console, and the agent answers from the initramfs")
    def _(_):
        g = guestkit.boot(root=False, append="root=/dev/nosuch")
        try:
            check("root /dev/nosuch: No such device" in g.console(), g.console())
            equal(g.conn().request("health")[0], "healthy")
        finally:
            g.close()

    @test("a guest that was asked to reboot does, with everything written and its file system clean")
    def _(_):
        with tempfile.TemporaryDirectory() as d:
            disk = os.path.join(d, "root.ext4")
            shutil.copy(os.path.join(guestkit.bundle(), "root.ext4"), disk)
            for path, mode in ((d, 0o755), (disk, 0o666)):
                os.chmod(path, mode)
            reboot_with(disk)

    def reboot_with(disk):
        g = guestkit.boot(root=disk)  # QEMU runs with -no-reboot
        try:
            equal(sh(g, "hostname"), "guest\n")  # its /etc/hostname
            sh(g, "mount -o remount,rw /; echo written >/root/file")
            running = subprocess.run(["dumpe2fs", "-h", disk], capture_output=True, text=True).stdout
            check("not clean" in running, running)
            equal(g.conn().request("shutdown", reboot=True)[0], "done")
            equal(g.qemu.wait(20), 0)
            check("rebooting" in g.console())
            ended = subprocess.run(["dumpe2fs", "-h", disk], capture_output=True, text=True).stdout
            check(re.search(r"Filesystem state: +clean", ended), ended)
            equal(subprocess.run(["debugfs", "-R", "cat /root/file", disk], capture_output=True).stdout, b"written\n")
        finally:
            g.close()


def attempt(sentence, run, g):
    try:
        run(g)
    except Exception as e:
        place = [f for f in traceback.extract_tb(e.__traceback__) if f.filename == os.path.abspath(__file__)][-1:]
        print("not ok - %s: line %d: %s: %s" % (sentence, place[0].lineno, type(e).__name__, " ".join(str(e).split())[:1500]), flush=True)
        return False
    print("ok - " + sentence, flush=True)
    return True


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    good = True
    g = guestkit.boot(append="postern.hostname=web1 postern.ip=10.0.0.2/24 postern.ip=fd00::2/64 postern.gw=10.0.0.1 postern.dns=1.1.1.1 "
                      "postern.dns=9.9.9.9", more=NET)
    try:
        for sentence, run in TESTS:
            good = (wanted not in sentence or attempt(sentence, run, g)) and good
    finally:
        g.close()
    del TESTS[:]
    variants()
    for sentence, run in TESTS:
        good = (wanted not in sentence or attempt(sentence, run, None)) and good
    sys.exit(0 if good else 1)


main()
