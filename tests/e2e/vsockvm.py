"""A QEMU guest behind postern-vsock, for the tests of the backend alone: no jail, no keeper, no daemon.

VM(kernel_tree) builds an initramfs of the guest program and the kernel's vsock modules, starts backend and QEMU as the
keeper does (fixed descriptors, empty argv and environment) and waits until the guest says it is ready.
"""
import fcntl, glob, json, os, resource, shutil, socket, struct, subprocess, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
BACKEND = os.path.join(BUILD, "bin", "postern-vsock")
MODULES = ("virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci vsock "
           "vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport").split()
CID = 77
UID = 65534
BOOT_DEADLINE = 60


class NoBoot(Exception):
    pass


def cpio(files):
    """A newc archive of {name: (mode, bytes)}."""
    out = bytearray()
    for ino, (name, (mode, data)) in enumerate(list(files.items()) + [("TRAILER!!!", (0, b""))], 1):
        fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def guest_program(directory):
    """Builds the guest's PID 1 with musl; kernel headers come from the host's."""
    include = os.path.join(directory, "include")
    os.mkdir(include)
    arch = subprocess.check_output(["gcc", "-print-multiarch"], text=True).strip()
    for name, where in (("linux", ""), ("asm-generic", ""), ("asm", arch)):
        os.symlink(os.path.join("/usr/include", where, name), os.path.join(include, name))
    out = os.path.join(directory, "init")
    subprocess.check_call(["musl-gcc", "-static", "-O2", "-s", "-isystem", include,
                           os.path.join(ROOT, "tests/guest-progs/vsock_guest.c"), "-o", out])
    return out


def initrd(kernel_tree, directory):
    files = {"dev": (0o040755, b"")}
    with open(guest_program(directory), "rb") as f:
        files["init"] = (0o100755, f.read())
    for i, name in enumerate(MODULES):
        found = glob.glob(os.path.join(kernel_tree, "lib/modules/*/kernel/**/%s.ko" % name), recursive=True)
        if found:  # else it is built in
            with open(found[0], "rb") as f:
                files["%02d.ko" % i] = (0o100644, f.read())
    path = os.path.join(directory, "initrd")
    with open(path, "wb") as f:
        f.write(cpio(files))
    return path


# Backend and QEMU have one unprivileged uid, as in a jail.
AS_VM = dict(user=UID, group=UID, extra_groups=[]) if os.getuid() == 0 else {}


def spawn(argv, fds, **kw):
    """Starts argv as the VM's uid with fds {number: source descriptor}, and with an empty environment."""
    def place():
        moved = {n: fcntl.fcntl(s, fcntl.F_DUPFD, 100) for n, s in fds.items()}
        for n, s in moved.items():
            os.dup2(s, n, inheritable=True)
    return subprocess.Popen(argv, preexec_fn=place, close_fds=False, env={}, **AS_VM, **kw)


class VM:
    def __init__(self, kernel_tree, smp=1, memory="256M"):
        self.dir = tempfile.mkdtemp(prefix="postern-vsock-")
        self.name = os.path.join(self.dir, "vsock.sock")
        self.serial = os.path.join(self.dir, "serial")
        self.qmp_name = os.path.join(self.dir, "qmp")
        self.backend = self.qemu = self.qmp = None
        try:
            self.start(kernel_tree, smp, memory)
        except BaseException:
            self.close()
            raise

    def start(self, kernel_tree, smp, memory):
        image = initrd(kernel_tree, self.dir)
        if AS_VM:
            os.chown(self.dir, UID, UID)
        kernel = glob.glob(os.path.join(kernel_tree, "boot/vmlinuz-*"))[0]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.name)
        listener.listen(128)
        r, w = os.pipe()
        os.write(w, struct.pack("=IIQ", 0x5056534B, 1, CID))
        os.close(w)
        self.stderr = open(os.path.join(self.dir, "stderr"), "w+b")
        # Above 1024 for the test's thousand clients too.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.backend = spawn([BACKEND], {3: ours.fileno(), 4: listener.fileno(), 5: r}, stderr=self.stderr)
        os.close(r)
        ours.close()
        listener.close()
        os.set_inheritable(theirs.fileno(), True)
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg",
             "-machine", "q35,memory-backend=mem,hpet=off,smm=off,vmport=off,smbus=off,sata=off", "-cpu", "max",
             "-smp", str(smp), "-m", memory, "-object", "memory-backend-memfd,id=mem,size=%s,share=on" % memory,
             "-nodefaults", "-no-user-config", "-display", "none", "-serial", "file:" + self.serial,
             "-qmp", "unix:%s,server=on,wait=off" % self.qmp_name,
             "-chardev", "socket,id=c0,fd=%d" % theirs.fileno(), "-device", "vhost-user-vsock-pci,chardev=c0,romfile=",
             "-kernel", kernel, "-initrd", image,
             "-append", "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check cryptomgr.notests "
                        "random.trust_cpu=on 8250.nr_uarts=1 i8042.noaux i8042.nopnp i8042.nokbd"],
            close_fds=False, stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr, **AS_VM)
        theirs.close()
        self.wait_ready(1)

    def console(self):
        try:
            with open(self.serial, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace").strip()

    def wait_console(self, text, times=1, deadline=BOOT_DEADLINE):
        end = time.monotonic() + deadline
        while self.console().count(text) < times:
            if self.qemu.poll() is not None or self.backend.poll() is not None or time.monotonic() > end:
                raise NoBoot("no %r on the console; stderr: %s; console: %s" % (text, self.errors(), self.console()[-500:]))
            time.sleep(0.02)

    def wait_ready(self, times):
        self.wait_console(b"guest: ready", times)

    def command(self, name, **arguments):
        """One QMP command."""
        if self.qmp is None:
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.qmp_name)
            self.qmp = s.makefile("rwb")
            self.qmp.readline()
            self.command("qmp_capabilities")
        self.qmp.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "event" not in answer:
                return answer

    def connect(self, port=None, timeout=10):
        """A client of the hybrid socket; with a port, past its OK."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.name)
        if port is not None:
            s.sendall(b"CONNECT %d\n" % port)
            line = read_line(s)
            if not line.startswith(b"OK "):
                s.close()
                raise ConnectionRefusedError(line)
        return s

    def connect_patiently(self, port):
        """As connect, but again when the guest refuses: its backlog of 128 may be full of connections it hasn't accepted."""
        end = time.monotonic() + 20
        while True:
            try:
                return self.connect(port, timeout=30)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def close(self):
        for p in (self.qemu, self.backend):
            if p is not None:
                if p.poll() is None:
                    p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        b = s.recv(1)
        if not b:
            return line
        line += b
    return line


def read_exact(s, n):
    out = bytearray()
    while len(out) < n:
        b = s.recv(min(1 << 20, n - len(out)))
        if not b:
            break
        out += b
    return bytes(out)


def read_all(s):
    out = bytearray()
    while True:
        b = s.recv(1 << 20)
        if not b:
            return bytes(out)
        out += b


def kernel_tree():
    """An unpacked Debian cloud kernel: $POSTERN_TEST_KERNEL, or fetched once with apt into the build directory."""
    given = os.environ.get("POSTERN_TEST_KERNEL")
    if given:
        return given
    tree = os.path.join(BUILD, "guest", "kernel-tree")
    if not glob.glob(os.path.join(tree, "boot/vmlinuz-*")):
        depends = subprocess.check_output(["apt-cache", "depends", "linux-image-cloud-amd64"], text=True)
        package = depends.split("Depends: ")[1].split()[0]
        with tempfile.TemporaryDirectory() as d:
            subprocess.check_call(["apt-get", "-q", "download", package], cwd=d,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.makedirs(tree, exist_ok=True)
            subprocess.check_call(["dpkg", "-x", glob.glob(os.path.join(d, "*.deb"))[0], tree])
    return tree


def boot(**kw):
    """A VM; a guest in forty hangs at boot under TCG, so one more try."""
    try:
        return VM(kernel_tree(), **kw)
    except NoBoot:
        return VM(kernel_tree(), **kw)
