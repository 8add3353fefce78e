#!/usr/bin/env python3
"""The helper's tests on Debian's own kernel: in a guest whose root is the Debian around us, with cgroup v2 alone.  LIMIT: 1500

usage: tests/e2e/helper-debian.py [whole | PROGRAM…]

Elsewhere they run on whatever kernel the machine has; but the helper's walls (seccomp, Landlock, mounts, capabilities, netlink) are the
kernel's.  Under emulation the whole suite takes a quarter of an hour, most of it in tests whose outcome no kernel has a say in: packets
that are malformed, and the same thing 10,000 times.  So without `whole` these are left out: PICKED says what is run of each program.
vm_test is never run: it boots a VM, and emulation within emulation takes longer than any boot deadline.
"""
import os, re, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import guestkit  # noqa: E402

# Program: parts of the sentences of what is run of it, none for all.
PICKED = {
    "build/tests/attack/jail_test": [],
    "build/tests/attack/grant_test": [],
    "build/tests/attack/mount_test": [],
    "build/tests/attack/keeper_test": [],
    "build/tests/attack/filters_test": ["I1: the kernel allows each row's call"],
    "tests/attack/a-init-way.py": [],
    "tests/attack/a-start.py": ["A8:", "A20: once", "A23:", "A24:", "A27:", "A33:"],
    "tests/attack/b-framing.py": ["B1:", "B6:"],
    "tests/attack/c-descriptors.py": ["C10:"],
    "tests/attack/de-mounts.py": ["D2:", "D14:", "E3: mount and", "E4:", "E8:"],
    "tests/attack/f-net.py": ["F4: a tap is", "F5: ports", "F6: addresses", "F6: the firewall", "F10:"],
    "tests/attack/h-policy.py": [],
    "tests/attack/h-ovs.py": ["H5:", "the socket handed out", "D2: a socket"],
    "tests/attack/i-sandbox.py": [],
    "tests/e2e/method/net.vlan.py": [],
    "tests/e2e/method/net.sysctl.py": [],
    "tests/e2e/method/net.neighbors.py": [],
    "tests/e2e/method/net.routes.py": ["net.routes"],
    "tests/e2e/method/net.routes.add.py": ["as ip then shows it"],
    "tests/e2e/method/net.conntrack.flush.py": ["what conntrack -L lists"],
    "tests/e2e/method/net.verify.py": ["however it was set up"],
    "tests/e2e/method/net.checkpoint.rollback.py": ["brings back"],
    "tests/e2e/net-forward.py": ["reach each other over a bridge", "guests reach the outside", "a forward leads in", "a forward stops at once"],
    "tests/e2e/drift.py": ["what is set up stands", "a route that is deleted", "nft flush ruleset"],
    "tests/e2e/ovs-kernel.py": [],
}
BOOT = 60  # seconds
PROGRAM_LIMIT = 400


class Program:
    """A test program in the guest; its lines are forwarded, with where they come from."""

    def __init__(self, guest, program, only, label):
        self.program, self.label = program, label
        self.told, self.failed, self.rest = 0, False, []
        words = only if program.endswith(".py") else []
        env = ["BUILD=/postern/build"] + (["TEST_ONLY=" + only[0]] if only and not words else [])
        self.conn = guest.conn()
        self.conn.start("/usr/bin/env", *env, "timeout", str(PROGRAM_LIMIT), "/postern/" + program, *words, cwd=b"/postern")

    def line(self, line):
        found = re.match(r"(ok|not ok) - (.*)", line)
        if not found:
            self.rest.append(line)
            return
        print("%s - on %s: %s" % (found.group(1), self.label, found.group(2)), flush=True)
        self.told += 1
        self.failed = self.failed or found.group(1) == "not ok"

    def run(self):
        """Until it has ended.  True when all is well with it."""
        end, text = time.monotonic() + PROGRAM_LIMIT + 20, ""
        while True:
            name, fields = self.conn.next(end - time.monotonic())
            if name == "exit":
                break
            *lines, text = (text + fields["data"].decode(errors="replace")).split("\n")
            for line in lines:
                self.line(line)
        self.conn.send("ack")
        self.conn.close()
        if self.told > 0 and (fields["code"] != 0) == self.failed:
            return not self.failed
        print("not ok - on %s: %s reports its tests and ends: exit %d, %d tests: %s" %
              (self.label, self.program, fields["code"], self.told, " / ".join(self.rest[-12:] + [text])), flush=True)
        return False


def sound(guest, release):
    mounts = guest.run("cat", "/proc/mounts")[1].decode()
    good = "cloud" in release and " cgroup2 " in mounts and " cgroup " not in mounts
    print("%s - the guest has Debian's own kernel and cgroup v2 alone%s" % ("ok" if good else "not ok", "" if good else ": %s, %s" % (release, mounts)))
    return good


def run_all(guest, picked):
    guest.run("modprobe", "-a", "loop", "tun", "btrfs")  # where there is udev, their nodes in /dev do that
    release = guest.run("uname", "-r")[1].decode().strip()
    good = sound(guest, release)
    for program, only in picked.items():
        began = time.monotonic()
        good = Program(guest, program, only, "Debian " + ".".join(release.split(".")[:2])).run() and good
        print("# %s: %.1f s" % (program, time.monotonic() - began), flush=True)
    return good


def main():
    words = sys.argv[1:]
    picked = {p: [] for p in PICKED} if words == ["whole"] else {p: only for p, only in PICKED.items() if not words or any(w in p for w in words)}
    with tempfile.TemporaryDirectory(prefix="postern-debian-") as directory:
        os.chmod(directory, 0o711)
        image = os.path.join(directory, "root")
        subprocess.check_call([os.path.join(guestkit.ROOT, "tests/guest/debian-root"), image], stdout=subprocess.DEVNULL)
        os.chmod(image, 0o666)
        guest = guestkit.boot(root=image, memory="1G", more=["-smp", "2"], deadline=BOOT)
        try:
            good = run_all(guest, picked)
        finally:
            guest.close()
    sys.exit(0 if good else 1)


main()
