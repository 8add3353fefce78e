"""What the tests that boot guests share: the kernel, cpio archives, QEMU's command line, a guest with its agent."""
import os, subprocess

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


def qemu_argv(kernel, initrd, append, serial, memory="256M", smp=1, disks=(), more=()):
    """QEMU under TCG as measured to start fastest; disks are raw files, opened through a snapshot so that they stay as they are."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", str(smp), "-m", memory,
            "-machine", "q35,memory-backend=mem,hpet=off,smm=off,vmport=off,smbus=off,sata=off",
            "-object", "memory-backend-memfd,id=mem,size=%s,share=on" % memory,
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", serial,
            "-kernel", kernel, "-initrd", initrd, "-append", (CMDLINE + " " + append).strip()]
    for disk in disks:
        argv += ["-drive", "file=%s,format=raw,if=virtio,snapshot=on" % disk]
    return argv + list(more)
