"""Block devices for mount tests: loop devices that vanish with the process that made them."""
import fcntl
import os
import struct
import subprocess

LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LO_FLAGS_AUTOCLEAR = 0x4C82, 0x4C0A, 4


class Loop:
    """A loop device over a fresh sparse file with a file system on it.  path: /dev/loopN.  It goes when closed and unmounted, whatever happens."""

    def __init__(self, directory, mkfs=("mkfs.ext4", "-q", "-F"), size=16 << 20):
        self.file = os.path.join(directory, "loop-%d-%d" % (os.getpid(), id(self)))
        backing = os.open(self.file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.ftruncate(backing, size)
        if mkfs:
            subprocess.run([*mkfs, self.file], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        for _ in range(100):  # others may take the number first
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            self.path = "/dev/loop%d" % number
            try:
                self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                info = struct.pack("5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, LO_FLAGS_AUTOCLEAR, b"", b"", b"", 0, 0)
                fcntl.ioctl(self.fd, LOOP_CONFIGURE, bytes(struct.pack("II", backing, 0) + info + bytes(64)))
                break
            except OSError:
                os.close(self.fd)
                self.fd = -1
        os.close(control)
        os.close(backing)
        os.unlink(self.file)
        if self.fd < 0:
            raise OSError("no free loop device")

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
