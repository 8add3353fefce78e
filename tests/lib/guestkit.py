"""What the tests that boot guests share: the kernel, cpio archives, QEMU's command line, a guest with its agent."""
import fcntl, os, resource, shutil, socket, struct, subprocess, tempfile, time

import guestwire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
CACHE = os.path.abspath(os.environ.get("GUEST_CACHE", os.path.join(BUILD, "guest")))
INIT = os.path.join(BUILD, "bin", "postern-init")
# Each behind what it needs.  What a kernel has built in has no file and is passed over.
MODULES = ("virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover virtio_net vsock "
           "vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport qemu_fw_cfg").split()
CMDLINE = ("console=ttyS0 quiet reboot=k panic=-1 tsc=reliable no_timer_check cryptomgr.notests random.trust_cpu=on 8250.nr_uarts=1 "
           "i8042.noaux i8042.nopnp i8042.nokbd")


def kernel_tree():
    return subprocess.check_output([os.path.join(ROOT, "tests/guest/kernel"), CACHE], text=True).strip()


def bundle():
    """The directory of kernel, initrd and root.ext4, made if need be."""
    return subprocess.check_output([os.path.join(ROOT, "tests/guest/bundle")], text=True).strip()


def cpio(files):
    """A newc archive of {name: (mode, bytes)}, owned by root."""
    out = bytearray()
    for ino, (name, (mode, data)) in enumerate(list(files.items()) + [("TRAILER!!!", (0, b""))], 1):
        fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name.encode()) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def qemu_argv(kernel, initrd, append, serial, memory="256M", smp=1, disks=(), more=(), snapshot="on"):
    """QEMU under TCG as measured to start fastest; disks are raw files, opened through a snapshot so that they stay as they are."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", str(smp), "-m", memory,
            "-machine", "q35,memory-backend=mem,hpet=off,smm=off,vmport=off,smbus=off,sata=off",
            "-object", "memory-backend-memfd,id=mem,size=%s,share=on" % memory,
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", serial,
            "-kernel", kernel, "-initrd", initrd, "-append", (CMDLINE + " " + append).strip()]
    for disk in disks:
        argv += ["-drive", "file=%s,format=raw,if=virtio,snapshot=%s" % (disk, snapshot)]
    return argv + list(more)


CID = 77
VSOCK_MAGIC = 0x5056534B  # unpriv/common/vsock_boot.h
UNPRIVILEGED = 65534


class NoBoot(Exception):
    pass


class Guest:
    """The bundle's guest behind postern-vsock, without jail, keeper or daemon: what the agent does is all that is tested."""

    def __init__(self, append="", initrd=None, root=True, deadline=60, memory="256M", more=()):
        """root: False for none, or a file to write to instead of the bundle's, which is only read."""
        self.dir = tempfile.mkdtemp(prefix="postern-guest-")
        self.socket = os.path.join(self.dir, "vsock.sock")
        self.serial = os.path.join(self.dir, "serial")
        self.backend = self.qemu = None
        # Backend and QEMU have one uid, as in a jail.
        self.drop = dict(user=UNPRIVILEGED, group=UNPRIVILEGED, extra_groups=[]) if os.getuid() == 0 else {}
        try:
            self.start(append, initrd, root, memory, more)
            self.wait(deadline)
        except BaseException:
            self.close()
            raise

    def start(self, append, initrd, root, memory, more):
        where = bundle()
        if self.drop:
            os.chown(self.dir, UNPRIVILEGED, UNPRIVILEGED)
        ours, theirs = socket.socketpair()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(128)
        boot, w = os.pipe()
        os.write(w, struct.pack("=IIQ", VSOCK_MAGIC, 1, CID))
        os.close(w)
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        def place():
            high = [fcntl.fcntl(f, fcntl.F_DUPFD, 100) for f in (ours.fileno(), listener.fileno(), boot)]
            for n, f in zip((3, 4, 5), high):
                os.dup2(f, n)
            os.closerange(6, 200)
        # The build directory may be closed to the VM's uid.
        program = shutil.copy(os.path.join(BUILD, "bin", "postern-vsock"), self.dir)
        self.backend = subprocess.Popen([program], preexec_fn=place, close_fds=False, env={},
                                        stderr=self.log, **self.drop)
        for s in (ours, listener):
            s.close()
        os.close(boot)
        disks = [shutil.copy(os.path.join(where, "root.ext4"), self.dir) if root is True else root] if root else []
        argv = qemu_argv(shutil.copy(os.path.join(where, "kernel"), self.dir), shutil.copy(initrd or os.path.join(where, "initrd"), self.dir),
                         ("root=/dev/vda " if root else "") + append, "file:" + self.serial, memory, disks=disks, snapshot="on" if root is True else "off",
                         more=["-chardev", "socket,id=c0,fd=%d" % theirs.fileno(), "-device", "vhost-user-vsock-pci,chardev=c0,romfile=",
                               "-qmp", "unix:%s/qmp,server=on,wait=off" % self.dir] + list(more))
        self.qemu = subprocess.Popen(argv, pass_fds=[theirs.fileno()], env={"PATH": os.environ["PATH"], "TMPDIR": self.dir},
                                     stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **self.drop)
        theirs.close()

    def console(self):
        try:
            with open(self.serial, "rb") as f:
                return f.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def wait(self, deadline=60):
        """Until the agent answers."""
        end = time.monotonic() + deadline
        while True:
            try:
                conn = guestwire.Conn(guestwire.hybrid(self.socket, deadline=2))
                name, _ = conn.request("health")
                conn.close()
                if name == "healthy":
                    return
            except (OSError, guestwire.Gone):
                pass
            if time.monotonic() > end or self.qemu.poll() is not None or self.backend.poll() is not None:
                self.log.seek(0)
                raise NoBoot("no agent; console: %s; log: %s" % (self.console()[-1500:], self.log.read().decode(errors="replace")[-500:]))
            time.sleep(0.05)

    def conn(self, **options):
        return guestwire.Conn(guestwire.hybrid(self.socket), **options)

    def run(self, *argv, **options):
        """exec in the guest: (exit's fields, stdout, stderr)."""
        conn = self.conn()
        try:
            return conn.run(*argv, **options)
        finally:
            conn.close()

    def close(self):
        for p in (self.qemu, self.backend):
            if p is not None:
                if p.poll() is None:
                    p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def boot(**options):
    """A Guest, in a second attempt where the first one didn't come up: under emulation on a busy machine that happens."""
    try:
        return Guest(**options)
    except NoBoot:
        return Guest(**options)
