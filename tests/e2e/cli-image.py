#!/usr/bin/env python3
"""postern image: what it makes is whole, root's, read-only, and boots."""
import io, json, os, re, shutil, stat, struct, subprocess, sys, tarfile, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from clitest import BUILD, POSTERN, Skip, check, environment, equal, main, postern, test  # noqa: E402
from guestkit import kernel_tree, qemu_argv  # noqa: E402

NOBODY = 65534
WORK = tempfile.TemporaryDirectory(prefix="postern-image-")


def fresh():
    return tempfile.mkdtemp(dir=WORK.name)


def image(root, *words, **options):
    return postern("image", "--image-root", root, *words, **options)


def debugfs(path, request):
    return subprocess.run(["debugfs", "-R", request, path], capture_output=True, text=True).stdout


def whole(path):
    done = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True)
    equal((path, done.returncode), (path, 0))
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o444)


def entry(path, name):
    """(mode, uid, gid) of a file in an image."""
    out = debugfs(path, "stat " + name)
    found = re.search(r"Mode:  (\d+).*?User:\s+(\d+)\s+Group:\s+(\d+)", out, re.S)
    check(found, "no %s in the image: %s" % (name, out))
    return tuple(map(int, (found.group(1), found.group(2), found.group(3))))


def source():
    tree = fresh()
    os.makedirs(os.path.join(tree, "etc/deep/er"))
    os.makedirs(os.path.join(tree, "dev"))
    with open(os.path.join(tree, "etc/motd"), "w") as f:
        f.write("hello\n")
    os.chmod(os.path.join(tree, "etc/motd"), 0o640)
    os.symlink("motd", os.path.join(tree, "etc/link"))
    with open(os.path.join(tree, "etc/deep/er/big"), "wb") as f:
        f.write(os.urandom(5 << 20))
    return tree


@test("import of a directory makes a file system that is whole, holds the tree, postern-init and mount points")
def _():
    root, tree = fresh(), source()
    code, _, err = image(root, "import", "web", tree)
    equal((code, err), (0, "postern: made %s/default/web.ext4\n" % root))
    path = root + "/default/web.ext4"
    whole(path)
    equal(debugfs(path, "cat /etc/motd"), "hello\n")
    equal(entry(path, "/postern-init"), (755, 0, 0))
    out = os.path.join(fresh(), "init")
    debugfs(path, "dump /postern-init " + out)
    with open(out, "rb") as got, open(os.path.join(BUILD, "bin/postern-init"), "rb") as want:
        check(got.read() == want.read(), "another postern-init")
    for name in ("/proc", "/sys", "/dev", "/run", "/tmp"):
        equal(entry(path, name)[1:], (0, 0))
    check(not os.path.exists(os.path.join(tree, "postern-init")), "the directory was written to")
    equal(os.listdir(root + "/default"), ["web.ext4"])


@test("import by an unprivileged user gives everything to root, and leaves nothing behind")
def _():
    if os.getuid() != 0:
        raise Skip("needs root to become somebody else")
    root, archive = fresh(), os.path.join(fresh(), "a.tar.gz")
    os.chmod(WORK.name, 0o755)
    for d in (root, os.path.dirname(archive)):
        os.chmod(d, 0o755)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source(), ".")
        closed = tarfile.TarInfo("./closed")
        closed.type, closed.mode = tarfile.DIRTYPE, 0o500
        tar.addfile(closed)
        secret = tarfile.TarInfo("./closed/secret")
        secret.size, secret.mode, secret.uid = 3, 0, 1234
        tar.addfile(secret, io.BytesIO(b"abc"))
    os.chown(root, NOBODY, NOBODY)
    # The build directory may be closed to others.
    program = shutil.copy(POSTERN, fresh())
    shutil.copy(os.path.join(BUILD, "bin/postern-init"), os.path.dirname(program))
    os.chmod(os.path.dirname(program), 0o755)
    p = subprocess.run([program, "image", "--image-root", root, "import", "web", archive], user=NOBODY, group=NOBODY, extra_groups=[],
                       env=environment(), capture_output=True, text=True)
    if "no user namespaces" in p.stderr:
        raise Skip("this kernel gives users no namespaces")
    equal((p.returncode, p.stderr), (0, "postern: made %s/default/web.ext4\n" % root))
    path = root + "/default/web.ext4"
    whole(path)
    equal(entry(path, "/etc/motd"), (640, 0, 0))
    equal(entry(path, "/closed/secret"), (0, 0, 0))
    equal(os.listdir(root + "/default"), ["web.ext4"])


@test("import by root keeps owners and modes of an archive, without its device nodes")
def _():
    if os.getuid() != 0:
        raise Skip("needs root")
    root, archive = fresh(), os.path.join(fresh(), "a.tar")
    with tarfile.open(archive, "w") as tar:
        for name, type_, mode in (("./srv", tarfile.DIRTYPE, 0o750), ("./dev", tarfile.DIRTYPE, 0o755), ("./dev/null", tarfile.CHRTYPE, 0o666)):
            t = tarfile.TarInfo(name)
            t.type, t.mode, t.uid, t.gid = type_, mode, 1234, 4321
            tar.addfile(t)
        t = tarfile.TarInfo("./srv/tool")
        t.mode, t.uid, t.gid = 0o4755, 1234, 4321
        tar.addfile(t)
    equal(image(root, "import", "web", archive)[0], 0)
    path = root + "/default/web.ext4"
    whole(path)
    equal(entry(path, "/srv"), (750, 1234, 4321))
    equal(entry(path, "/srv/tool"), (4755, 1234, 4321))
    check("File not found" in subprocess.run(["debugfs", "-R", "stat /dev/null", path], capture_output=True, text=True).stderr)


@test("an archive can't write outside its tree")
def _():
    root, archive, outside = fresh(), os.path.join(fresh(), "a.tar"), fresh()
    with tarfile.open(archive, "w") as tar:
        link = tarfile.TarInfo("./out")
        link.type, link.linkname = tarfile.SYMTYPE, outside
        tar.addfile(link)
        for name in ("./out/hit", "../../hit"):
            t = tarfile.TarInfo(name)
            tar.addfile(t)
    image(root, "import", "web", archive)
    equal(os.listdir(outside), [])
    check(not os.path.exists(root + "/hit") and not os.path.exists(root + "/default/hit"))


@test("an image is replaced with --force alone, and --size says how large it is")
def _():
    root, tree = fresh(), source()
    equal(image(root, "import", "web", tree)[0], 0)
    before = os.stat(root + "/default/web.ext4")
    code, _, err = image(root, "import", "web", tree)
    check(code == 1 and "--force" in err, err)
    equal(os.stat(root + "/default/web.ext4").st_ino, before.st_ino)
    equal(image(root, "--force", "--size", "64", "import", "web", tree)[0], 0)
    equal(os.stat(root + "/default/web.ext4").st_size, 64 << 20)
    code, _, err = image(root, "--force", "--size=4", "import", "web", tree)
    check(code == 1 and "--size" in err, err)
    equal(os.stat(root + "/default/web.ext4").st_size, 64 << 20)


@test("images are listed, tagged and removed, each tenant's apart")
def _():
    root, tree = fresh(), fresh()
    equal(image(root, "--tenant", "a", "import", "web", tree)[0], 0)
    equal(image(root, "--tenant", "a", "tag", "web", "web-2")[0], 0)
    equal([i["name"] for i in json.loads(image(root, "--tenant=a", "list")[1])], ["web-2.ext4", "web.ext4"])
    equal(json.loads(image(root, "list")[1]), [])
    whole(root + "/a/web-2.ext4")
    equal(os.stat(root + "/a/web.ext4").st_nlink, 1)
    equal(image(root, "--tenant", "a", "remove", "web")[0], 0)
    equal(image(root, "--tenant", "a", "remove", "web")[0], 1)
    equal(os.listdir(root + "/a"), ["web-2.ext4"])


@test("names that aren't names are refused")
def _():
    root, tree = fresh(), fresh()
    for name in ("../x", "a/b", "", ".hidden", "/etc/x", "x" * 200):
        equal((name, image(root, "import", name, tree)[0]), (name, 2))
    equal(image(root, "--tenant", "../up", "import", "x", tree)[0], 1)
    equal(image(root, "import", "x", "/nonexistent")[0], 2)
    equal(image(root, "import", "x", "/dev/null")[0], 2)
    equal(image(root, "frobnicate")[0], 2)


def vmlinux(note=18):
    """The smallest ELF file that says where PVH enters it."""
    body = struct.pack("<III4sQ", 4, 8, note, b"Xen\0", 0x1000000)
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(body), len(body), 4) + body


def bzimage(elf, tool):
    packed = subprocess.run(tool, input=elf, capture_output=True, check=True).stdout
    if tool[0] != "gzip":
        packed += struct.pack("<I", len(elf))
    head = bytearray(5 * 512)
    head[0x1F1] = 4
    head[0x202:0x208] = b"HdrS\x0f\x02"
    struct.pack_into("<II", head, 0x248, 0x100, len(packed))
    return bytes(head) + bytes(0x100) + packed + bytes(100)


def package_tree(kernel, modules):
    tree = fresh()
    os.makedirs(tree + "/boot")
    with open(tree + "/boot/vmlinuz-6.1.0-9-test", "wb") as f:
        f.write(kernel)
    for path, depends in modules.items():
        path = tree + "/lib/modules/6.1.0-9-test/kernel/" + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = b"\x7fELF" + os.urandom(50) + b"\0license=GPL\0depends=" + depends + b"\0name=x\0"
        if path.endswith(".xz"):
            data = subprocess.run(["xz", "-c"], input=data, capture_output=True, check=True).stdout
        with open(path, "wb") as f:
            f.write(data)
    return tree


MODULES = {"drivers/virtio/virtio.ko": b"virtio_ring", "drivers/virtio/virtio_ring.ko": b"", "drivers/block/virtio_blk.ko": b"virtio",
           "net/vmw_vsock/vsock.ko": b"", "net/vmw_vsock/vmw_vsock_virtio_transport.ko.xz": b"vmw_vsock_virtio_transport_common,vsock",
           "net/vmw_vsock/vmw-vsock-virtio-transport-common.ko": b"vsock", "fs/unwanted.ko": b""}


def cpio(path):
    """{name: data} of a newc archive."""
    found, at = {}, 0
    with open(path, "rb") as f:
        data = f.read()
    while True:
        equal(data[at:at + 6], b"070701")
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        at = (at + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = data[at:at + fields[6]]
        at = (at + fields[6] + 3) & ~3


@test("kernel takes the vmlinux out of a bzImage, however it is packed")
def _():
    for tool in (["lz4", "-l", "-c"], ["gzip", "-c"], ["xz", "-c"], ["zstd", "-c"]):
        if not shutil.which(tool[0]):
            continue
        root, elf = fresh(), vmlinux()
        code, _, err = image(root, "kernel", package_tree(bzimage(elf, tool), MODULES))
        equal((tool, code), (tool, 0))
        with open(root + "/default/kernel", "rb") as f:
            check(f.read() == elf, "%s: another kernel" % tool[0])
        equal(stat.S_IMODE(os.stat(root + "/default/kernel").st_mode), 0o444)


@test("a kernel without a PVH entry stays the bzImage it was")
def _():
    root, packed = fresh(), bzimage(vmlinux(note=7), ["gzip", "-c"])
    equal(image(root, "--name", "old", "kernel", package_tree(packed, {"fs/unwanted.ko": b""}))[0], 0)
    with open(root + "/default/old.kernel", "rb") as f:
        check(f.read() == packed)
    check(os.path.exists(root + "/default/old.initrd"))


@test("the initramfs holds postern-init and the wanted modules, each behind what it needs")
def _():
    root = fresh()
    equal(image(root, "kernel", package_tree(bzimage(vmlinux(), ["gzip", "-c"]), MODULES))[0], 0)
    files = cpio(root + "/default/initrd")
    with open(os.path.join(BUILD, "bin/postern-init"), "rb") as f:
        check(files["init"] == f.read())
    order = files["modules/list"].decode().split()
    equal(sorted(order), sorted("%s.ko" % n for n in ("virtio", "virtio_ring", "virtio_blk", "vsock", "vmw_vsock_virtio_transport", "vmw_vsock_virtio_transport_common")))
    for first, then in (("virtio_ring", "virtio"), ("virtio", "virtio_blk"), ("vsock", "vmw_vsock_virtio_transport_common"),
                        ("vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport")):
        check(order.index(first + ".ko") < order.index(then + ".ko"), order)
    check(all(files["modules/" + name].startswith(b"\x7fELF") for name in order), "a module is still packed")


@test("kernel takes a Debian package, and says what is no kernel")
def _():
    root, tree = fresh(), package_tree(bzimage(vmlinux(), ["gzip", "-c"]), MODULES)
    os.makedirs(tree + "/DEBIAN")
    with open(tree + "/DEBIAN/control", "w") as f:
        f.write("Package: linux-image-test\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: test\n")
    deb = os.path.join(fresh(), "k.deb")
    subprocess.run(["dpkg-deb", "-b", tree, deb], check=True, capture_output=True)
    equal(image(root, "kernel", deb)[0], 0)
    equal(sorted(os.listdir(root + "/default")), ["initrd", "kernel"])
    code, _, err = image(root, "--force", "kernel", fresh())
    check(code == 1 and "vmlinuz" in err, err)
    code, _, err = image(root, "--force", "kernel", POSTERN)
    check(code == 1 and "package" in err, err)


@test("the default bundle, made from Debian's cloud kernel, boots to its root")
def _():
    root = fresh()
    code, _, err = image(root, "default", kernel_tree())
    equal((code, err.count("made")), (0, 2))
    bundle = root + "/default/"
    whole(bundle + "root.ext4")
    check("busybox" in debugfs(bundle + "root.ext4", "stat /bin/sh"), "no shell")
    with open(bundle + "kernel", "rb") as f:
        equal(f.read(4), b"\x7fELF")
    serial = os.path.join(fresh(), "serial")
    argv = qemu_argv(bundle + "kernel", bundle + "initrd", "loglevel=7 root=/dev/vda ro", "file:" + serial,
                     more=["-drive", "file=%sroot.ext4,if=none,id=d0,format=raw,readonly=on" % bundle, "-device", "virtio-blk-pci,drive=d0"])
    for attempt in (1, 2):  # under emulation a guest in forty hangs at boot
        q = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            end, console = time.monotonic() + 40, b""
            while b"EXT4-fs (vda): mounted" not in console and b"Kernel panic" not in console and time.monotonic() < end and q.poll() is None:
                time.sleep(0.1)
                with open(serial, "rb") if os.path.exists(serial) else io.BytesIO() as f:
                    console = f.read()
        finally:
            q.kill()
            q.wait()
        if b"EXT4-fs (vda): mounted" in console:
            return
    check(False, "the root wasn't mounted: %r" % console[-400:])


main()
