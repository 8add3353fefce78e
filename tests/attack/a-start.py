#!/usr/bin/python3
"""A: the world that the invoker arranges before it starts the setuid helper.  LIMIT: 240"""
import ctypes
import os
import platform
import random
import resource
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import Failed, Helper, equal, test, want

hostile.enter()
libc = ctypes.CDLL(None, use_errno=True)
REFUSAL_LINES = 1


def sound(helper):
    """It serves, and all of its processes are what they should be."""
    helper.serves()
    running = helper.processes()
    equal(sorted(running), sorted(["postern-helper"] + hostile.CELLS), "the processes")
    for name, pid in running.items():
        status = hostile.status_of(pid)
        want(status["Groups"] == "", "%s keeps groups %s" % (name, status["Groups"]))
        want(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", "%s isn't confined" % name)
        want(status["SigBlk"] == status["SigIgn"] == "0" * 16, "%s inherited signal settings %s %s" % (name, status["SigBlk"], status["SigIgn"]))
        for fd in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            want("/etc/shadow" not in target and "io_uring" not in target, "%s holds %s" % (name, target))


def serves(**options):
    before = hostile.state()
    with Helper(**options) as helper:
        sound(helper)
    equal(helper.exit, hostile.EXIT_PEER, "the exit code at the end")
    hostile.nothing_of_helper_runs()
    hostile.unchanged(before)


def refuses(code=hostile.EXIT_REFUSED, **options):
    """It ends before it reads the first byte, saying why in one line, and changes nothing."""
    before = hostile.state()
    helper = Helper(hello=False, **options)
    try:
        helper.send(hostile.pack([0, 1, {"rows": hostile.ROWS_HASH}]))
    except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError):
        pass
    helper.wait()
    said = helper.stderr()
    equal(helper.exit, code, "the exit code (%s)" % said.strip())
    helper.close()
    hostile.nothing_of_helper_runs()
    hostile.unchanged(before)
    return said


def serves_or_refuses(**options):
    """A world too small to start in is refused as a whole: never half a helper."""
    before = hostile.state()
    helper = Helper(hello=False, **options)
    try:
        helper.hello()
        sound(helper)
        served = True
    except Failed:
        if helper.exit is None:
            raise
        want(helper.exit not in (0, 3), "exit %d though it didn't serve" % helper.exit)
        served = False
    helper.close()
    hostile.nothing_of_helper_runs()
    hostile.unchanged(before)
    return served


def raw_exec(argv, env=()):
    """execve with exactly these pointers: argv may be empty, entries may repeat or lack their '='."""
    pointers = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items, None)
    libc.execve(hostile.HELPER.encode(), pointers(list(argv)), pointers(list(env)))


def limit(what, value):
    return lambda: resource.setrlimit(what, (value, value))


@test("A1: an empty argument vector changes nothing")
def _():
    serves(prepare=lambda: raw_exec([]))


@test("A2: a first argument of 128 KiB less a byte, with newlines, changes nothing")
def _():
    serves(argv=["postern\nhelper" * 9000])


@test("A3: further arguments change nothing")
def _():
    for more in (["--help"], ["-c", "/etc/shadow"], ["--", "x"], ["-v"] * 100):
        serves(argv=["postern-helper", *more])


@test("A4: descriptors 0, 1 and 2 closed, singly and together, change nothing")
def _():
    for closed in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)):
        serves(prepare=lambda: [os.close(fd) for fd in closed])


@test("A5: descriptors inherited by the helper are closed before it starts anything")
def _():
    def spoil():
        os.dup2(os.open("/etc/shadow", os.O_RDONLY), 20)  # still as root
        os.dup2(os.open("/", os.O_PATH), 21)
        os.dup2(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).detach(), 22)
        os.dup2(os.memfd_create("x"), 23)
        os.dup2(os.pidfd_open(os.getpid()), 24)
        ring = libc.syscall(425, 4, ctypes.create_string_buffer(120))
        if ring >= 0:
            os.dup2(ring, 25)
        for fd in range(26, 900):
            os.dup2(21, fd)
        hostile.become_daemon()
    with Helper() as helper:
        plain = helper.descriptors()
    with Helper(as_daemon=False, prepare=spoil) as helper:
        sound(helper)
        equal(helper.descriptors(), plain, "the number of descriptors in each process")


@test("A6: loader, libc and library variables change nothing and name no file that is opened")
def _():
    trap = hostile.SCRATCH + "/trap"
    os.makedirs(trap, exist_ok=True)
    os.chmod(trap, 0o777)
    names = ("LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH LD_DEBUG_OUTPUT LD_PROFILE_OUTPUT LOCPATH NLSPATH GCONV_PATH GETCONF_DIR HOSTALIASES TZDIR TMPDIR "
             "LIBMOUNT_FSTAB LIBMOUNT_MTAB LIBSECCOMP_CONFIG RESOLV_HOST_CONF MALLOC_TRACE NLDBG NLCB XDG_RUNTIME_DIR XDG_CONFIG_HOME HOME PATH").split()
    env = {n: trap + "/x.so" for n in names}
    env.update(LD_DEBUG="all", LD_BIND_NOW="1", GLIBC_TUNABLES="glibc.malloc.check=3:glibc.malloc.perturb=165", MALLOC_CHECK_="3", MALLOC_PERTURB_="1",
               RES_OPTIONS="debug", IFS="x", SHELL="/bin/false", LANG="xx_XX.UTF-8", LC_ALL="tr_TR")
    with open(trap + "/x.so", "w") as f:
        f.write("not a library")
    try:
        with Helper(env=env) as helper:
            sound(helper)
            for name, pid in helper.processes().items():
                with open("/proc/%d/environ" % pid, "rb") as f:
                    want(name == "postern-helper" or b"trap" not in f.read(), "%s was given the invoker's environment" % name)
                with open("/proc/%d/maps" % pid) as f:
                    want(trap not in f.read(), "%s mapped a file of the invoker's" % name)
            said = helper.stderr()
        equal(said, "", "what it said")
        equal(os.listdir(trap), ["x.so"], "files written for the invoker")
    finally:
        os.unlink(trap + "/x.so")
        os.rmdir(trap)


@test("A7: an environment of 1 MiB, with entries without '=' and duplicates, changes nothing")
def _():
    entries = [b"X=" + b"y" * 100000] * 10 + [b"NOEQUALS", b"", b"=", b"PATH=/a", b"PATH=/b", b"LD_PRELOAD=/x", b"LD_PRELOAD=/y"]
    serves(prepare=lambda: raw_exec([b"postern-helper"], entries))


@test("A8: a limit of 0 to 16 open files gives a whole helper or none")
def _():
    for n in list(range(0, 17)):
        serves_or_refuses(prepare=limit(resource.RLIMIT_NOFILE, n))


@test("A9: a file size limit of 0 or 1 gives a whole helper or none")
def _():
    for n in (0, 1):
        serves_or_refuses(prepare=limit(resource.RLIMIT_FSIZE, n))


@test("A10: no process of the helper leaves a core, even with the limit lifted")
def _():
    for victim in ["postern-helper"] + hostile.CELLS:
        before = hostile.state()
        helper = Helper(prepare=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2))
        running = helper.processes()
        for name, pid in running.items():
            with open("/proc/%d/limits" % pid) as f:
                core = [line for line in f if line.startswith("Max core file size")][0].split()
            equal(core[4:6], ["0", "0"], "the core limit of %s" % name)
        os.kill(running[victim], signal.SIGSEGV)
        helper.wait()
        helper.close()
        hostile.nothing_of_helper_runs()
        want(not [f for f in os.listdir("/") if f.startswith("core")], "a core lies in /")
        hostile.unchanged(before)


@test("A11: tiny limits of address space, data and stack give a whole helper or none")
def _():
    for what in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK):
        for n in (4096, 65536, 1 << 20, 4 << 20):
            try:
                serves_or_refuses(prepare=limit(what, n))
            except Failed as e:
                if "-11" not in str(e) and "-9" not in str(e):
                    raise


@test("A12: a process limit of 0 or 1 gives a whole helper or none")
def _():
    for n in (0, 1):
        serves_or_refuses(prepare=limit(resource.RLIMIT_NPROC, n))


@test("A13: a limit of a second of processor time gives a whole helper or none")
def _():
    serves_or_refuses(prepare=limit(resource.RLIMIT_CPU, 1))


@test("A14: limits of 0 on locked memory, signals, message queues and locks give a whole helper or none")
def _():
    for what in (resource.RLIMIT_MEMLOCK, 11, resource.RLIMIT_MSGQUEUE, 10):  # SIGPENDING, LOCKS
        serves_or_refuses(prepare=limit(what, 0))


@test("A15: the invoker's nice value and idle scheduling aren't the helper's")
def _():
    with Helper(prepare=lambda: (os.nice(19), os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)))) as helper:
        sound(helper)
        for name, pid in helper.processes().items():
            equal((os.getpriority(os.PRIO_PROCESS, pid), os.sched_getscheduler(pid)), (0, os.SCHED_OTHER), "nice value and policy of " + name)


@test("A16: a umask of 0 or 0777 changes no mode of what the helper makes")
def _():
    seen = set()
    for mask in (0, 0o777, 0o022):
        with Helper(prepare=lambda: os.umask(mask)) as helper:
            sound(helper)
            vm = {"vmm": hostile.VMM_QEMU, "id": "masked"}
            helper.ok("jail_create", dict(vm, uid=ground.VM_UIDS[0]))
            jail = ground.HOME + "/jail/qemu/masked"
            seen.add(tuple(os.stat(p).st_mode for p in (jail, jail + "/root", jail + "/record", "/run/postern-helper", "/run/postern-helper/lock")))
            helper.ok("jail_remove", vm)
    equal(len(seen), 1, "different modes")


@test("A17: started in a directory that is deleted, or that it may not read, it changes to / and serves")
def _():
    def deleted():
        d = "/tmp/postern-test-%d" % os.getpid()
        os.mkdir(d)
        os.chdir(d)
        os.rmdir(d)
    serves(prepare=deleted)
    shut = hostile.SCRATCH + "/shut"
    ground.directory(shut, ground.DAEMON, ground.DAEMON, 0o700)
    serves(prepare=lambda: (os.chdir(shut), os.chmod(shut, 0)))
    os.rmdir(shut)
    with Helper() as helper:
        for name, pid in helper.processes().items():
            equal(os.readlink("/proc/%d/cwd" % pid), "/", "the directory of " + name)


@test("A28: without one of its capabilities in the bounding set it refuses to start, and changes nothing")
def _():
    for cap in (0, 3, 5, 6, 7, 8, 12, 21, 27):
        def spoil():
            want(libc.prctl(24, cap, 0, 0, 0) == 0, "PR_CAPBSET_DROP of %d" % cap)  # as root, then the daemon's uid
            hostile.become_daemon()
        refuses(as_daemon=False, prepare=spoil)


@test("A29: a personality without address randomization, or with memory that is executable when readable, isn't the helper's")
def _():
    def odd():
        want(libc.personality(0x0040000 | 0x0400000) >= 0, "personality")
    with Helper(prepare=odd) as helper:
        sound(helper)
        for name, pid in helper.processes().items():
            with open("/proc/%d/personality" % pid) as f:
                equal(int(f.read(), 16), 0, "the personality of " + name)


@test("A38: standard input that is a FIFO, a socket, a terminal or a directory is replaced")
def _():
    def fifo():
        os.dup2(os.pipe()[0], 0)

    def own_socket():
        os.dup2(3, 0)

    def directory():
        os.dup2(os.open("/", os.O_RDONLY), 0)
    for prepare in (fifo, own_socket, directory):
        with Helper(prepare=prepare) as helper:
            sound(helper)
            for name, pid in helper.processes().items():
                equal(os.readlink("/proc/%d/fd/0" % pid), "/dev/null", "standard input of " + name)


def ignore(number):
    """Asks the kernel: libc refuses 32 and 33, which whatever runs the tests may have ignored as well."""
    action = struct.pack("@4Q", 1, 0, 0, 0)  # SIG_IGN, flags, restorer, mask
    call = {"x86_64": 13, "aarch64": 134}[platform.machine()]
    equal(libc.syscall(call, number, action, None, 8), 0, "rt_sigaction of %d" % number)


@test("A19: signals blocked or ignored by the invoker are reset")
def _():
    def blocked():
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))

    def ignored():
        for n in range(1, 65):
            if n not in (signal.SIGKILL, signal.SIGSTOP):
                ignore(n)
    serves(prepare=blocked)
    serves(prepare=ignored)
    serves(prepare=lambda: (blocked(), ignored()))


def as_daemon(function):
    """Runs function() in a child with the daemon's uid and gives back what it returns, an int from 0 to 250."""
    pid = os.fork()
    if pid == 0:
        code = 251
        try:
            hostile.become_daemon()
            code = function()
        except BaseException as e:
            os.write(2, ("as daemon: %r\n" % e).encode())
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@test("A20: once it serves, the invoker can't signal any process of the helper")
def _():
    with Helper() as helper:
        victims = helper.processes()

        def flood():
            through = 0
            for pid in victims.values():
                for n in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM, signal.SIGALRM, signal.SIGIO, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCONT):
                    try:
                        os.kill(pid, n)
                        through += 1
                    except PermissionError:
                        pass
            return through
        equal(as_daemon(flood), 0, "signals that went through")
        sound(helper)


@test("A20: killed, stopped or terminated at a random point of its start, it leaves nothing and the next one starts")
def _():
    before = hostile.state()
    for _ in range(40):
        helper = Helper(hello=False)
        time.sleep(random.random() * 0.015)
        number = random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGALRM, signal.SIGIO, signal.SIGSTOP])
        as_daemon(lambda: 0 if _try(os.kill, helper.pid, number) else 0)
        helper.sock.close()
        time.sleep(0.005)
        if helper.alive():
            _try(os.kill, helper.pid, signal.SIGCONT)
            if number == signal.SIGSTOP and helper.alive():
                _try(os.kill, helper.pid, signal.SIGKILL)
        helper.close()
        hostile.nothing_of_helper_runs()
    serves()
    hostile.unchanged(before)


def _try(function, *arguments):
    try:
        function(*arguments)
        return True
    except OSError:
        return False


@test("A21: a timer armed before the exec doesn't end it")
def _():
    def arm():
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
        signal.setitimer(signal.ITIMER_PROF, 0.1)
    with Helper(prepare=arm) as helper:
        time.sleep(0.25)
        sound(helper)


@test("A22: it has no controlling terminal, and the terminal's signals don't reach it")
def _():
    import fcntl
    import pty
    import termios
    master, slave = pty.openpty()

    name = os.ttyname(slave)
    os.chmod(name, 0o666)

    def prepare():
        os.setsid()
        terminal = os.open(name, os.O_RDWR)
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        os.close(terminal)
        if os.fork():  # the helper isn't to be the session's leader, as under a shell
            _, status = os.waitpid(-1, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 255)
    helper = Helper(prepare=prepare)
    launcher = hostile.children(helper.pid)
    equal(len(launcher), 1, "launchers")
    for pid in launcher + hostile.children(launcher[0]):
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        equal(fields[4], "0", "the controlling terminal of %s" % hostile.comm(pid))
        want(int(fields[3]) != helper.pid, "%s is in the invoker's session" % hostile.comm(pid))
    os.write(master, b"\x03\x1a\x1c")
    time.sleep(0.1)
    helper.serves()
    os.close(master)
    os.close(slave)
    time.sleep(0.1)  # the hang-up has gone to the session
    helper.serves()
    helper.sock.close()
    hostile.nothing_of_helper_runs()
    helper.close()


@test("A23: a traced exec loses the setuid bit, and the helper refuses to start")
def _():
    PTRACE_TRACEME, PTRACE_CONT = 0, 7
    read, write = os.pipe()
    tracer = os.fork()
    if tracer == 0:
        try:
            pair = hostile.daemon_pair()
            hostile.become_daemon()
            tracee = os.fork()
            if tracee == 0:
                os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
                os.dup2(pair[1].fileno(), 3)
                libc.ptrace(PTRACE_TRACEME, 0, None, None)
                os.execve(hostile.HELPER, ["postern-helper"], {})
            for _ in range(1000):
                _, status = os.waitpid(tracee, 0)
                if not os.WIFSTOPPED(status):
                    os.write(write, bytes([os.waitstatus_to_exitcode(status) & 255]))
                    break
                number = os.WSTOPSIG(status)
                libc.ptrace(PTRACE_CONT, tracee, None, ctypes.c_void_p(0 if number == signal.SIGTRAP else number))
        finally:
            os._exit(0)
    os.close(write)
    code = os.read(read, 1)
    os.close(read)
    os.waitpid(tracer, 0)
    equal(code[:1], bytes([hostile.EXIT_REFUSED]), "the exit code under a tracer")


@test("A23: no process of the helper can be traced, read, written or robbed of a descriptor by the invoker")
def _():
    PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
    with Helper() as helper:
        victims = helper.processes()

        def attack():
            won = 0
            buffer = ctypes.create_string_buffer(16)

            class iovec(ctypes.Structure):
                _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
            vector = iovec(ctypes.cast(buffer, ctypes.c_void_p), 16)
            remote = iovec(ctypes.c_void_p(0x400000), 16)
            for name, pid in victims.items():
                tries = {
                    "PTRACE_ATTACH": libc.ptrace(PTRACE_ATTACH, pid, None, None),
                    "PTRACE_SEIZE": libc.ptrace(PTRACE_SEIZE, pid, None, None),
                    "process_vm_readv": libc.process_vm_readv(pid, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0),
                    "process_vm_writev": libc.process_vm_writev(pid, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0),
                    "pidfd_getfd": libc.syscall(438, os.pidfd_open(pid), 3, 0),
                    "kcmp": libc.syscall(312, pid, pid, 0, 0, 0),
                    "perf_event_open": libc.syscall(298, ctypes.create_string_buffer(b"\0\0\0\0\x80" + bytes(123)), pid, -1, -1, 0),
                    "prlimit": libc.prlimit(pid, 7, ctypes.create_string_buffer(bytes(16)), None),
                }
                for what, got in tries.items():
                    if got >= 0:
                        os.write(1, ("# %s of %s went through\n" % (what, name)).encode())
                        won += 1
                for what in ("mem", "maps", "environ", "syscall", "stack", "fd/3", "auxv", "pagemap", "exe", "cwd", "root"):
                    try:
                        path = "/proc/%d/%s" % (pid, what)
                        if what in ("exe", "cwd", "root", "fd/3"):
                            os.readlink(path)
                        else:
                            open(path, "rb").read(1)
                        os.write(1, ("# %s of %s went through\n" % (what, name)).encode())
                        won += 1
                    except OSError:
                        pass
            return won
        equal(as_daemon(attack), 0, "attacks that went through")
        sound(helper)


@test("A24: with no_new_privs set before the exec it refuses to start")
def _():
    said = refuses(prepare=lambda: libc.prctl(38, 1, 0, 0, 0))
    equal(said.count("\n"), REFUSAL_LINES, "lines of its refusal")


@test("A27: securebits set before the exec make it refuse to start")
def _():
    def spoil():  # SECBIT_NOROOT needs CAP_SETPCAP: as root, then the daemon's uid
        want(libc.prctl(28, 1, 0, 0, 0) == 0, "securebits")
        hostile.become_daemon()
    refuses(as_daemon=False, prepare=spoil)


@test("A33: 65,536 supplementary groups, group disk among them, are dropped")
def _():
    def join():
        os.setgroups([6, 5] + list(range(100000, 165534)))
        os.setresgid(ground.DAEMON, ground.DAEMON, ground.DAEMON)
        os.setresuid(ground.DAEMON, ground.DAEMON, ground.DAEMON)
    serves(as_daemon=False, prepare=join)


@test("A34: a hard link elsewhere finds its siblings at their fixed place, not beside itself")
def _():
    link = ground.LIBEXEC + "/../postern-link"
    os.makedirs(link, exist_ok=True)
    path = os.path.join(link, "postern-helper")
    os.link(hostile.HELPER, path)
    with open(os.path.join(link, "postern-broker"), "w") as f:
        f.write("#!/bin/sh\ntouch /run/robbed\n")
    os.chmod(f.name, 0o755)
    try:
        serves_or_refuses(path=path)
        want(not os.path.exists("/run/robbed"), "a program beside the link was started")
    finally:
        os.unlink(path)
        os.unlink(f.name)
        os.rmdir(link)


@test("A34: a copy without the setuid bit refuses to start")
def _():
    copy = ground.LIBEXEC + "/postern-copy"
    ground.World._copy(hostile.HELPER, copy)
    try:
        refuses(path=copy)
    finally:
        os.unlink(copy)


@test("A35: started by a uid that is neither root nor the daemon, it refuses before it reads anything")
def _():
    def stranger(uid):
        def become():
            os.setgroups([])
            os.setresgid(ground.DAEMON, ground.DAEMON, ground.DAEMON)  # the group may execute it
            os.setresuid(uid, uid, uid)
        return become
    for uid in (ground.BROKER, ground.NET, ground.VM_UIDS[0], 65534, 1):
        refuses(as_daemon=False, prepare=stranger(uid))


@test("A35: started by root with a connected socket, it refuses")
def _():
    refuses(as_daemon=False)


@test("A35: a descriptor 3 that isn't a connected sequenced-packet socket of the daemon's is refused")
def _():
    refuses(pair=socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))  # made by root
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        refuses(pair=hostile.daemon_pair(kind))
    refuses(prepare=lambda: os.close(3))
    refuses(prepare=lambda: os.dup2(os.open("/dev/null", os.O_RDWR), 3))
    refuses(prepare=lambda: os.dup2(os.open("/etc/passwd", os.O_RDONLY), 3))

    def listening():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind("\0postern-test")
        s.listen(1)
        os.dup2(s.fileno(), 3)
    refuses(prepare=listening)


hostile.main()
