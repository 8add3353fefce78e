"""The ground that privileged tests stand on: a world of its own in which postern is installed.

World.run(inner) enters new mount, network and pid namespaces and runs inner(world) as pid 1 of them, as root:

  /etc, /usr/libexec   overlays: the host's, with postern's users, policy and a 4750 copy of the helper on a tmpfs
  /run, BASE           tmpfs; BASE/postern holds mount root, jails, images and state
  /proc, /sys          fresh, since both show the namespaces of whoever mounted them
  lo, up0              up0 (198.51.100.2) leads to a second network namespace (198.51.100.1) that knows no way back: the outside

Whatever is started in there dies with pid 1, before run() comes back; mounts and links die with the namespaces.  Cgroups would
stay, so run() removes those below its own name, and those of an earlier world whose maker was killed.
"""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
VMM_BASE = os.path.join(BUILD, "guest", "base-qemu")
BASE = "/srv"
HOME = BASE + "/postern"
DAEMON, BROKER, NET, VOL = 64990, 64991, 64992, 64993
VM_UIDS = (900000, 999999)
UPLINK, UPLINK_ADDRESS, OUTSIDE = "up0", "198.51.100.2", "198.51.100.1"
LIBEXEC = "/usr/libexec/postern"
HELPERS = ["postern-helper", "postern-broker", "postern-net", "postern-vol", "postern-jail", "postern-spawn"]
OTHERS = ["postern-keeper", "postern-vsock", "postern-init"]
SOCKET = "/run/postern/rpc.sock"
CGROUP_PREFIX = "postern-test-"

CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID = 0x20000, 0x40000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE, MS_MOVE = 4096, 16384, 1 << 18, 8192
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The world can't be made; the text says why."""


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def mount(source, target, fstype=None, flags=0, data=None):
    encode = lambda s: None if s is None else s.encode()
    check(libc.mount(encode(source), encode(target), encode(fstype), ctypes.c_ulong(flags), encode(data)), "mount " + target)


def unshare(flags):
    check(libc.unshare(flags), "unshare")


def die_with_parent():
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def run(*command, **options):
    """Runs a command that must succeed; its output shows only when it doesn't."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise Refused("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stdout.decode(errors="replace").strip()))
    return done.stdout.decode()


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def directory(path, uid=0, gid=0, mode=0o755):
    os.makedirs(path, exist_ok=True)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def start_time(pid):
    """Field 22 of /proc/PID/stat, or None where there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def cgroup_mounts():
    """Mount points of every cgroup hierarchy: (version 2's, [version 1's])."""
    two, one = None, []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            fields, _, rest = line.partition(" - ")
            where, fstype = fields.split()[4], rest.split()[0]
            if fstype == "cgroup2" and two is None:
                two = where
            elif fstype == "cgroup":
                one.append(where)
    return two, one


def cgroup_remove(mounts, name):
    two, one = mounts
    for top in [two] + one:
        for path, _, _ in os.walk(os.path.join(top, name), topdown=False):
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except FileNotFoundError:
                    break
                except OSError:  # a process is still being reaped
                    time.sleep(0.02)


def vmm_base():
    """Prepares what a VM sees as its root, once per build: again when QEMU or what lies beside it in there is newer."""
    parts = [os.path.join(BUILD, "bin", n) for n in ("postern-keeper", "postern-vsock")] + ["/usr/bin/qemu-system-x86_64"]
    if not all(os.path.exists(p) for p in parts):
        return
    os.makedirs(os.path.dirname(VMM_BASE), exist_ok=True)
    lock = os.open(VMM_BASE + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(VMM_BASE) or os.stat(VMM_BASE).st_mtime < max(os.stat(p).st_mtime for p in parts):
            run(os.path.join(TOP, "helper", "vmm-base"), "--programs", os.path.join(BUILD, "bin"), VMM_BASE)
    finally:
        os.close(lock)


def cgroup_sweep(mounts):
    """Removes the cgroups of worlds whose maker is gone."""
    for name in os.listdir(mounts[0]):
        maker = re.fullmatch(CGROUP_PREFIX + r"(\d+)-(\d+)", name)
        if maker and start_time(int(maker.group(1))) != int(maker.group(2)):
            cgroup_remove(mounts, name)


def default_policy(cgroup):
    """The text of a world's policy."""
    lines = [
        "daemon-uid %d" % DAEMON, "broker-uid %d" % BROKER, "net-uid %d" % NET, "vol-uid %d" % VOL,
        "interface-prefix pt-", "bridge pt-br*", "uplink " + UPLINK, "route-table 254 1000-1999", "route-default 1990-1999",
        "mount-root %s/mnt" % HOME, "mount-source /dev/loop*", "mount-fstype ext4 btrfs vfat xfs",
        "image-root %s/images" % HOME, "jail-root %s/jail" % HOME, "cgroup-root " + cgroup,
        "ovs database switch", "vmm qemu %s/base/qemu" % LIBEXEC, "uid-range %d-%d" % VM_UIDS, "limit taps 64 rules %s jails 16 requests-per-second 5000" % os.environ.get("POSTERN_TEST_RULES", "1000"),
    ]
    return "\n".join(lines) + "\n"


class World:
    def __init__(self, policy=None, config=None, acl=None):
        self.policy, self.config, self.acl = policy, config, acl
        self.caller = os.getuid()
        if self.caller != 0:
            raise Refused("needs root: it makes namespaces and a setuid helper")
        if (TOP + "/").startswith(BASE + "/") or (os.getcwd() + "/").startswith(BASE + "/"):
            raise Refused("works from anywhere but %s, which it covers" % BASE)
        self.mounts = cgroup_mounts()  # asked now: once the world is gone there is no /proc to ask
        if self.mounts[0] is None:
            raise Refused("needs a version 2 cgroup hierarchy")
        self.cgroup_name = "%s%d-%d" % (CGROUP_PREFIX, os.getpid(), start_time(os.getpid()))
        self.cgroup = os.path.join(self.mounts[0], self.cgroup_name)
        self.outside_pid = None

    # ---- outside -----------------------------------------------------------------------------------------------------------------

    def run(self, inner):
        """Runs inner(self) as pid 1 of the world and gives back its exit code.  Signals sent to this process go on to it."""
        signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
        old = signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
        cgroup_sweep(self.mounts)
        vmm_base()
        unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)
        try:
            pid = os.fork()
            if pid == 0:
                self._first(inner, old)
            return self._wait(pid, signals)
        finally:
            cgroup_remove(self.mounts, self.cgroup_name)

    def _wait(self, pid, signals):
        while True:
            got = signal.sigwaitinfo(signals | {signal.SIGCHLD})
            if got.si_signo == signal.SIGCHLD:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done == pid:
                    return os.waitstatus_to_exitcode(status)
            elif got.si_code <= 0:  # from a process; what a terminal sends reaches the command without us
                os.kill(pid, got.si_signo)

    def _first(self, inner, mask):
        code = 125
        try:
            die_with_parent()
            self.mask = mask
            self._build()
            code = inner(self)
        except (Refused, OSError) as e:
            print("%s: %s" % (os.path.basename(sys.argv[0]), e), file=sys.stderr)
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # ---- the inside --------------------------------------------------------------------------------------------------------------

    def _build(self):
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        guest = os.path.join(BUILD, "guest", "default")
        self._hold = [os.open(d, os.O_PATH | os.O_DIRECTORY) for d in (BUILD, guest) if os.path.isdir(d)]
        mount("world", BASE, "tmpfs", 0, "mode=0755")
        self._kernel_views()
        self._overlay("/etc")
        self._overlay("/usr/libexec")
        mount("world", "/run", "tmpfs", 0, "mode=0755")
        self._directories(guest)
        self._users()
        self._install()
        write("/etc/postern/policy.conf", self.policy_text())
        self._network()

    def _kernel_views(self):
        mount("proc", "/proc", "proc", 2 | 4 | 8)
        keep = BASE + "/.cgroup"
        os.mkdir(keep)
        mount("/sys/fs/cgroup", keep, None, MS_BIND | MS_REC)
        mount("sysfs", "/sys", "sysfs", 2 | 4 | 8)
        mount(keep, "/sys/fs/cgroup", None, MS_MOVE)
        os.rmdir(keep)
        os.mkdir(self.cgroup)

    def _overlay(self, path):
        up = BASE + "/.up" + path.replace("/", "-")
        for d in (up, up + "/upper", up + "/work"):
            os.mkdir(d)
        try:
            mount("overlay", path, "overlay", 0, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (path, up, up))
        except OSError:  # a kernel without overlayfs: a copy serves as well
            run("cp", "-a", path + "/.", up + "/upper")
            mount(up + "/upper", path, None, MS_BIND)

    def _directories(self, guest):
        directory(HOME)
        directory(HOME + "/mnt")
        directory(HOME + "/jail")
        directory(HOME + "/images")
        directory(HOME + "/state", DAEMON, DAEMON, 0o700)
        directory(HOME + "/bin")
        directory("/run/postern", DAEMON, DAEMON)
        if os.path.isdir(guest):
            directory(HOME + "/images/default")
            mount(guest, HOME + "/images/default", None, MS_BIND)

    def _users(self):
        ids = [("postern", DAEMON), ("postern-broker", BROKER), ("postern-net", NET), ("postern-vol", VOL)]
        with open("/etc/passwd", "a") as f:
            f.writelines("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n" % (n, i, i) for n, i in ids)
        with open("/etc/group", "a") as f:
            f.writelines("%s:x:%d:\n" % (n, i) for n, i in ids)

    def _install(self):
        directory("/etc/postern")
        directory(LIBEXEC)
        for name in HELPERS + OTHERS:
            source = os.path.join(BUILD, "bin", name)
            if os.path.exists(source):
                self._copy(source, os.path.join(LIBEXEC, name))
        helper = os.path.join(LIBEXEC, "postern-helper")
        if os.path.exists(helper):
            os.chown(helper, 0, DAEMON)
            os.chmod(helper, 0o4750)
        for name in ("postern", "posternd"):
            source = os.path.join(BUILD, "bin", name)
            if os.path.exists(source):
                self._copy(source, os.path.join(HOME, "bin", name))
        directory(LIBEXEC + "/base/qemu")  # empty where no guest is built: nothing boots then, but the policy is whole
        if os.path.isdir(VMM_BASE):
            run("cp", "-a", "--no-preserve=ownership", VMM_BASE + "/.", LIBEXEC + "/base/qemu")

    @staticmethod
    def _copy(source, target):
        shutil.copyfile(source, target)
        os.chown(target, 0, 0)
        os.chmod(target, 0o755)

    def _network(self):
        run("ip", "link", "set", "lo", "up")
        ready, done = os.pipe()
        self.outside_pid = os.fork()
        if self.outside_pid == 0:
            self._outside(done)
        os.close(done)
        os.read(ready, 1)
        os.close(ready)
        run("ip", "link", "add", UPLINK, "type", "veth", "peer", "name", "in0", "netns", str(self.outside_pid))
        run("ip", "address", "add", UPLINK_ADDRESS + "/24", "dev", UPLINK)
        run("ip", "link", "set", UPLINK, "addrgenmode", "none")  # no address that comes later by itself
        run("ip", "link", "set", UPLINK, "up")
        run("ip", "route", "add", "default", "via", OUTSIDE)
        there = ["nsenter", "--net=/proc/%d/ns/net" % self.outside_pid, "ip"]
        run(*there, "link", "set", "lo", "up")
        run(*there, "address", "add", OUTSIDE + "/24", "dev", "in0")
        run(*there, "link", "set", "in0", "up")

    @staticmethod
    def _outside(done):
        """A process that only holds the outside's network namespace."""
        unshare(CLONE_NEWNET)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.setsid()
        os.write(done, b".")
        os.closerange(3, 1024)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        while True:
            signal.pause()

    def policy_text(self):
        if self.policy is not None:
            with open(self.policy) as f:
                return f.read().replace("@CGROUP@", self.cgroup)
        return default_policy(self.cgroup)

    def environment(self):
        """For the command: the caller's, with the built programs first on PATH."""
        env = dict(os.environ)
        env["PATH"] = HOME + "/bin:" + env.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        env.update(POSTERN_TEST_WORLD=HOME, POSTERN_TEST_TOP=TOP, POSTERN_TEST_CGROUP=self.cgroup, POSTERN_TEST_UPLINK=UPLINK,
                   POSTERN_TEST_OUTSIDE=OUTSIDE, POSTERN_TEST_OUTSIDE_PID=str(self.outside_pid), POSTERN_TEST_DAEMON_UID=str(DAEMON))
        return env

    def start(self, command, env, prepare=None):
        """Forks the caller's command: same standard files, process group and signals as with-daemon was called with."""
        pid = os.fork()
        if pid == 0:
            try:
                if prepare is not None:
                    prepare()
                signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
                os.execvpe(command[0], command, env)
            except OSError as e:
                print("%s: %s: %s" % (os.path.basename(sys.argv[0]), command[0], e.strerror), file=sys.stderr)
                os._exit(127 if isinstance(e, FileNotFoundError) else 126)
        return pid


def attend(main, others=None, tick=None):
    """As pid 1: reaps everybody, passes signals on to main, and gives back main's exit code as a shell would.

    others maps a pid to what is called with its status when that process ends."""
    waited = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    others = {} if others is None else others
    while True:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid == 0:
                break
            if pid == main:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if pid in others:
                others.pop(pid)(status)
        got = signal.sigtimedwait(waited, 0.1 if tick else 3600)
        if got is not None and got.si_signo != signal.SIGCHLD:
            os.kill(main, got.si_signo)
        if tick:
            tick()
