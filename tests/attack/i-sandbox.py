#!/usr/bin/python3
"""I: the sandbox read back from /proc, and what happens when a process of the helper dies.  (I1 to I4: filters_test.c.)  LIMIT: 120"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import Failed, Helper, equal, test, want

hostile.enter()
CHOWN, FOWNER, KILL, SETGID, SETUID, NET_ADMIN, SYS_ADMIN, MKNOD = 0, 3, 5, 6, 7, 12, 21, 27
# name: (uid, gid, capabilities)
TABLE = {
    "postern-helper": (ground.BROKER, ground.BROKER, ()),  # the broker's once it has started everything
    "postern-broker": (ground.BROKER, ground.BROKER, ()),
    "postern-net": (ground.NET, ground.NET, (NET_ADMIN,)),
    "postern-vol": (ground.VOL, ground.VOL, (SYS_ADMIN,)),
    "postern-jail": (0, ground.DAEMON, (CHOWN, FOWNER, KILL)),  # in the daemon's group: what it makes belongs to that without a chown
    "postern-spawn": (0, ground.DAEMON, (SETGID, SETUID, SYS_ADMIN, MKNOD)),
}

# What the jail cell's own root may hold.
JAIL_ROOT = ("proc", "jails", "images", "cgroup", "cgroup-cpu", "cgroup-memory", "cgroup-pids")


def capabilities(text):
    bits = int(text, 16)
    return tuple(i for i in range(64) if bits >> i & 1)


def each():
    helper = Helper()
    try:
        running = helper.processes()
        equal(sorted(running), sorted(TABLE), "the processes")
        return helper, [(n, running[n], hostile.status_of(running[n])) for n in TABLE]
    except BaseException:
        helper.close()
        raise


def checked(what):
    """Runs what(name, pid, status) for every process of a running helper."""
    helper, processes = each()
    with helper:
        for name, pid, status in processes:
            what(name, pid, status)


@test("I5: each process has the uid, gid and capabilities of the table, effective and permitted, and no others")
def _():
    def look(name, pid, status):
        uid, gid, caps = TABLE[name]
        equal(status["Uid"].split(), [str(uid)] * 4, "uids of " + name)
        equal(status["Gid"].split(), [str(gid)] * 4, "gids of " + name)
        equal(status["Groups"], "", "groups of " + name)
        equal(capabilities(status["CapPrm"]), tuple(sorted(caps)), "permitted of " + name)
        equal(capabilities(status["CapEff"]), tuple(sorted(caps)), "effective of " + name)
    checked(look)


@test("I5: inheritable, bounding and ambient sets are empty everywhere")
def _():
    def look(name, pid, status):
        for which in ("CapInh", "CapBnd", "CapAmb"):
            equal(capabilities(status[which]), (), "%s of %s" % (which, name))
    checked(look)


@test("I5: no_new_privs is set and a seccomp filter holds everywhere")
def _():
    def look(name, pid, status):
        equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no_new_privs and seccomp mode of " + name)
    checked(look)


@test("I5: nothing is dumpable: /proc/PID belongs to root and mem can't be opened by the same uid")
def _():
    def look(name, pid, status):
        st = os.stat("/proc/%d/environ" % pid)
        equal((st.st_uid, st.st_gid), (0, 0), "owner of /proc/PID/environ of " + name)
        child = os.fork()
        if child == 0:
            uid = int(status["Uid"].split()[0]) or 65534
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                os.open("/proc/%d/mem" % pid, os.O_RDONLY)
                os._exit(1)
            except OSError:
                os._exit(0)
        equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "opening mem of %s as its own uid" % name)
    checked(look)


@test("I5: limits: no core, no locked memory, no message queues, no priority")
def _():
    def look(name, pid, status):
        limits = {line[:26].strip(): line[26:].split()[:2] for line in open("/proc/%d/limits" % pid)}
        for what in ("Max core file size", "Max locked memory", "Max msgqueue size", "Max nice priority", "Max realtime priority"):
            equal(limits[what], ["0", "0"], "%s of %s" % (what, name))
        want(int(limits["Max open files"][1]) <= 8192, "%s may open %s files" % (name, limits["Max open files"][1]))
        if name in ("postern-broker", "postern-helper", "postern-net", "postern-vol"):
            equal(limits["Max processes"], ["0", "0"], "processes of " + name)
    checked(look)


@test("I5: no mapping is writable and executable, and no stack executable")
def _():
    def look(name, pid, status):
        for line in open("/proc/%d/maps" % pid):
            rights = line.split()[1]
            want(not ("w" in rights and "x" in rights), "%s maps %s" % (name, line.strip()))
            want("[stack]" not in line or "x" not in rights, "%s has an executable stack" % name)
    checked(look)


@test("I5: each holds only sockets, memfds, pipes and what its work needs; none a directory or file of the host beyond that")
def _():
    allowed = {
        "postern-helper": ("socket:", "pipe:", "/dev/null", "/run/postern-helper/lock"),
        "postern-broker": ("socket:", "pipe:", "/dev/null", "/run/postern-helper/lock"),
        "postern-net": ("socket:", "pipe:", "/dev/null", "/run/postern-helper/", "/proc/sys/net/", "/proc", "/dev/net"),
        "postern-vol": ("socket:", "pipe:", "/dev/null", "/run/postern-helper/lock", ground.HOME + "/mnt", "/dev", "/proc"),
        "postern-jail": ("socket:", "pipe:", "/dev/null", "/run/postern-helper/lock", "/proc", "/proc/", *("/" + d for d in JAIL_ROOT)),
        "postern-spawn": ("socket:", "pipe:", "/dev/null", "/run/postern-helper/lock", ground.HOME + "/jail", ground.HOME + "/images", ground.LIBEXEC + "/base/", "/sys/fs/cgroup/", "/proc", "anon_inode:[pidfd]"),
    }

    def look(name, pid, status):
        for fd in sorted(os.listdir("/proc/%d/fd" % pid), key=int):
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            if fd == "2":
                continue  # where refusals go: the caller's
            if name == "postern-net" and target == "/":  # a mount of its own, without a name, that holds the node of /dev/net/tun
                want(os.stat("/proc/%d/fd/%s" % (pid, fd)).st_dev != os.stat("/").st_dev, "it holds the host's root")
                equal(os.listdir("/proc/%d/fd/%s" % (pid, fd)), ["tun"], "what its directory holds")
                continue
            if target == "/proc/%d" % pid:
                continue  # its own
            if target == "/" and name in ("postern-vol", "postern-spawn"):  # where move_mount(2) and a jail's binds start from; opens nothing by itself
                want(int([l for l in open("/proc/%d/fdinfo/%s" % (pid, fd)) if l.startswith("flags")][0].split()[1], 8) & os.O_PATH, "%s holds / open" % name)
                continue
            want(any(target.startswith(a) if a.endswith((":", "/")) else target == a or target == a + " (deleted)" for a in allowed[name]), "descriptor %s of %s is %s" % (fd, name, target))
    checked(look)


@test("I5: the root of the jail cell, which may change the owner of every file it can name, holds jails, images and cgroups, and nothing else of the host")
def _():
    def look(name, pid, status):
        root = "/proc/%d/root" % pid
        if name != "postern-jail":
            equal(os.stat(root).st_ino, os.stat("/").st_ino, "the root of " + name)
            return
        held = set(os.listdir(root))
        want({"proc", "jails", "images", "cgroup"} <= held <= set(JAIL_ROOT), "its root holds %r" % held)
        for there, here in (("jails", ground.HOME + "/jail"), ("images", ground.HOME + "/images"), ("cgroup", os.environ["POSTERN_TEST_CGROUP"])):
            equal(os.stat(root + "/" + there).st_ino, os.stat(here).st_ino, "what /%s is" % there)
        with open("/proc/%d/mountinfo" % pid) as f:
            mounts = [line.split() for line in f]
        equal([m for m in mounts if m[4] != "/" and m[4].split("/")[1] not in JAIL_ROOT], [], "mounts elsewhere")
        want("ro" in [m for m in mounts if m[4] == "/"][0][5].split(","), "its root can be written")
        for way in ("jails/..", "images/../..", "cgroup/../../..", "../../etc"):
            want(not os.path.exists("%s/%s/etc/passwd" % (root, way)) and not os.path.exists("%s/%s/passwd" % (root, way)), "%s leads to the host" % way)
    checked(look)


@test("I5: the environment of every started process is empty")
def _():
    def look(name, pid, status):
        if name != "postern-helper":
            equal(open("/proc/%d/environ" % pid, "rb").read().rstrip(b"\0"), b"", "environment of " + name)
    checked(look)


def reaper(running):
    """The pid of the net cell's second process."""
    found = [p for p in hostile.children(running["postern-net"]) if hostile.comm(p) == "postern-reaper"]
    equal(len(found), 1, "the number of reapers")
    return found[0]


@test("I5: the net cell's reaper has the cell's uid, NET_ADMIN and nothing else, a filter, no new processes, and two sockets")
def _():
    with Helper() as helper:
        pid = reaper(helper.processes())
        status = hostile.status_of(pid)
        equal((status["Uid"].split(), status["Gid"].split(), status["Groups"]), ([str(ground.NET)] * 4, [str(ground.NET)] * 4, ""), "its ids")
        equal([capabilities(status[s]) for s in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")], [(NET_ADMIN,), (NET_ADMIN,), (), (), ()], "its capabilities")
        equal((status["NoNewPrivs"], status["Seccomp"], status["Threads"]), ("1", "2", "1"), "no_new_privs, filter and threads")
        limits = {line[:26].strip(): line[26:].split()[:2] for line in open("/proc/%d/limits" % pid)}
        equal((limits["Max processes"], limits["Max core file size"]), (["0", "0"], ["0", "0"]), "its limits")
        equal(os.stat("/proc/%d/environ" % pid).st_uid, 0, "the owner of what it could show")
        held = {int(fd): os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
        sockets = [fd for fd, to in held.items() if to.startswith("socket:")]
        equal(len(sockets), 2, "its sockets, of %r" % held)
        others = [to for fd, to in held.items() if fd > 2 and fd not in sockets]
        want(all(to.startswith(("pipe:", "/run/postern-helper/lock")) for to in others), "it holds %r" % others)


@test("I9: kill -9 of the net cell's reaper ends the helper, and its own end follows the cell's")
def _():
    helper = Helper()
    os.kill(reaper(helper.processes()), signal.SIGKILL)
    hostile.nothing_of_helper_runs()
    equal(helper.wait(), hostile.EXIT_DIED, "the exit code")
    helper.close()
    helper = Helper()
    pid = reaper(helper.processes())
    os.kill(helper.processes()["postern-net"], signal.SIGKILL)
    hostile.nothing_of_helper_runs()
    helper.wait()
    helper.close()
    want(hostile.comm(pid) is None, "the reaper lives on")


@test("I9: kill -9 of any process of the helper ends all others within a second, and the next helper serves")
def _():
    for victim in TABLE:
        before = hostile.state()
        helper = Helper()
        os.kill(helper.processes()[victim], signal.SIGKILL)
        began = time.monotonic()
        hostile.nothing_of_helper_runs()
        code = helper.wait()
        want(code == (-9 if victim == "postern-helper" else hostile.EXIT_DIED), "exit %d after the death of %s" % (code, victim))
        helper.close()
        with Helper() as after:
            after.serves()
        want(time.monotonic() - began < 2, "the next helper served only after %.1f s" % (time.monotonic() - began))
        hostile.unchanged(before)


@test("I9: kill -STOP of a process doesn't keep the others from ending")
def _():
    for victim in ("postern-net", "postern-jail"):
        helper = Helper()
        running = helper.processes()
        os.kill(running[victim], signal.SIGSTOP)
        os.kill(running["postern-broker"], signal.SIGKILL)
        time.sleep(0.5)
        if os.path.exists("/proc/%d" % running[victim]):
            os.kill(running[victim], signal.SIGCONT)
        hostile.nothing_of_helper_runs()
        helper.wait()
        helper.close()


@test("I10: a kernel that lacks Landlock, seccomp filters, close_range, prctl's bounding set or capset gives no helper")
def _():
    calls = {"landlock_create_ruleset": (444, 38), "landlock_restrict_self": (446, 38), "close_range": (436, 38), "capset": (126, 1), "setrlimit": (160, 1), "prlimit64": (302, 1), "prctl": (157, 22), "memfd_create": (319, 38), "setsid": (112, 1)}
    for name, (number, error) in calls.items():
        before = hostile.state()
        helper = Helper(hello=False, as_daemon=False, prepare=lambda: (hostile.deny_call(number, error), hostile.become_daemon()))
        try:
            helper.hello()
            served = True
        except Failed:
            served = False
            want(helper.exit not in (None, 0, hostile.EXIT_MALFORMED), "%s missing: exit %r" % (name, helper.exit))
        helper.close()
        want(not served or name in ("setrlimit", "prlimit64"), "it serves though %s fails" % name)  # the C library uses one of the two
        hostile.nothing_of_helper_runs()
        hostile.unchanged(before)


hostile.main()
