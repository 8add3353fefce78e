"""A QEMU guest behind postern-vsock with a guest program of its own, for the tests of the backend alone.

VM() builds an initramfs of tests/guest-progs/vsock_guest.c and the kernel's vsock modules, starts backend and QEMU as the
keeper does (fixed descriptors, one unprivileged uid, an empty environment) and waits until the guest says it is ready.
"""
import fcntl, glob, json, os, resource, shutil, socket, struct, subprocess, tempfile, time

from guestkit import BUILD, CID, MODULES, ROOT, UNPRIVILEGED, VSOCK_MAGIC, NoBoot, cpio, kernel_tree, qemu_argv

BOOT_DEADLINE = 60
# Backend and QEMU have one unprivileged uid, as in a jail.
AS_VM = dict(user=UNPRIVILEGED, group=UNPRIVILEGED, extra_groups=[]) if os.getuid() == 0 else {}


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


def initrd(tree, directory):
    files = {"dev": (0o040755, b"")}
    with open(guest_program(directory), "rb") as f:
        files["init"] = (0o100755, f.read())
    for i, name in enumerate(MODULES):
        found = glob.glob(os.path.join(tree, "lib/modules/*/kernel/**/%s.ko" % name), recursive=True)
        if found:  # else it is built in
            with open(found[0], "rb") as f:
                files["%02d.ko" % i] = (0o100644, f.read())
    path = os.path.join(directory, "initrd")
    with open(path, "wb") as f:
        f.write(cpio(files))
    return path


def spawn(argv, fds, **kw):
    """Starts argv as the VM's uid with fds {number: source descriptor}, and with an empty environment."""
    def place():
        moved = {n: fcntl.fcntl(s, fcntl.F_DUPFD, 100) for n, s in fds.items()}
        for n, s in moved.items():
            os.dup2(s, n, inheritable=True)
            os.close(s)
    return subprocess.Popen(argv, preexec_fn=place, close_fds=False, env={}, **AS_VM, **kw)


class VM:
    def __init__(self, memory="256M", smp=1):
        self.dir = tempfile.mkdtemp(prefix="postern-vsock-")
        self.name = os.path.join(self.dir, "vsock.sock")
        self.serial = os.path.join(self.dir, "serial")
        self.qmp_name = os.path.join(self.dir, "qmp")
        self.backend = self.qemu = self.qmp = None
        try:
            if AS_VM:
                os.chown(self.dir, UNPRIVILEGED, UNPRIVILEGED)
            self.stderr = open(os.path.join(self.dir, "stderr"), "w+b")
            # For the test's own thousand clients too.
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            self.start_qemu(self.start_backend(), memory, smp)
            self.wait_ready(1)
        except BaseException:
            self.close()
            raise

    def start_backend(self):
        """Starts postern-vsock; the other end of its QEMU socket."""
        ours, theirs = socket.socketpair()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.name)
        listener.listen(128)
        boot, w = os.pipe()
        os.write(w, struct.pack("=IIQ", VSOCK_MAGIC, 1, CID))
        os.close(w)
        # The build directory may be closed to the VM's uid.
        program = shutil.copy(os.path.join(BUILD, "bin", "postern-vsock"), self.dir)
        self.backend = spawn([program], {3: ours.fileno(), 4: listener.fileno(), 5: boot}, stderr=self.stderr)
        os.close(boot)
        ours.close()
        listener.close()
        return theirs

    def start_qemu(self, end, memory, smp):
        tree = kernel_tree()
        kernel = shutil.copy(glob.glob(os.path.join(tree, "boot/vmlinuz-*"))[0], self.dir)
        argv = qemu_argv(kernel, initrd(tree, self.dir), "", "file:" + self.serial, memory, smp,
                         more=["-qmp", "unix:%s,server=on,wait=off" % self.qmp_name, "-chardev", "socket,id=c0,fd=%d" % end.fileno(),
                               "-device", "vhost-user-vsock-pci,chardev=c0,romfile="])
        argv.remove("-no-reboot")
        self.qemu = subprocess.Popen(argv, pass_fds=[end.fileno()], env={"PATH": os.environ["PATH"], "TMPDIR": self.dir},
                                     stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr, **AS_VM)
        end.close()

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


def boot(**options):
    """A VM; under emulation a guest in forty hangs at boot, so one more try."""
    try:
        return VM(**options)
    except NoBoot:
        return VM(**options)
